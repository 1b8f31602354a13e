/**
 * Child side of `overwrite-size`: overwrites of random records out of a few, 64 in flight, and a look at the directory every so often.
 *
 * Invariant: nothing asks the store to compact; every sample is taken while 64 overwrites are under way. A pause is the longest time
 * between two overwrites being acknowledged, which contains whatever held up the event loop.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createChance, decodeCbor, encodeCbor, isPlainObject } from '../../runtime/index.ts'
import { openRawStore, putOne } from './raw-store.ts'
import { rawKey } from './store-classic-level.ts'
import { rowId } from './store-rows.ts'
import type { SystemName } from './store-system.ts'

const inFlight = 64
/** What `stat` counts in, whatever the file system's own blocks are. */
const blockBytes = 512
/** How often the delay of the event loop is measured. */
const loopStepMs = 10
/** All versions have one width. */
const versionMin = 2 ** 31

export interface OverwritePlan {
  readonly system: SystemName
  readonly at: string
  readonly overwrites: number
  /** Records that they go to. */
  readonly records: number
  /** CBOR bytes of each record. */
  readonly recordBytes: number
  readonly sampleEvery: number
  readonly seed: number
}

export interface OverwriteResult {
  readonly ms: number
  /** Sum of the CBOR bytes of the records. */
  readonly liveBytes: number
  /** Highest sum of allocated blocks. */
  readonly allocatedBytes: number
  readonly pauseMs: number
  /** Longest delay of the event loop alone: the rest of a pause is the disk's. */
  readonly loopMs: number
  readonly samples: number
}

type Doc = { readonly version: number; readonly body: Uint8Array }

/** A store that records are put into, and got from at the end. */
interface Target {
  put(n: number, doc: Doc): Promise<void>
  version(n: number): Promise<unknown>
  close(): Promise<void>
}

export async function overwriteLoad(
  plan: OverwritePlan,
  progress: (overwrites: number) => void,
): Promise<OverwriteResult> {
  const { records, recordBytes } = plan
  const target = await (plan.system === 'blazedb' ? openDatabase(plan) : openRaw(plan))
  try {
    const body = makeBody(recordBytes)
    let version = versionMin
    const versions = new Map<number, number>()
    const put = (n: number): Promise<void> => {
      version += 1
      versions.set(n, version)
      return target.put(n, makeDoc(version, body))
    }
    // Every record is there before the clock starts.
    await load(records, put)
    const result = await overwrite(plan, progress, put)
    for (const [n, expected] of versions) {
      const found = await target.version(n)
      if (found !== expected) throw new Error(`record ${n} has version ${String(found)}, not ${expected}`)
    }
    return { ...result, liveBytes: recordBytes * records }
  } finally {
    await target.close()
  }
}

async function overwrite(
  { at, overwrites, records, sampleEvery, seed }: OverwritePlan,
  progress: (overwrites: number) => void,
  put: (n: number) => Promise<void>,
): Promise<Omit<OverwriteResult, 'liveBytes'>> {
  const chance = createChance(seed)
  const busy = new Set<number>()
  const pick = (): number => {
    for (;;) {
      const n = Math.floor(chance() * records)
      // Two puts to one key at a time may come in either order.
      if (!busy.has(n)) return n
    }
  }
  let [done, samples, allocatedBytes, pauseMs] = [0, 0, 0, 0]
  const loop = monitorEventLoopDelay({ resolution: loopStepMs })
  loop.enable()
  const startMs = performance.now()
  let lastMs = startMs
  await load(overwrites, async () => {
    const n = pick()
    busy.add(n)
    await put(n)
    busy.delete(n)
    const nowMs = performance.now()
    pauseMs = Math.max(pauseMs, nowMs - lastMs)
    lastMs = nowMs
    done += 1
    if (done % sampleEvery !== 0) return
    samples += 1
    allocatedBytes = Math.max(allocatedBytes, allocatedOf(at))
    progress(done)
    // Looking takes time that is not the store's.
    lastMs = performance.now()
  })
  loop.disable()
  const loopMs = Math.max(0, loop.max / 1e6 - loopStepMs)
  return { ms: performance.now() - startMs, allocatedBytes, pauseMs, loopMs, samples }
}

/** So many pieces of work, 64 at a time. */
async function load(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const workOn = async (): Promise<void> => {
    while (next < count) {
      next += 1
      await work(next - 1)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, workOn))
}

/** Of all files below a directory. */
function allocatedOf(directory: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return files.reduce((sum, name) => sum + blocksOf(join(directory, name)) * blockBytes, 0)
}

/** None for a file that was removed in the meantime. */
function blocksOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.blocks ?? 0
}

/** What makes a record of so many bytes of CBOR. */
function makeBody(recordBytes: number): Uint8Array {
  const around = bytesOf(new Uint8Array(recordBytes)) - recordBytes
  const body = globalThis.crypto.getRandomValues(new Uint8Array(recordBytes - around))
  if (bytesOf(body) !== recordBytes) throw new Error(`a record has ${bytesOf(body)} bytes`)
  return body
}

function bytesOf(body: Uint8Array): number {
  return encodeCbor(makeDoc(versionMin, body)).length
}

/** Its bytes differ from those of other versions. */
function makeDoc(version: number, body: Uint8Array): Doc {
  const copy = new Uint8Array(body)
  if (copy.length >= 4) new DataView(copy.buffer).setUint32(0, version)
  return { version, body: copy }
}

async function openDatabase({ at }: OverwritePlan): Promise<Target> {
  const { openBlazedb } = await import('./store-blazedb.ts')
  const system = await openBlazedb({ at, make: true })
  return {
    put: (n, doc) => system.records.put(rowId(n), doc),
    version: async (n) => (await system.records.get(rowId(n)))?.['version'],
    close: () => system.close(),
  }
}

async function openRaw({ at }: OverwritePlan): Promise<Target> {
  const store = await openRawStore(at)
  return {
    put: (n, doc) => putOne(store, { key: rawKey(n), value: encodeCbor(doc) }),
    version: async (n) => versionOf(store.getSync(rawKey(n))),
    close: () => store.close(),
  }
}

function versionOf(value: Uint8Array | undefined): unknown {
  const doc = value === undefined ? undefined : decodeCbor(value)
  return isPlainObject(doc) ? doc['version'] : undefined
}

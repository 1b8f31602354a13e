/**
 * An app in a process of its own: host or guest of one database, through the public API, as its parent asks.
 * Invariant: nothing is answered before the API resolved.
 */
import { writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BlazeDBClient, connectIn, ExportPolicy } from '../../actors/index.ts'
import type {
  CrossAppShare,
  ExportPolicyOptions,
  Grants,
  GuestReport,
  SharedMode,
  ShareStatus,
} from '../../actors/index.ts'
import type { Doc, DocInput } from '../../actors/database/index.ts'
import { processWorld } from '../../actors/client/world.ts'
import { answerParent } from '../../scripts/process/call.ts'
import { trackerRows } from './next-door-row.ts'
import { tapWorld } from './next-door-tap.ts'
import type { Tap } from './next-door-tap.ts'

const KEY = new Uint8Array(32).fill(7)
/** Between two looks at what is shown. */
const LOOK_MS = 1
/** Writes that a program makes at once. */
const BURST = 200

export interface Place {
  readonly id: string
  readonly directory: string
}

interface In {
  readonly collection: string
}

interface One extends In {
  readonly id: string
}

interface Terms {
  readonly policy: ExportPolicyOptions
  readonly grants?: Grants
}

export interface ConnectBody {
  readonly group: Place
  readonly database: string
  readonly mode: SharedMode
  readonly app?: string
  readonly timeoutMs?: number
  /** Listen to it, and keep all that is encrypted and decrypted if so told. */
  readonly tap?: 'count' | 'keep'
}

/** What a parent may ask. */
export interface AppCalls {
  open(body: { at: string; name: string }): Promise<void>
  share(body: Terms & { group: Place; app?: string; timeoutMs?: number }): Promise<void>
  setPolicy(body: Terms): Promise<void>
  shareStatus(body: null): Promise<Omit<ShareStatus, 'error'>>
  /** Rows of `next-door-row.ts`. */
  fill(body: In & { from: number; to: number }): Promise<void>
  /** Single puts, many at a time. */
  burst(body: In & { count: number; round: number }, progress: (count: number) => void): Promise<void>
  /** Bytes that are in use after a collection of garbage. */
  memory(body: null): Promise<number>
  connect(body: ConnectBody): Promise<void>
  report(
    body: null,
  ): Promise<Omit<GuestReport, 'error'> & { code: string | undefined; why: string; at: string }>
  caughtUp(body: { timeoutMs: number }): Promise<void>
  /** Kills a process once so many records have come to this tapped guest, which has not applied the last of them then. */
  killAfter(body: { pid: number; records: number }): Promise<void>
  /** Records that came so far, and links that were made. */
  counts(body: null): Promise<{ records: number; links: number }>
  /** Writes what the tap has kept to a file. */
  dump(body: { to: string }): Promise<number>
  insert(body: In & { doc: DocInput }): Promise<string>
  /** Ends a process without a chance as soon as the insert was acknowledged. */
  insertAndKill(body: In & { doc: DocInput; pid: number }): Promise<string>
  insertMany(body: In & { docs: readonly DocInput[] }): Promise<void>
  put(body: One & { doc: DocInput }): Promise<void>
  update(body: One & { patch: DocInput }): Promise<void>
  restore(body: One & { doc: DocInput }): Promise<void>
  remove(body: One): Promise<boolean>
  get(body: One): Promise<Doc | undefined>
  all(body: In): Promise<Doc[]>
  openCount(body: In): Promise<number>
  /** Resolves, with how long it took, once the record is there (or is not). */
  sees(body: One & { there: boolean; timeoutMs: number }): Promise<number>
  /** Starts to follow a collection live; `told` gives what it has made of the deltas. */
  live(body: In): Promise<void>
  told(body: null): Promise<Map<string, Doc>>
  /** Starts to follow a record; `watched` gives all that was told. */
  watch(body: One): Promise<void>
  watched(body: null): Promise<(Doc | undefined)[]>
  close(body: null): Promise<void>
}

let client: BlazeDBClient | undefined
let share: CrossAppShare | undefined
let tap: Tap | undefined
/** For the tap that is made next. */
let due: { readonly records: number; readonly act: () => void } | undefined
const told = new Map<string, Doc>()
const watched: (Doc | undefined)[] = []

function opened(): BlazeDBClient {
  if (client === undefined) throw new Error('nothing is open in this process')
  return client
}

function collectionOf({ collection }: In): ReturnType<BlazeDBClient['collection']> {
  return opened().collection(collection)
}

function shared(): NonNullable<BlazeDBClient['shared']> {
  const source = opened().shared
  if (source === undefined) throw new Error('this process is no guest')
  return source
}

function sharing(): CrossAppShare {
  if (share === undefined) throw new Error('this process does not share')
  return share
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

const calls: AppCalls = {
  async open({ at, name }) {
    client = await BlazeDBClient.open({ name, at, key: KEY })
  },
  async share({ group, policy, grants, app, timeoutMs }) {
    share = await opened().enableCrossAppSync({
      appGroup: group,
      exportPolicy: new ExportPolicy(policy),
      ...(app === undefined ? {} : { app }),
      ...(grants === undefined ? {} : { grants }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
  },
  async setPolicy({ policy, grants }) {
    sharing().setPolicy(new ExportPolicy(policy), grants === undefined ? {} : { grants })
  },
  async shareStatus() {
    const { error: _, ...status } = sharing().status()
    return status
  },
  async fill({ from, to, ...place }) {
    for (let at = from; at < to; at += 1_000)
      await collectionOf(place).insertMany(
        trackerRows(at, Math.min(to, at + 1_000)).map((row) => ({ ...row })),
      )
  },
  async burst({ count, round, ...place }, progress) {
    const text = 'x'.repeat(400)
    for (let made = 0; made < count; made += BURST) {
      const some = Array.from({ length: Math.min(BURST, count - made) }, (_, at) => made + at)
      await Promise.all(
        some.map((n) => collectionOf(place).put(`burst-${n}`, { status: 'open', n, text, round })),
      )
      progress(made)
    }
  },
  async memory() {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    // What is being written belongs to nobody in a moment.
    for (let round = 0; round < 3; round++) {
      await pause(50)
      collect()
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  },
  async connect({ group, tap: how, ...options }) {
    if (how === undefined) {
      client = await BlazeDBClient.connectToShared({ appGroup: group, ...options })
      return
    }
    tap = tapWorld(processWorld(), { keep: how === 'keep' })
    if (due !== undefined) tap.after(due.records, due.act)
    client = await connectIn(tap.world, { appGroup: group, ...options })
  },
  async report() {
    const { error, ...report } = shared().status()
    return { ...report, code: error?.code, why: shared().why(), at: opened().status().at }
  },
  async caughtUp(options) {
    await shared().caughtUp(options)
  },
  async killAfter({ pid, records }) {
    const act = (): void => void process.kill(pid, 'SIGKILL')
    due = { records, act }
    tap?.after(records, act)
  },
  async counts() {
    return { records: tap?.records ?? 0, links: tap?.links ?? 0 }
  },
  async dump({ to }) {
    const bytes = Buffer.concat(tap?.seen ?? [])
    writeFileSync(to, bytes)
    return bytes.length
  },
  async insert({ doc, ...place }) {
    return await collectionOf(place).insert(doc)
  },
  async insertAndKill({ doc, pid, ...place }) {
    const id = await collectionOf(place).insert(doc)
    process.kill(pid, 'SIGKILL')
    return id
  },
  async insertMany({ docs, ...place }) {
    await collectionOf(place).insertMany(docs)
  },
  async put({ id, doc, ...place }) {
    await collectionOf(place).put(id, doc)
  },
  async update({ id, patch, ...place }) {
    await collectionOf(place).update(id, patch)
  },
  async restore({ id, doc, ...place }) {
    await collectionOf(place).restore(id, doc)
  },
  async remove({ id, ...place }) {
    return await collectionOf(place).delete(id)
  },
  async get({ id, ...place }) {
    return await collectionOf(place).get(id)
  },
  async all(place) {
    return await collectionOf(place).query().all()
  },
  async openCount(place) {
    return await collectionOf(place).query().where('status', '=', 'open').count()
  },
  async sees({ id, there, timeoutMs, ...place }) {
    const sinceMs = performance.now()
    for (;;) {
      if (((await collectionOf(place).get(id)) !== undefined) === there) return performance.now() - sinceMs
      if (performance.now() - sinceMs > timeoutMs)
        throw new Error(`${id} is ${there ? 'not seen' : 'still seen'} after ${timeoutMs} ms`)
      await pause(LOOK_MS)
    }
  },
  async live(place) {
    collectionOf(place)
      .query()
      .live(({ added, changed, removed }) => {
        for (const doc of [...added, ...changed]) told.set(String(doc.id), doc)
        for (const id of removed) told.delete(id)
      })
  },
  async told() {
    return told
  },
  async watch({ id, ...place }) {
    collectionOf(place).watch(id, (doc) => watched.push(doc))
  },
  async watched() {
    return watched
  },
  async close() {
    const closing = client
    client = undefined
    share = undefined
    await closing?.close()
  },
}

answerParent<AppCalls>(calls, async () => {
  await client?.close()
})

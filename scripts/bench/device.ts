/** Child process of the benchmarks: one device with one database. Invariant: what it reports it has seen through the public API. */
import { join } from 'node:path'
import { BlazeDBClient, BlazeTopology, RemoteNode, SyncPolicy } from '../../actors/index.ts'
import { answerParent } from '../process/call.ts'
import type { DeviceCalls, Repaired } from './device-calls.ts'
import { Latencies, machineMs, openLoop } from './load.ts'
import { makeRecords } from './record.ts'

const waitMs = 60_000
/** A million records on their way to the supervisor. */
const hostMs = 600_000
/** Updates that are still under way when the load has ended. */
const lateMs = 10_000
const key = new Uint8Array(32).fill(7)
const batch = 1_000
const name = 'records'
/** Records that updates go to in turn: each rests for a second before its next, so that none is merged with the one before. */
const updatedRecords = 100

type DatabaseSync = NonNullable<BlazeDBClient['sync']>

let db: BlazeDBClient | undefined
const latencies = new Latencies()

function device(): BlazeDBClient {
  if (db === undefined) throw new Error('no database is open')
  return db
}

/** Made in slices, so that a million are never in memory. */
async function insertAll(
  target: BlazeDBClient,
  { rows, seed }: { rows: number; seed: number },
  progress: (rows: number) => void = () => undefined,
): Promise<void> {
  for (let at = 0; at < rows; at += batch) {
    const docs = makeRecords(Math.min(batch, rows - at), seed + at)
    await target.collection(name).insertMany(docs.map((doc, n) => ({ id: String(at + n), ...doc })))
    progress(at + docs.length)
  }
}

function sync(): DatabaseSync {
  const found = device().sync
  if (found === undefined) throw new Error('the database does not sync')
  return found
}

/** The state tells: `diverged` from the answer that shows a difference until roots agree again. */
async function repair(handle: DatabaseSync): Promise<Repaired> {
  const startMs = machineMs()
  let foundMs: number | undefined
  let timer: NodeJS.Timeout | undefined
  let forget = (): void => undefined
  const endMs = new Promise<number>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no repair: ${handle.why()}`)), hostMs)
    forget = handle.on((event) => {
      if (event.type !== 'state') return
      if (event.status.state === 'diverged') foundMs ??= machineMs()
      else if (event.before === 'diverged' && event.status.state === 'caughtUp') resolve(machineMs())
    })
  })
  try {
    handle.resume()
    const end = await endMs
    if (foundMs === undefined) throw new Error('nothing differed')
    return { startMs, foundMs, endMs: end }
  } finally {
    clearTimeout(timer)
    forget()
  }
}

/** `id` of update `n`; the record carries number and start. */
function updateOne(target: BlazeDBClient, n: number, startMs: number): Promise<void> {
  return target.collection(name).update(String(n % updatedRecords), { update: n, startMs })
}

/** Resolves after the first pass over all records. */
function follow(target: BlazeDBClient, into: Latencies): Promise<void> {
  const query = target.collection(name).query()
  return new Promise((resolve) => {
    query.live(({ changed }) => {
      const nowMs = machineMs()
      resolve()
      for (const { update, startMs } of changed)
        if (typeof update === 'number' && typeof startMs === 'number') into.note(update, nowMs - startMs)
    })
  })
}

const calls: DeviceCalls = {
  async host({ at, rows, seed, code, name: database, port }, progress) {
    db = await BlazeDBClient.open({ name: 'Bench', at, key })
    await insertAll(db, { rows, seed }, progress)
    const policy = new SyncPolicy({ encryption: 'e2eOnly' })
    const remote = new RemoteNode({ code, host: '127.0.0.1', port })
    const sync = await db.enableSync({ remote, database, policy })
    await sync.caughtUp({ timeoutMs: hostMs })
  },
  invite: () => device().invite({ role: 'writer' }),
  async join({ at, invite, rows }) {
    const startMs = machineMs()
    db = await BlazeDBClient.join({ name: 'Bench', at, key, invite })
    await db.sync?.caughtUp({ timeoutMs: waitMs })
    const visible = db.status().records
    const ms = machineMs() - startMs
    const counted = await db.collection(name).query().count()
    if (visible !== rows || counted !== rows)
      throw new Error(`caught up with ${visible} records, ${counted} by a query, expected ${rows}`)
    return { ms }
  },
  watch: () => follow(device(), latencies),
  seen: ({ updates }) => latencies.all(updates, waitMs),
  async update(plan) {
    await openLoop(plan, (n, startMs) => updateOne(device(), n, startMs))
    await device().sync?.caughtUp({ timeoutMs: waitMs })
  },
  async updateOnce({ n }) {
    const startMs = machineMs()
    await device().collection(name).update('0', { update: n, startMs })
    return startMs
  },
  pause: () => sync().pause(),
  async resume() {
    const startMs = machineMs()
    sync().resume()
    await sync().caughtUp({ timeoutMs: waitMs })
    return { ms: machineMs() - startMs }
  },
  repair: () => repair(sync()),
  async updateInMemory({ at, seed, ...plan }) {
    const from = await BlazeDBClient.open({ name: 'From', at: join(at, 'from'), key })
    const to = await BlazeDBClient.open({ name: 'To', at: join(at, 'to'), key })
    try {
      await insertAll(from, { rows: updatedRecords, seed })
      await BlazeTopology.connectLocal({ from, to, mode: 'readOnly' })
      await follow(to, latencies)
      await openLoop(plan, (n, startMs) => updateOne(from, n, startMs))
      return await latencies.all(plan.updates, lateMs)
    } finally {
      await to.close()
      await from.close()
    }
  },
  async close() {
    await db?.close()
    db = undefined
  },
}

answerParent(calls, () => calls.close(null))

/**
 * Child process of the group `topology`: an app that shares its database, or one that holds guests. Invariant: what it reports it has
 * seen through the public API.
 */
import { BlazeDBClient, ExportPolicy } from '../../actors/index.ts'
import type { Collection } from '../../actors/index.ts'
import { fingerprint } from '../demo/fingerprint.ts'
import { answerParent } from '../process/call.ts'
import { Latencies, machineMs, openLoop } from './load.ts'
import type { NeighbourCalls } from './neighbour-calls.ts'
import { makeRecords } from './record.ts'

const waitMs = 60_000
const key = new Uint8Array(32).fill(7)
const batch = 1_000
const database = 'Bench'
const name = 'records'

let host: BlazeDBClient | undefined
const guests: BlazeDBClient[] = []
const sights: Latencies[] = []

function records(of: BlazeDBClient | undefined): Collection {
  if (of === undefined) throw new Error('no database is open')
  return of.collection(name)
}

/** Resolves with the first delta, which has all that is there. */
function follow(guest: BlazeDBClient, into: Latencies): Promise<void> {
  const live = records(guest)
    .query()
    .live(({ added }) => {
      const nowMs = machineMs()
      for (const { write } of added) if (typeof write === 'number') into.note(write, nowMs)
      arrived()
    })
  let arrived: () => void = () => undefined
  return new Promise((resolve, reject) => {
    arrived = resolve
    live.closed.catch(reject)
  })
}

const calls: NeighbourCalls = {
  async host({ at, group, rows, seed }) {
    host = await BlazeDBClient.open({ name: database, at, key })
    const docs = makeRecords(rows, seed)
    for (let done = 0; done < rows; done += batch)
      await records(host).insertMany(docs.slice(done, done + batch))
    const exportPolicy = new ExportPolicy({ collections: [name] })
    await host.enableCrossAppSync({ appGroup: { id: 'bench', directory: group }, app: 'host', exportPolicy })
  },
  async insert({ seed, ...plan }) {
    const docs = makeRecords(plan.updates, seed)
    const target = records(host)
    const written = { startMs: [] as number[], committedMs: [] as number[] }
    await openLoop(plan, async (n, startMs) => {
      await target.insert({ ...docs[n], write: n })
      written.committedMs[n] = machineMs()
      written.startMs[n] = startMs
    })
    return written
  },
  async connect({ group, guests: count, rows }) {
    const ms: number[] = []
    for (let n = 0; n < count; n += 1) {
      const startMs = machineMs()
      const guest = await BlazeDBClient.connectToShared({
        appGroup: { id: 'bench', directory: group },
        app: 'guest',
        database,
        mode: 'readOnly',
        timeoutMs: waitMs,
      })
      guests.push(guest)
      const counted = await records(guest).query().count()
      ms.push(machineMs() - startMs)
      if (counted !== rows) throw new Error(`guest ${n} counts ${counted} of ${rows} records`)
    }
    return { ms }
  },
  fingerprint: () => fingerprint(records(host ?? guests[0])),
  async watch() {
    for (const guest of guests) {
      const seen = new Latencies()
      sights.push(seen)
      await follow(guest, seen)
    }
  },
  seen: ({ updates }) => Promise.all(sights.map((seen) => seen.all(updates, waitMs))),
  async close() {
    for (const guest of guests.splice(0)) await guest.close()
    await host?.close()
    host = undefined
  },
}

answerParent(calls, () => calls.close(null))

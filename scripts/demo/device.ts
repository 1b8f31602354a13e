/** Child process of the demo: the second device. Invariant: it knows only the invite, and reads and writes by the public API. */
import { BlazeDBClient, BlazeError } from '../../actors/index.ts'
import type { Collection } from '../../actors/index.ts'
import { machineMs } from '../bench/load.ts'
import { answerParent } from '../process/call.ts'
import { collectionName, databaseName, password, syncMs } from './agreement.ts'
import type { DeviceCalls } from './device-calls.ts'
import { fingerprint } from './fingerprint.ts'
import { probeCalls } from './probe.ts'

/** Milliseconds between two looks at how far it is. */
const lookMs = 100

let db: BlazeDBClient | undefined

function device(): BlazeDBClient {
  if (db === undefined) throw new Error('no database is open')
  return db
}

function cities(): Collection {
  return device().collection(collectionName)
}

async function caughtUp(): Promise<void> {
  const { sync } = device()
  if (sync === undefined) throw new BlazeError('NOT_SYNCED', 'the second device does not sync')
  await sync.caughtUp({ timeoutMs: syncMs })
}

const calls: DeviceCalls = {
  async join({ at, invite }, progress) {
    const startMs = machineMs()
    const joined = await BlazeDBClient.join({ name: databaseName, at, password, invite })
    db = joined
    const look = setInterval(() => progress(joined.status().records), lookMs)
    try {
      await caughtUp()
    } finally {
      clearInterval(look)
    }
    const ms = machineMs() - startMs
    return { ms, records: await cities().query().count() }
  },
  async edit(edits) {
    await Promise.all(edits.map(({ id, patch }) => cities().update(id, patch, { timeoutMs: syncMs })))
    await caughtUp()
  },
  async fingerprint() {
    await caughtUp()
    return fingerprint(cities())
  },
  ...probeCalls(cities),
  async close() {
    await db?.close()
    db = undefined
  },
}

answerParent(calls, () => calls.close(null))

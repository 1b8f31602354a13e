/** Child process of the demo: the app next door. Invariant: it has no password, and reads and writes by the public API. */
import { BlazeDBClient, BlazeError } from '../../actors/index.ts'
import type { Collection } from '../../actors/index.ts'
import { machineMs } from '../bench/load.ts'
import { answerParent } from '../process/call.ts'
import { appGroupId, collectionName, databaseName, syncMs } from './agreement.ts'
import type { DashboardCalls } from './dashboard-calls.ts'
import { fingerprint } from './fingerprint.ts'
import { probeCalls } from './probe.ts'

let db: BlazeDBClient | undefined

function cities(): Collection {
  if (db === undefined) throw new Error('not connected')
  return db.collection(collectionName)
}

const calls: DashboardCalls = {
  async connect({ group }) {
    const startMs = machineMs()
    db = await BlazeDBClient.connectToShared({
      appGroup: { id: appGroupId, directory: group },
      app: 'dashboard',
      database: databaseName,
      mode: 'readWrite',
      timeoutMs: syncMs,
    })
    const records = await cities().query().count({ timeoutMs: syncMs })
    return { ms: machineMs() - startMs, records }
  },
  async write({ id, patch }) {
    try {
      await cities().update(id, patch, { timeoutMs: syncMs })
      return 'none'
    } catch (error) {
      if (error instanceof BlazeError) return error.code
      throw error
    }
  },
  async having({ field }) {
    const docs = await cities().query().all({ timeoutMs: syncMs })
    return docs.filter((doc) => field in doc).length
  },
  async fingerprint() {
    await db?.shared?.caughtUp({ timeoutMs: syncMs })
    return fingerprint(cities())
  },
  ...probeCalls(cities),
  async close() {
    await db?.close()
    db = undefined
  },
}

answerParent(calls, () => calls.close(null))

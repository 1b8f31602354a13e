/**
 * Another user of the machine: tries to get at a shared database by the API, by its socket and by the files of its group, and prints as
 * JSON what came of it. Invariant: it only tries what its arguments name.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { BlazeDBClient, BlazeError } from '../../actors/index.ts'

export interface StrangerReport {
  readonly uid: number
  /** Code of the API's refusal. */
  readonly api: string
  /** Of the system, for the socket and for the key of the group. */
  readonly socket: string
  readonly key: string
}

const [directory = '', database = '', socketPath = ''] = process.argv.slice(2)

const report: StrangerReport = {
  uid: process.getuid?.() ?? -1,
  api: await codeOf(
    BlazeDBClient.connectToShared({
      appGroup: { id: 'street', directory },
      database,
      mode: 'readOnly',
      timeoutMs: 5_000,
    }),
  ),
  socket: await codeOf(
    new Promise((resolve, reject) => {
      connect(socketPath).once('connect', resolve).once('error', reject)
    }),
  ),
  key: await codeOf(Promise.resolve().then(() => readFileSync(`${directory}/key`))),
}
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
    return 'let in'
  } catch (error) {
    if (error instanceof BlazeError) return error.code
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

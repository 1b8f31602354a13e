/** A device that writes as fast as it can, for the spec of floods. Prints `flooding` once it is on its way. */
import { BlazeDBClient, RemoteNode } from '../../actors/index.ts'

const [, , at = '', code = ''] = process.argv
const text = 'x'.repeat(500)
const db = await BlazeDBClient.open({ name: 'flood', at, key: new Uint8Array(32).fill(8) })
const sync = await db.enableSync({ remote: RemoteNode.parse(code), database: 'flood' })
const records = db.collection('flood')
// A backlog of many parts first, so that the supervisor always has more to take.
await sync.pause()
for (let batch = 0; batch < 10; batch++)
  await records.insertMany(Array.from({ length: 1_000 }, () => ({ text })))
sync.resume()
process.stdout.write('flooding\n')
for (;;) await records.insertMany(Array.from({ length: 1_000 }, () => ({ text })))

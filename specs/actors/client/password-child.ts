/** Opens a database in a process of its own and changes its key until it is killed; prints a number for each change that was acknowledged. */
import { BlazeDBClient } from '../../../actors/client/index.ts'

const [at = '', first = ''] = process.argv.slice(2)
const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n % 251)
const db = await BlazeDBClient.open({ name: 'child', at, key: keyOf(Number(first)) })
const records = db.collection('records')
process.stdout.write(`${first}\n`)
for (let n = Number(first); ; n += 1) {
  const change = db.changePassword({ from: { key: keyOf(n) }, to: { key: keyOf(n + 1) } })
  await Promise.all([change, records.put('last', { n })])
  process.stdout.write(`${n + 1}\n`)
}

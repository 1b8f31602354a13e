/** Opens a database in a process of its own and writes until it is killed; prints a line for each acknowledged write. */
import { BlazeDBClient } from '../../../actors/client/index.ts'

const [at = '', mode = ''] = process.argv.slice(2)
const db = await BlazeDBClient.open({ name: 'child', at, password: 'pass', kdf: 'small' })
process.stdout.write('open\n')
if (mode === 'hold') {
  // Until the parent ends it.
  process.stdin.resume()
  process.stdin.on('end', () => void db.close())
} else {
  const records = db.collection('records')
  const writeOn = async (lane: number): Promise<void> => {
    for (let n = 0; ; n += 1) {
      const id = `${mode}-${lane}-${n}`
      await records.insert({ id, n })
      await records.update(id, { n: n + 1 })
      if (n % 5 === 4) await records.delete(`${mode}-${lane}-${n - 1}`)
      process.stdout.write(`${lane} ${n}\n`)
    }
  }
  await Promise.all([0, 1, 2, 3].map(writeOn))
}

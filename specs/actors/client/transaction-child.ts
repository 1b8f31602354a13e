/** Opens a database in a process of its own and runs transactions until it is killed; prints a line for each acknowledged one. */
import { BlazeDBClient } from '../../../actors/client/index.ts'

const [at = '', life = ''] = process.argv.slice(2)
const db = await BlazeDBClient.open({ name: 'child', at, password: 'pass', kdf: 'small' })
const accounts = ['a', 'b', 'c', 'd']
await db.transaction(async (tx) => {
  for (const id of accounts) {
    if ((await tx.collection('accounts').get(id)) === undefined) {
      await tx.collection('accounts').insert({ id, balance: 1_000 })
    }
  }
})
process.stdout.write('open\n')

const writeOn = async (lane: number): Promise<void> => {
  for (let n = 0; ; n += 1) {
    await db.transaction(async (tx) => {
      const from = accounts[(lane + n) % 4] as string
      const to = accounts[(lane + n + 1 + (n % 3)) % 4] as string
      const money = tx.collection('accounts')
      await money.update(from, { balance: Number((await money.get(from))?.['balance']) - 7 })
      await money.update(to, { balance: Number((await money.get(to))?.['balance']) + 7 })
      for (let member = 0; member < 12; member += 1) {
        await tx.collection(`c${member % 3}`).insert({ id: `${life}-${lane}-${n}-${member}`, n })
      }
    })
    process.stdout.write(`${lane} ${n}\n`)
  }
}
// The lanes disturb each other; a large transaction goes on beside them.
const large = async (): Promise<void> => {
  for (let n = 0; ; n += 1) {
    await db.transaction(async (tx) => {
      await tx
        .collection('large')
        .insertMany(Array.from({ length: 300 }, (_, at) => ({ id: `${life}-${n}-${at}` })))
    })
    process.stdout.write(`large ${n}\n`)
  }
}
await Promise.all([writeOn(0), writeOn(1), writeOn(2), large()])

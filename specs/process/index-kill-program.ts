/** Writes under load to a database with indexes and merges them all the time, until it is killed; prints what it begins and what was acknowledged. */
import { BlazeDBClient } from '../../actors/client/index.ts'
import { partsOf } from '../../actors/client/client.ts'
import { say } from '../fixtures/say.ts'

const [at = '', life = '0', seedText = '1'] = process.argv.slice(2)
let seed = Number(seedText)
/** Small and enough: which record is written does not matter. */
const random = (below: number): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
  return seed % below
}
const db = await BlazeDBClient.open({ name: 'child', at, key: new Uint8Array(32).fill(9) })
const { database } = partsOf(db)
const records = db.collection('records')
for (const fields of [['n'], ['text', 'n']]) {
  const definition = { name: fields.join(), collection: 'records', fields, unique: false }
  await database.request<void>((reply) => ({ type: 'index.create', definition, reply }))
}
say('open')

/** A lane writes its own records only, so the last line of a record says what it holds. */
async function writeOn(lane: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const ids = Array.from({ length: 1 + random(40) }, () => `${lane}-${random(2_000)}`)
    const value = Number(life) * 1_000_000 + n
    await Promise.all(
      [...new Set(ids)].map(async (id) => {
        const deletes = random(10) === 0
        say(`${id} ?`)
        if (deletes) await records.delete(id)
        else await records.put(id, { n: value, text: `t${random(50)}` })
        say(`${id} ${deletes ? 'gone' : value}`)
      }),
    )
  }
}

async function mergeOn(): Promise<void> {
  for (;;) {
    await database.request<void>((reply) => ({ type: 'database.flush', reply }))
    await new Promise((resolve) => setTimeout(resolve, random(40)))
  }
}

await Promise.all([writeOn(0), writeOn(1), writeOn(2), mergeOn()])

/** Queries over the real indexes of a database on disk give what a look at every record gives. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compileQuery, queryOf, valueAt } from '../../../../actors/database/query.ts'
import type { Query } from '../../../../actors/database/query.ts'
import type { Filter } from '../../../../actors/database/filter.ts'
import type { Doc } from '../../../../actors/database/index.ts'
import type { RecordState } from '../../../../actors/database/record/record.ts'
import { compareValues } from '../../../../actors/database/record/value-order.ts'
import { createChance } from '../../../../runtime/index.ts'
import type { Value } from '../../../../runtime/index.ts'
import { createIndex, flushIndexes } from './index-world.ts'
import { createOneDatabase } from '../one-database.ts'
import type { OneDatabase } from '../one-database.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
process.stdout.write(`seed ${seed}\n`)

const VALUES: readonly (Value | undefined)[] = [
  undefined,
  null,
  false,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  2n ** 60n,
  '',
  'a',
  'ab',
  'b\u0000c',
  'é',
  '\u{1f600}',
  'x'.repeat(400),
  `${'x'.repeat(400)}y`,
  new Uint8Array([1, 2]),
  new Date(5),
  [1, 'a'],
  { k: 1 },
]

function all(one: OneDatabase, query: Query): Promise<Doc[]> {
  return one.settle(one.database.request<Doc[]>((reply) => ({ type: 'query.all', query, reply })))
}

function stateOf(doc: Doc): RecordState {
  const stamp = { ms: 0, counter: 0, writer: new Uint8Array(8) }
  const fields = new Map(
    Object.entries(doc)
      .filter(([name]) => name !== 'id')
      .map(([name, value]) => [name, { value, stamp }] as const),
  )
  return { collection: 'c', id: doc.id, home: null, life: 1, deleted: undefined, fields }
}

/** Every record, filtered and sorted in the plainest way. */
function expected(docs: readonly Doc[], query: Query): Doc[] {
  const matches = compileQuery(query)
  const states = docs.map((doc) => ({ doc, state: stateOf(doc) })).filter(({ state }) => matches(state))
  const idDirection = query.order.at(-1)?.direction ?? 'asc'
  states.sort((a, b) => {
    for (const { field, direction } of query.order) {
      const [x, y] = [valueAt(a.state, field.split('.')), valueAt(b.state, field.split('.'))]
      const order =
        x === undefined || y === undefined
          ? Number(x !== undefined) - Number(y !== undefined)
          : compareValues(x, y)
      if (order !== 0) return direction === 'asc' ? order : -order
    }
    const order = compareValues(a.doc.id, b.doc.id)
    return idDirection === 'asc' ? order : -order
  })
  return states
    .slice(query.offset, query.limit === undefined ? undefined : query.offset + query.limit)
    .map(({ doc }) => doc)
}

test('queries by index give what a look at every record gives, through merges, power cuts and reopenings', async () => {
  for (let run = 0; run < 8; run += 1) {
    const chance = createChance(seed + run)
    const random = (below: number): number => Math.floor(chance() * below)
    const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T
    const one = await createOneDatabase(seed + run)
    for (const fields of [['a'], ['a', 'b'], ['m.k']]) {
      if (chance() < 0.3) continue
      await createIndex(one, fields)
    }
    const values =
      run % 2 === 0 ? VALUES : VALUES.filter((value) => typeof value !== 'string' || value.length < 100)
    const filterOf = (depth: number): Filter => {
      const dice = random(depth > 2 ? 6 : 9)
      if (dice === 6) return { and: [filterOf(depth + 1), filterOf(depth + 1)] }
      if (dice === 7) return { or: [filterOf(depth + 1), filterOf(depth + 1)] }
      if (dice === 8) return { not: filterOf(depth + 1) }
      const field = pick(['a', 'b', 'm.k', 'id'])
      const value = pick(values.filter((one) => one !== undefined)) as Value
      const op = pick(['=', '!=', '<', '<=', '>', '>=', 'in', 'prefix', 'contains'] as const)
      if (op === 'in') return { field, op, value: [value, pick([null, 1, 'a'])] }
      if (op === 'prefix') return { field, op, value: pick(['', 'a', 'x'.repeat(300)]) }
      return { field, op, value }
    }
    for (let step = 0; step < 120; step += 1) {
      const dice = random(20)
      const id = pick(['r', 'é', '\u{1f600}', '']) + String(random(30))
      if (dice < 9) {
        const [a, b, k] = [pick(values), pick(values), pick(values)]
        const doc = { id, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }
        await one.settle(one.write('put', 'c', k === undefined ? doc : { ...doc, m: { k } }))
      } else if (dice < 11) await one.settle(one.delete('c', id))
      else if (dice === 11) await flushIndexes(one)
      else if (dice === 12) {
        one.powerCut()
        await one.boot()
      } else {
        const query = queryOf('c', {
          filter: chance() < 0.85 ? filterOf(0) : undefined,
          order: Array.from({ length: random(3) }, () => ({
            field: pick(['a', 'b', 'm.k', 'id']),
            direction: pick(['asc', 'desc'] as const),
          })).filter(({ field }, at, list) => list.findIndex((order) => order.field === field) === at),
          limit: chance() < 0.5 ? random(8) : undefined,
          offset: chance() < 0.3 ? random(5) : 0,
        })
        const found = await all(one, query)
        const everything = await all(one, queryOf('c'))
        const wanted = expected(everything, query)
        const ordered = query.order.length > 0 || query.offset > 0
        const text = `run ${run}, step ${step}: ${JSON.stringify(query, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v))}`
        if (ordered)
          assert.equal(
            found.map((doc) => doc.id),
            wanted.map((doc) => doc.id),
            text,
          )
        else if (query.limit === undefined) {
          assert.equal(found.map((doc) => doc.id).sort(), wanted.map((doc) => doc.id).sort(), text)
        } else {
          assert.is(found.length, wanted.length, text)
        }
        for (const doc of found)
          assert.equal(
            doc,
            everything.find((other) => other.id === doc.id),
            text,
          )
      }
    }
    await one.close()
  }
})

test.run()

/** Queries of a real database against a naive oracle, while records are written and indexes are merged into their pages. */
// time limit: 120 s
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { partsOf } from '../../../actors/client/index.ts'
import type { Doc, Explanation, RecordState } from '../../../actors/database/index.ts'
import { queryOf } from '../../../actors/database/index.ts'
import { orderOf } from '../../../actors/database/query.ts'
import type { Value } from '../../../runtime/index.ts'
import { fields, id, index, shape } from '../database/arbitrary-query.ts'
import { goneOf, recordOf } from '../database/memory-view.ts'
import { ids, oracle } from '../database/query-world.ts'
import { createClientWorld } from './simulated-client.ts'

type Step =
  | { readonly kind: 'put'; readonly id: string; readonly fields: Record<string, Value> }
  | { readonly kind: 'delete'; readonly id: string }
  | { readonly kind: 'index' | 'drop'; readonly fields: readonly string[] }
  | { readonly kind: 'flush' | 'reopen' }
  | { readonly kind: 'ask'; readonly shape: Parameters<typeof queryOf>[1] }

const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: kind('put'), id, fields }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('delete'), id }) },
  {
    weight: 2,
    arbitrary: fc.tuple(kind('index'), index).map(([name, one]) => ({ kind: name, fields: one.fields })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(kind('drop'), index).map(([name, one]) => ({ kind: name, fields: one.fields })),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('flush') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('reopen') }) },
  { weight: 8, arbitrary: fc.record({ kind: kind('ask'), shape }) },
)

test('a database answers as the oracle does, through writes, merges, new indexes and reopening', async () => {
  let alongIndex = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      const { open, settle } = createClientWorld()
      let db = await open()
      const states: RecordState[] = []
      const writes: Promise<unknown>[] = []
      const things = () => db.collection('c')
      for (const one of steps) {
        switch (one.kind) {
          case 'put':
            // Not awaited: a query sees what was called before it.
            writes.push(things().put(one.id, one.fields))
            states.push(recordOf(one.id, one.fields))
            break
          case 'delete':
            writes.push(things().delete(one.id))
            states.push(goneOf(one.id))
            break
          case 'index':
            await settle(things().createIndex([...one.fields]))
            break
          case 'drop':
            await settle(things().dropIndex(one.fields.join(',')))
            break
          case 'flush':
            await settle(partsOf(db).database.request((reply) => ({ type: 'database.flush', reply })))
            break
          case 'reopen':
            await settle(Promise.all(writes.splice(0)))
            await settle(db.close())
            db = await open()
            break
          case 'ask': {
            const { database } = partsOf(db)
            const query = queryOf('c', one.shape)
            const all = oracle(states, query)
            const { limit = Infinity, offset } = query
            const docs = await settle(
              database.request<Doc[]>((reply) => ({ type: 'query.all', query, reply })),
            )
            const expected = all.slice(offset, offset + limit)
            if (orderOf(query).length > 0) assert.equal(ids(docs), ids(expected))
            else assert.is(docs.length, expected.length)
            const explained = await settle(
              database.request<Explanation>((reply) => ({ type: 'query.explain', query, reply })),
            )
            if (explained.path === 'index') alongIndex += 1
          }
        }
      }
      await settle(Promise.all(writes))
      await settle(db.close())
    }),
    { numRuns: 100 },
  )
  assert.ok(alongIndex > 80, `${alongIndex} queries went along an index`)
})

test.run()

/** Counters, sets, maxima and minima through the API: written, read, queried, indexed, followed, shared, and after the next opening. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, counter, increment, max, min, remove, set } from '../../../actors/index.ts'
import type { StandardSchemaV1 } from '../../../actors/index.ts'
import type { Doc, LiveDelta } from '../../../actors/database/index.ts'
import { createOneDatabase } from '../database/one-database.ts'
import type { OneDatabase } from '../database/one-database.ts'
import { contents, neighbours } from './neighbours.ts'
import { createClientWorld } from './simulated-client.ts'

test('a merged field reads as a plain value everywhere, and goes on after the next opening', async () => {
  const { open, settle, simulation } = createClientWorld()
  const db = await open()
  const things = db.collection('things')
  await settle(things.createIndex('n'))
  const deltas: LiveDelta[] = []
  const live = things
    .query()
    .where('n', '>=', 3)
    .live((delta) => deltas.push(delta))

  await settle(things.insert({ id: 'x', n: counter(2), tags: set(['b', 'a']), top: max(5), low: min('m') }))
  await settle(things.update('x', { n: increment(), tags: add('c'), top: max(4), low: min('k') }))
  await settle(things.update('x', { n: increment(4), tags: remove('b', 'never') }))

  const expected = { id: 'x', n: 7, tags: ['a', 'c'], top: 5, low: 'k' }
  assert.equal(await settle(things.get('x')), expected)
  assert.equal(await settle(things.query().where('n', '=', 7).all()), [expected])
  assert.equal(await settle(things.query().where('tags', 'contains', 'c').select('n').all()), [
    { id: 'x', n: 7 },
  ])
  assert.is(await settle(things.query().sum('n')), 7)
  await simulation.pass(50)
  live.close()
  assert.equal(deltas.at(-1)?.changed, [expected])

  await settle(db.close())
  const again = (await open()).collection('things')
  assert.equal(await settle(again.get('x')), expected)
  await settle(again.update('x', { n: increment(-10), tags: add('a') }))
  assert.equal(await settle(again.query().where('n', '<', 0).all()), [{ ...expected, n: -3 }])
})

test('a whole document that was read can be put back, and its fields go on merging', async () => {
  const { open, settle, code } = createClientWorld()
  const things = (await open()).collection('things')
  await settle(things.insert({ id: 'x', n: counter(2), tags: set([1]), title: 'a' }))
  await settle(things.insert({ id: 'y', n: 2 }))

  await settle(things.put('x', { ...(await settle(things.get('x'))), title: 'b' } as Doc))
  await settle(things.update('x', { n: increment(), tags: add(2) }))

  assert.equal(await settle(things.get('x')), { id: 'x', n: 3, tags: [1, 2], title: 'b' })
  assert.is(await code(() => things.update('y', { n: increment() })), 'BAD_VALUE')
  assert.is(await code(() => things.update('y', { tags: [add(1)] as never })), 'BAD_VALUE')
  assert.equal(await settle(things.get('y')), { id: 'y', n: 2 })
})

test('operations of a transaction happen once, however often it is tried', async () => {
  const { open, settle } = createClientWorld()
  const db = await open()
  const things = db.collection('things')
  await settle(things.insert({ id: 'x', n: counter(), tags: set() }))

  const inside = await settle(
    Promise.all(
      [1, 2, 3, 4].map((by) =>
        db.transaction(async (tx) => {
          const mine = tx.collection('things')
          await mine.get('x')
          await mine.update('x', { n: increment(by), tags: add(by) })
          await mine.update('x', { n: increment(by) })
          return (await mine.get('x'))?.['n']
        }),
      ),
    ),
  )

  assert.equal(await settle(things.get('x')), { id: 'x', n: 20, tags: [1, 2, 3, 4] })
  assert.is(Math.max(...inside.map(Number)), 20)
})

test('a schema judges what an operation shows, and the field goes on merging', async () => {
  const { open, settle, code } = createClientWorld()
  const seen: unknown[] = []
  const schema: StandardSchemaV1<Record<string, unknown>> = {
    '~standard': {
      version: 1,
      vendor: 'spec',
      validate: (value) => {
        const { n } = value as { n: number }
        seen.push(structuredClone(value))
        return n > 9 ? { issues: [{ message: 'too many' }] } : { value: value as Record<string, unknown> }
      },
    },
  }
  const things = (await open()).collection('things', { schema })

  await settle(things.insert({ id: 'x', n: counter(2), tags: set(['a']) }))
  await settle(things.update('x', { n: increment(3), tags: add('b') }))
  assert.is(await code(() => things.update('x', { n: increment(5) })), 'SCHEMA_INVALID')
  await settle(things.update('x', { n: increment(1) }))

  assert.equal(await settle(things.get('x')), { id: 'x', n: 6, tags: ['a', 'b'] })
  assert.equal(seen.slice(0, 2), [
    { n: 2, tags: ['a'] },
    { n: 5, tags: ['a', 'b'] },
  ])
})

async function exchange(from: OneDatabase, to: OneDatabase): Promise<void> {
  const names = [{ collection: 'things', id: 'x' }]
  const records = await from.settle(
    from.database.request<never[]>((reply) => ({ type: 'mirror.read', names, reply }) as never),
  )
  await to.settle(to.database.request<number>((reply) => ({ type: 'mirror.import', records, reply })))
}

test('what two databases count and collect in copies of one record adds up in both', async () => {
  const [here, there] = [await createOneDatabase(1), await createOneDatabase(2)]
  await here.settle(here.write('insert', 'things', { id: 'x', n: counter(1), tags: set(['a', 'b']) }))
  await exchange(here, there)

  for (let round = 0; round < 3; round += 1) {
    await here.settle(
      here.write('update', 'things', { id: 'x', n: increment(2), tags: add(`here ${round}`) }),
    )
    await there.settle(there.write('update', 'things', { id: 'x', n: increment(3), tags: remove('a') }))
    await there.close()
    await there.boot()
    await exchange(here, there)
    await exchange(there, here)
    await exchange(here, there)
  }

  const expected = { id: 'x', n: 16, tags: ['b', 'here 0', 'here 1', 'here 2'] }
  assert.equal(await here.settle(here.get('things', 'x')), expected)
  assert.equal(await there.settle(there.get('things', 'x')), expected)
})

test('operations of guests are done by the host, and add up with its own', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { db, connect, settle, quiet, code } = near
  const [one, two] = [await connect('one', 'readWrite'), await connect('two', 'readWrite')]
  await settle(db.collection('bugs').insert({ id: 'a', n: counter(1), plain: 1 }))
  await quiet()

  await settle(
    Promise.all([
      one.collection('bugs').update('a', { n: increment(10), tags: add('one') }),
      two.collection('bugs').update('a', { n: increment(100), tags: add('two', 'again') }),
      db.collection('bugs').update('a', { n: increment(1000), tags: add('host'), top: max(3) }),
    ]),
  )
  await settle(one.collection('bugs').update('a', { tags: remove('again'), top: max(9) }))
  await quiet()

  for (const client of [one, two, db]) {
    assert.equal(await contents(near, client, 'bugs'), [
      { id: 'a', n: 1111, plain: 1, tags: ['host', 'one', 'two'], top: 9 },
    ])
  }
  assert.is(await code(() => one.collection('bugs').update('a', { plain: increment() })), 'BAD_VALUE')
})

test.run()

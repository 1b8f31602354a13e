/** Live queries: a consumer that applies the deltas always ends with what the query returns. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LiveResults } from '../../../actors/client/index.ts'
import type { LiveDelta } from '../../../actors/database/index.ts'
import { createClientWorld } from './simulated-client.ts'

async function opened(seed = 1) {
  const sim = createClientWorld(seed)
  const db = await sim.open()
  return { ...sim, db, bugs: db.collection('bugs') }
}

function sorted(known: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...known].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Strict: a delta that does not fit what was delivered before fails. */
function apply(known: Map<string, unknown>, { added, changed, removed }: LiveDelta): void {
  for (const doc of added) {
    assert.not(known.has(doc.id), `added twice: ${doc.id}`)
    known.set(doc.id, doc)
  }
  for (const doc of changed) {
    assert.ok(known.has(doc.id), `changed before it was added: ${doc.id}`)
    known.set(doc.id, doc)
  }
  for (const id of removed) assert.ok(known.delete(id), `removed before it was added: ${id}`)
}

test('first everything is added, then each commit tells what it changed', async () => {
  const { bugs, settle, simulation } = await opened()
  await settle(
    bugs.insertMany([
      { id: 'a', n: 1 },
      { id: 'b', n: 9 },
    ]),
  )
  const deltas: LiveDelta[] = []
  const live = bugs
    .query()
    .where('n', '<', 5)
    .live((delta) => deltas.push(delta))
  await simulation.pass(50)

  await settle(bugs.insert({ id: 'c', n: 2 }))
  await settle(bugs.update('a', { n: 3 }))
  await settle(bugs.update('b', { n: 4 }))
  await settle(bugs.update('c', { n: 7 }))
  await settle(bugs.delete('a'))
  await settle(bugs.insert({ id: 'd', n: 100 }))
  await simulation.pass(50)
  live.close()
  await settle(bugs.insert({ id: 'e', n: 1 }))
  await simulation.pass(50)

  assert.equal(deltas, [
    { added: [{ id: 'a', n: 1 }], changed: [], removed: [] },
    { added: [{ id: 'c', n: 2 }], changed: [], removed: [] },
    { added: [], changed: [{ id: 'a', n: 3 }], removed: [] },
    { added: [{ id: 'b', n: 4 }], changed: [], removed: [] },
    { added: [], changed: [], removed: ['c'] },
    { added: [], changed: [], removed: ['a'] },
  ])
  await settle(live.closed)
})

test('a consumer that iterates gets an empty first delta when nothing matches', async () => {
  const { bugs, settle } = await opened()
  const live = bugs.query().live()
  const iterator = live[Symbol.asyncIterator]()

  assert.equal((await settle(iterator.next())).value, { added: [], changed: [], removed: [] })
  const next = iterator.next()
  await settle(bugs.insert({ id: 'x' }))
  assert.equal((await settle(next)).value, { added: [{ id: 'x' }], changed: [], removed: [] })
  const last = iterator.next()
  live.close()
  assert.is((await settle(last)).done, true)
})

test('a slow consumer gets one change per record, not one per write', async () => {
  const { bugs, settle } = await opened()
  await settle(
    bugs.insertMany([
      { id: 'kept', n: 0 },
      { id: 'gone', n: 0 },
    ]),
  )
  const iterator = bugs.query().live()[Symbol.asyncIterator]()
  await settle(iterator.next())

  for (let n = 1; n <= 20; n += 1) await settle(bugs.update('kept', { n }))
  await settle(bugs.insert({ id: 'brief' }))
  await settle(bugs.delete('brief'))
  await settle(bugs.delete('gone'))
  await settle(bugs.put('gone', { n: 'back' }))

  assert.equal((await settle(iterator.next())).value, {
    added: [],
    changed: [
      { id: 'kept', n: 20 },
      { id: 'gone', n: 'back' },
    ],
    removed: [],
  })
})

test('deltas applied in order give what the query returns, at any speed of the consumer', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), id: fc.nat(8), n: fc.nat(9) }),
    fc.record({ do: fc.constant('delete' as const), id: fc.nat(8) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.nat(20) }),
    fc.record({ do: fc.constant('open' as const), restMs: fc.nat(40) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.nat(1000), async (steps, seed) => {
      const { db, bugs, settle, simulation, world } = await opened(seed + 1)
      const query = bugs.query().where('n', '>', 4)
      const consumers: {
        known: Map<string, unknown>
        taken: number
        live: LiveResults
        end: Promise<void>
      }[] = []
      const open = (restMs: number): void => {
        const consumer = {
          known: new Map<string, unknown>(),
          taken: 0,
          live: query.live(),
          end: Promise.resolve(),
        }
        consumer.end = (async () => {
          for await (const delta of consumer.live) {
            apply(consumer.known, delta)
            consumer.taken += 1
            await new Promise<void>((resolve) => world.env.after(restMs, resolve))
          }
        })()
        consumers.push(consumer)
      }
      open(0)
      const writes: Promise<unknown>[] = []
      for (const action of steps) {
        if (action.do === 'put') writes.push(bugs.put(`r${action.id}`, { n: action.n }))
        else if (action.do === 'delete') writes.push(bugs.delete(`r${action.id}`))
        else if (action.do === 'open') open(action.restMs)
        else await simulation.pass(action.ms)
      }
      await settle(Promise.all(writes))
      await simulation.pass(500)

      const expected = sorted(new Map((await settle(query.all())).map((doc) => [doc.id, doc])))
      for (const { known, taken, live, end } of consumers) {
        assert.equal(sorted(known), expected)
        assert.ok(taken >= 1)
        live.close()
        await settle(end)
      }
      await settle(db.close())
    }),
    { numRuns: 150 },
  )
})

test('closing the database ends live queries with the reason', async () => {
  const { db, bugs, settle, code, simulation } = await opened()
  const live = bugs.query().live(() => {})
  const thrower = bugs.query().live(() => {
    throw new RangeError('of the application')
  })
  await simulation.pass(20)

  await settle(db.close())

  assert.is(await code(() => live.closed), 'CLOSED')
  const thrown = await thrower.closed.catch((error: unknown) => error)
  assert.ok(thrown instanceof RangeError)
})

test.run()

/** Watching one record: its newest state, one at a time, until somebody ends it. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { WatchedRecord } from '../../../actors/client/index.ts'
import type { Doc } from '../../../actors/database/index.ts'
import { limits } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'

async function opened(seed = 1) {
  const sim = createClientWorld(seed)
  const db = await sim.open()
  return { ...sim, db, bugs: db.collection('bugs') }
}

test('first comes the record as it is, then what each commit made of it, and nothing of other records', async () => {
  const { db, bugs, settle, simulation } = await opened()
  await settle(bugs.insert({ id: 'a', n: 1 }))
  const seen: (Doc | undefined)[] = []
  const watched = bugs.watch('a', (doc) => seen.push(doc))
  await simulation.pass(20)

  await settle(bugs.update('a', { n: 2 }))
  await settle(bugs.insert({ id: 'b', n: 9 }))
  await settle(db.collection('people').insert({ id: 'a', n: 9 }))
  await settle(bugs.put('a', { m: 3 }))
  await settle(bugs.put('a', { m: 3 }))
  await settle(bugs.delete('a'))
  await settle(bugs.restore('a', { n: 4 }))
  await simulation.pass(20)
  watched.close()
  await settle(bugs.update('a', { n: 5 }))
  await simulation.pass(20)

  assert.equal(seen, [{ id: 'a', n: 1 }, { id: 'a', n: 2 }, { id: 'a', m: 3 }, undefined, { id: 'a', n: 4 }])
  await settle(watched.closed)
})

test('a callback that rejects ends the feed with its error, as one that throws does', async () => {
  const { bugs, settle } = await opened()
  const failing: () => unknown = () => Promise.reject(new Error('planted'))
  const watched = bugs.watch('a', failing)

  const ended = await settle(watched.closed.catch((error: Error) => error.message))

  assert.is(ended, 'planted')
})

test('of a record that is not there undefined comes first, and its insert next', async () => {
  const { bugs, settle } = await opened()
  const iterator = bugs.watch('a')[Symbol.asyncIterator]()

  assert.equal(await settle(iterator.next()), { value: undefined, done: false })
  const next = iterator.next()
  await settle(bugs.insert({ id: 'a', n: 1 }))
  assert.equal(await settle(next), { value: { id: 'a', n: 1 }, done: false })
})

test('a watch sees the writes that were called before it, and hands out copies', async () => {
  const { bugs, settle } = await opened()
  const write = bugs.insert({ id: 'a', list: [1] })
  const iterator = bugs.watch('a')[Symbol.asyncIterator]()

  const first = (await settle(iterator.next())).value
  assert.equal(first, { id: 'a', list: [1] })
  if (Array.isArray(first?.['list'])) first['list'].push(2)

  await settle(write)
  assert.equal(await settle(bugs.get('a')), { id: 'a', list: [1] })
})

test('a slow consumer gets the newest state next, and not what came and went meanwhile', async () => {
  const { bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'a', n: 0 }))
  const iterator = bugs.watch('a')[Symbol.asyncIterator]()
  const missing = bugs.watch('never')[Symbol.asyncIterator]()
  await settle(Promise.all([iterator.next(), missing.next()]))

  for (let n = 1; n <= 20; n += 1) await settle(bugs.update('a', { n }))
  await settle(bugs.delete('a'))
  await settle(bugs.insert({ id: 'a', n: 'back' }))
  await settle(bugs.insert({ id: 'never' }))
  await settle(bugs.delete('never'))

  assert.equal((await settle(iterator.next())).value, { id: 'a', n: 'back' })
  const [next, nothing] = [iterator.next(), missing.next()]
  await settle(bugs.update('a', { n: 'later' }))
  assert.equal((await settle(next)).value, { id: 'a', n: 'later' })
  await settle(bugs.insert({ id: 'never', n: 1 }))
  assert.equal((await settle(nothing)).value, { id: 'never', n: 1 })
})

test('at any speed the last state seen is what the record is, and no state is seen that it never had', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), n: fc.nat(9) }),
    fc.record({ do: fc.constant('delete' as const) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.nat(20) }),
    fc.record({ do: fc.constant('watch' as const), restMs: fc.nat(40) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50 }), fc.nat(1000), async (steps, seed) => {
      const { db, bugs, settle, simulation, world } = await opened(seed + 1)
      const watchers: { seen: (Doc | undefined)[]; watched: WatchedRecord; end: Promise<void> }[] = []
      const watch = (restMs: number): void => {
        const watcher = { seen: [] as (Doc | undefined)[], watched: bugs.watch('a'), end: Promise.resolve() }
        watcher.end = (async () => {
          for await (const doc of watcher.watched) {
            watcher.seen.push(doc)
            await new Promise<void>((resolve) => world.env.after(restMs, resolve))
          }
        })()
        watchers.push(watcher)
      }
      watch(0)
      const possible = new Set<unknown>([undefined])
      const writes: Promise<unknown>[] = []
      for (const action of steps) {
        if (action.do === 'put') {
          writes.push(bugs.put('a', { n: action.n }))
          possible.add(action.n)
        } else if (action.do === 'delete') writes.push(bugs.delete('a'))
        else if (action.do === 'watch') watch(action.restMs)
        else await simulation.pass(action.ms)
      }
      await settle(Promise.all(writes))
      await simulation.pass(500)

      const expected = await settle(bugs.get('a'))
      for (const { seen, watched, end } of watchers) {
        assert.ok(seen.length >= 1)
        assert.equal(seen.at(-1), expected)
        for (const doc of seen) assert.ok(possible.has(doc?.['n']))
        watched.close()
        await settle(end)
      }
      await settle(db.close())
    }),
    { numRuns: 120 },
  )
})

test('a watch ends when it is closed, with what its callback threw, or with why the database ended it', async () => {
  const { db, bugs, settle, code, simulation } = await opened()
  const iterated = bugs.watch('a')
  const iterator = iterated[Symbol.asyncIterator]()
  await settle(iterator.next())
  const waiting = iterator.next()
  iterated.close()
  iterated.close()
  assert.is((await settle(waiting)).done, true)
  await settle(iterated.closed)

  const thrower = bugs.watch('a', () => {
    throw new RangeError('of the application')
  })
  const watched = bugs.watch('a', () => {})
  const looped = (async () => {
    for await (const doc of bugs.watch('b')) assert.is(doc, undefined)
  })()
  looped.catch(() => {})
  await simulation.pass(20)
  assert.instance(await settle(thrower.closed.catch((error: unknown) => error)), RangeError)

  await settle(db.close())

  assert.is(await code(() => watched.closed), 'CLOSED')
  assert.is(await code(() => looped), 'CLOSED')
  assert.is(await code(() => bugs.watch('a').closed), 'CLOSED')
})

test('a bad id is a TypeError at once, a second consumer too, and watches count as live queries', async () => {
  const { bugs, settle, code } = await opened()
  for (const id of ['', 'x'.repeat(256), 5 as unknown as string])
    assert.throws(() => bugs.watch(id), TypeError)

  const watched = bugs.watch('a')
  await settle(watched[Symbol.asyncIterator]().next())
  assert.is(await code(() => watched[Symbol.asyncIterator]().next()), 'TypeError')

  for (let n = 1; n < limits.liveQueriesMax; n += 1) bugs.watch(`r${n}`)
  assert.is(await code(() => bugs.watch('one too many').closed), 'OVERLOADED')
  watched.close()
  assert.is(await code(() => bugs.watch('again')[Symbol.asyncIterator]().next()), 'ok')
})

test.run()

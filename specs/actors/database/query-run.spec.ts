/** Queries along every kind of path against a naive oracle: filter and sort in plain JavaScript. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryOf, RecordQueries } from '../../../actors/database/index.ts'
import type { Filter, Query } from '../../../actors/database/index.ts'
import { decodeCursor } from '../../../actors/database/query/cursor.ts'
import { orderOf } from '../../../actors/database/query.ts'
import { BlazeError, createSimulation, limits } from '../../../runtime/index.ts'
import { index, record, shape } from './arbitrary-query.ts'
import { indexOn, MemoryView, recordOf } from './memory-view.ts'
import { createQueryWorld, ids, oracle } from './query-world.ts'

const world = fc.record({
  records: fc.array(record, { maxLength: 60 }),
  indexes: fc.uniqueArray(index, { maxLength: 3, selector: ({ name }) => name }),
  slow: fc.boolean(),
})
test('every query returns what the oracle returns, whatever indexes there are', async () => {
  await fc.assert(
    fc.asyncProperty(world, shape, async (given, change) => {
      const { queries, settle } = createQueryWorld(given)
      const query = queryOf('c', change)
      const all = oracle(given.records, query)
      const { limit = Infinity, offset } = query
      const expected = all.slice(offset, offset + limit)

      const docs = await settle(queries.all(query))

      if (orderOf(query).length > 0) assert.equal(ids(docs), ids(expected))
      else {
        assert.is(docs.length, expected.length)
        const known = new Set(ids(all))
        assert.is(new Set(ids(docs)).size, docs.length)
        for (const doc of docs) assert.ok(known.has(doc.id))
      }
      assert.is(await settle(queries.count(query)), expected.length)
      const explained = await settle(queries.explain(query))
      assert.is(explained.returned, expected.length)
      assert.ok(explained.examined >= explained.returned)
    }),
    { numRuns: 1_500 },
  )
})

test('pages lead through all matches, each once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(world, shape, fc.integer({ min: 1, max: 7 }), async (given, change, limit) => {
      const { queries, settle } = createQueryWorld(given)
      const base = queryOf('c', { ...change, offset: 0, limit })
      const query =
        base.order.length === 0 ? { ...base, order: [{ field: 'id', direction: 'asc' } as const] } : base
      const expected = ids(oracle(given.records, query))
      const found: string[] = []
      let after: Query['after']
      for (;;) {
        const { docs, cursor } = await settle(queries.page({ ...query, after }))
        found.push(...ids(docs))
        if (cursor === undefined) break
        assert.is(docs.length, limit)
        after = decodeCursor(cursor).place
        assert.is(
          await settle(queries.count({ ...query, limit: undefined, after })),
          expected.length - found.length,
        )
      }
      assert.equal(found, expected)
    }),
    { numRuns: 700 },
  )
})

test('along an index, rows are those of the last moment, whatever changed during the walk', async () => {
  const change = fc.tuple(fc.integer({ min: 1, max: 6 }), record)
  const many = fc.record({
    records: fc.array(record, { minLength: 30, maxLength: 80 }),
    indexes: fc.uniqueArray(index, { minLength: 1, maxLength: 3, selector: ({ name }) => name }),
    slow: fc.boolean(),
  })
  let alongIndex = 0
  await fc.assert(
    fc.asyncProperty(
      many,
      shape,
      fc.array(change, { minLength: 1, maxLength: 6 }),
      async (given, wanted, changes) => {
        const { view, queries, settle } = createQueryWorld(given)
        const states = [...given.records]
        let step = 0
        view.onStep = () => {
          step += 1
          for (const [when, state] of changes) {
            if (when !== step) continue
            view.set(state)
            states.push(state)
            const shown = state.deleted === undefined ? state : undefined
            queries.changed([{ collection: 'c', id: state.id, state: shown }])
          }
        }
        const query = queryOf('c', wanted)
        const { limit = Infinity, offset } = query

        const docs = await settle(queries.all(query))
        const path = view.walked.at(-1)?.kind

        // Each record is met once at most along the other paths too.
        assert.is(new Set(ids(docs)).size, docs.length)
        if (path !== 'index') return
        alongIndex += 1
        const all = oracle(states, query)
        if (orderOf(query).length > 0) assert.equal(ids(docs), ids(all.slice(offset, offset + limit)))
        else assert.is(docs.length, all.slice(offset, offset + limit).length)
      },
    ),
    { numRuns: 1_500 },
  )
  assert.ok(alongIndex > 200, `${alongIndex} of the runs walked along an index to the end`)
})

test('a count and an aggregate along an index meet no record twice when it moves', async () => {
  const records = Array.from({ length: 200 }, (_, n) => recordOf(`r${n}`, { a: n }))
  const { view, queries, settle } = createQueryWorld({ records, indexes: [indexOn('a')], slow: true })
  const query = queryOf('c', { filter: { field: 'a', op: '>=', value: 0 } })
  view.onStep = () => {
    if (view.walked.length !== 1) return
    const state = recordOf('r0', { a: 1_000 })
    view.set(state)
    queries.changed([{ collection: 'c', id: 'r0', state }])
  }

  assert.is(await settle(queries.count(query)), 200)
  view.walked.length = 0
  view.set(recordOf('r0', { a: 0 }))
  const [row] = await settle(
    queries.aggregate(query, [], { n: { op: 'count', field: undefined }, s: { op: 'sum', field: 'a' } }),
  )

  assert.equal(row, { n: 200, s: (199 * 200) / 2 + 1_000 })
  assert.equal(
    view.walked.map(({ kind }) => kind),
    ['index', 'store'],
  )
})

test('rows that were left out come back when a change makes room for them', async () => {
  const records = Array.from({ length: 200 }, (_, n) => recordOf(`r${n}`, { a: 1, b: n }))
  const { view, queries, settle } = createQueryWorld({ records, indexes: [indexOn('a')], slow: true })
  let changed = false
  view.onStep = () => {
    // By now, the record is among the first three.
    if (changed || !view.looked.includes('r1')) return
    changed = true
    const state = recordOf('r1', { a: 2, b: 1 })
    view.set(state)
    queries.changed([{ collection: 'c', id: 'r1', state }])
  }
  const filter: Filter = { field: 'a', op: '=', value: 1 }

  const docs = await settle(
    queries.all(queryOf('c', { filter, order: [{ field: 'b', direction: 'asc' }], limit: 3 })),
  )

  assert.equal(ids(docs), ['r0', 'r2', 'r3'])
  assert.ok(changed)
})

test('65,536 records may change while rows along an index are looked for, one more is OVERLOADED; a count goes on without the index', async () => {
  const records = Array.from({ length: 600 }, (_, n) => recordOf(`r${n}`, { a: n }))
  const query = queryOf('c', { filter: { field: 'a', op: '>=', value: 0 } })
  for (const extra of [0, 1]) {
    const { view, queries, settle } = createQueryWorld({ records, indexes: [indexOn('a')], slow: true })
    let done = false
    view.onStep = () => {
      if (done) return
      done = true
      const changes = Array.from({ length: limits.queryChangedMax + extra }, (_, n) => ({
        collection: 'c',
        id: `other ${n}`,
        state: undefined,
      }))
      queries.changed(changes)
    }

    const code = await settle(
      queries.all(query).then(
        ({ length }) => `${length}`,
        (error: BlazeError) => error.code,
      ),
    )
    assert.is(code, extra === 0 ? '600' : 'OVERLOADED')
    done = false
    assert.is(await settle(queries.count(query)), 600)
    assert.is(view.walked.at(-1)?.kind, 'store')
  }
})

test('what is sorted in memory is bounded, and the error says what helps', async () => {
  const view = new MemoryView()
  const huge = limits.querySortedMax + 1
  view.walk = () => {
    let at = 0
    return {
      next: (limit) =>
        Array.from({ length: Math.min(limit, huge - at) }, () => recordOf(`r${at++}`, { a: at % 7 })),
      close: () => undefined,
    }
  }
  const simulation = createSimulation(1)
  const many = new RecordQueries({ env: simulation.env('app'), view, settled: () => undefined })
  const order = [{ field: 'a', direction: 'asc' } as const]
  const outcome = many.all(queryOf('c', { order })).catch((error: unknown) => error)
  const first = many.all(queryOf('c', { order, limit: 2 }))
  let error: unknown
  void outcome.then((thrown) => {
    error = thrown
  })
  for (let turn = 0; error === undefined && turn < 1_000; turn += 1) await simulation.pass(1)

  assert.ok(
    error instanceof BlazeError && error.code === 'TOO_LARGE' && error.message.includes('create an index'),
  )
  assert.is((await first).length, 2)
})

test.run()

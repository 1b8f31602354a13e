/** Live queries with an order, an offset, a limit and a selection: whoever applies the deltas has what the query returns. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compileFilter } from '../../../actors/database/filter.ts'
import { queryOf } from '../../../actors/database/index.ts'
import type { Doc, LiveDelta, Query, RecordState } from '../../../actors/database/index.ts'
import { orderOf, RecordOrder } from '../../../actors/database/query.ts'
import { OrderedList } from '../../../actors/database/query/ordered-list.ts'
import { LiveQuery } from '../../../actors/database/view/live-query.ts'
import { goneOf, recordOf } from './memory-view.ts'

const byN: Query['order'] = [{ field: 'n', direction: 'asc' }]
const positive: Query['filter'] = { field: 'n', op: '>=', value: 0 }

/** A live query over records in memory, and a consumer that keeps a list. */
class Consumer {
  readonly states = new Map<string, RecordState>()
  readonly live: LiveQuery
  readonly query: Query
  list: Doc[] = []
  told = 0

  constructor(query: Query) {
    this.query = query
    const sink = { ready: () => void (this.told += 1), ended: () => undefined }
    this.live = new LiveQuery(query, (id) => this.states.get(id), sink)
  }

  change(state: RecordState): void {
    this.states.set(state.id, state)
    this.live.note({ collection: 'c', id: state.id, state })
    this.live.flush()
  }

  load(): void {
    for (const state of this.states.values())
      if (state.deleted === undefined && this.#matches(state)) this.live.offer(state)
    this.live.loaded()
  }

  take(): LiveDelta | undefined {
    const delta = this.live.take()
    if (delta !== undefined) this.#apply(delta)
    return delta
  }

  /** Strict: a delta that does not fit what was delivered before fails. */
  #apply({ added, changed, removed, positions }: LiveDelta): void {
    const known = new Set(this.list.map(({ id }) => id))
    for (const { id } of added) assert.not(known.has(id), `added twice: ${id}`)
    for (const { id } of changed) assert.ok(known.has(id), `changed before it was added: ${id}`)
    for (const id of removed) assert.ok(known.has(id), `removed before it was added: ${id}`)
    const docs = new Map([...added, ...changed].map((doc) => [doc.id, doc]))
    const gone = new Set([...removed, ...docs.keys()])
    this.list = this.list.filter(({ id }) => !gone.has(id))
    if (positions === undefined) this.list.push(...docs.values())
    else {
      assert.is(positions.length, docs.size)
      for (const { id, at } of positions) this.list.splice(at, 0, docs.get(id) as Doc)
    }
  }

  expected(): string[] {
    const { limit = Infinity, offset, after } = this.query
    const order = orderOf(
      limit === Infinity ? this.query : { ...this.query, after: after ?? { values: [], id: '' } },
    )
    const found = [...this.states.values()].filter(
      (state) => state.deleted === undefined && this.#matches(state),
    )
    if (order.length === 0) return found.map(({ id }) => id).sort()
    const places = new RecordOrder(order)
    return found
      .map((state) => places.placeOf(state))
      .filter((place) => after === undefined || places.compare(place, after) > 0)
      .sort((a, b) => places.compare(a, b))
      .slice(offset, offset + limit)
      .map(({ id }) => id)
  }

  ids(): string[] {
    const ids = this.list.map(({ id }) => id)
    return orderOf(this.query).length === 0 && this.query.limit === undefined ? ids.sort() : ids
  }

  #matches(state: RecordState): boolean {
    return this.query.filter === undefined || compileFilter(this.query.filter)(state)
  }
}

const state: fc.Arbitrary<RecordState> = fc
  .tuple(fc.integer({ min: 0, max: 14 }), fc.integer({ min: -2, max: 6 }), fc.integer({ min: 0, max: 6 }))
  .map(([id, n, dead]) => (dead === 0 ? goneOf(`r${id}`) : recordOf(`r${id}`, { n, m: dead })))
const query: fc.Arbitrary<Query> = fc
  .record({
    filter: fc.constantFrom(undefined, positive),
    order: fc.constantFrom<Query['order']>([], byN, [
      { field: 'm', direction: 'desc' },
      { field: 'n', direction: 'asc' },
    ]),
    limit: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    offset: fc.constantFrom(0, 0, 1, 3),
    after: fc.constantFrom(undefined, undefined, 'r3'),
  })
  .map(({ after, ...change }) => {
    const shape = queryOf('c', change)
    const fields = Math.max(0, orderOf({ ...shape, after: { values: [], id: '' } }).length - 1)
    const values = Array.from({ length: fields }, () => 3)
    return after === undefined ? shape : { ...shape, after: { values, id: after } }
  })

test('a consumer that applies the deltas has the result in its order, however slow it is', () => {
  fc.assert(
    fc.property(
      query,
      fc.array(state, { maxLength: 12 }),
      fc.array(state, { maxLength: 4 }),
      fc.array(fc.tuple(state, fc.boolean()), { maxLength: 60 }),
      (shape, before, during, after) => {
        const consumer = new Consumer(shape)
        for (const one of before) consumer.states.set(one.id, one)
        for (const one of during) consumer.change(one)
        assert.is(consumer.take(), undefined)
        consumer.load()
        for (const [one, takes] of after) {
          consumer.change(one)
          if (!takes) continue
          consumer.take()
          assert.equal(consumer.ids(), consumer.expected())
          for (const doc of consumer.list)
            assert.equal(doc['n'], consumer.states.get(doc.id)?.fields.get('n')?.value)
        }
        consumer.take()
        assert.equal(consumer.ids(), consumer.expected())
        assert.is(consumer.take(), undefined)
      },
    ),
    { numRuns: 4_000 },
  )
})

test('what changed meanwhile is not put back by the first pass', () => {
  const consumer = new Consumer(queryOf('c', { filter: positive }))
  const old = recordOf('a', { n: 1 })

  consumer.change(recordOf('a', { n: -1 }))
  consumer.live.offer(old)
  consumer.live.loaded()

  assert.equal(consumer.take(), { added: [], changed: [], removed: [] })
})

test('with a limit, what is pushed out is removed and what moves up is added', () => {
  const consumer = new Consumer(queryOf('c', { order: byN, limit: 2 }))
  for (const n of [1, 2, 3]) consumer.states.set(`r${n}`, recordOf(`r${n}`, { n }))
  consumer.load()
  consumer.take()

  consumer.change(recordOf('r0', { n: 0 }))
  assert.equal(consumer.take(), {
    added: [{ id: 'r0', n: 0 }],
    changed: [],
    removed: ['r2'],
    positions: [{ id: 'r0', at: 0 }],
  })
  consumer.change(recordOf('r1', { n: 9 }))
  assert.equal(consumer.take(), {
    added: [{ id: 'r2', n: 2 }],
    changed: [],
    removed: ['r1'],
    positions: [{ id: 'r2', at: 1 }],
  })
  consumer.change(recordOf('r3', { n: 4 }))
  assert.is(consumer.take(), undefined)
  const before = consumer.told
  consumer.change(recordOf('r3', { n: 1 }))
  consumer.change(recordOf('r3', { n: 8 }))
  assert.is(consumer.take(), undefined)
  assert.is(consumer.told, before + 1)
})

test('a selection is what is told', () => {
  const consumer = new Consumer(queryOf('c', { select: ['m', 'deep.x'] }))
  consumer.load()
  consumer.take()

  consumer.change(recordOf('a', { n: 1, m: 2, deep: { x: 1, y: 2 } }))

  assert.equal(consumer.take()?.added, [{ id: 'a', m: 2, deep: { x: 1 } }])
})

test('one write among 100,000 ordered matches costs far less than a millisecond', () => {
  const consumer = new Consumer(queryOf('c', { order: byN, filter: positive }))
  for (let n = 0; n < 100_000; n += 1)
    consumer.states.set(`r${n}`, recordOf(`r${n}`, { n: (n * 7919) % 100_000 }))
  consumer.load()
  consumer.live.take()
  const writes = 2_000
  const start = process.hrtime.bigint()

  for (let n = 0; n < writes; n += 1) {
    consumer.change(recordOf(`r${(n * 31) % 100_000}`, { n: (n * 104_729) % 100_000 }))
    assert.is(consumer.live.take()?.changed.length, 1)
  }

  const eachMs = Number(process.hrtime.bigint() - start) / 1e6 / writes
  assert.ok(eachMs < 1, `${eachMs} ms each`)
})

test('a list in blocks is the sorted list, by position and by item', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.boolean()), {
    minLength: 500,
    maxLength: 3_000,
  })
  fc.assert(
    fc.property(steps, (all) => {
      const list = new OrderedList<number>((a, b) => a - b)
      const model = new Set<number>()
      for (const [n, adds] of all) {
        const position = [...model].filter((one) => one < n).length
        if (adds) assert.is(list.add(n), model.has(n) ? -1 : position)
        else assert.is(list.delete(n), model.has(n) ? position : -1)
        if (adds) model.add(n)
        else model.delete(n)
      }
      const sorted = [...model].sort((a, b) => a - b)
      assert.equal([...list], sorted)
      assert.is(list.size, sorted.length)
      assert.is(list.last(), sorted.at(-1))
      for (const at of [-1, 0, 1, 511, 512, sorted.length - 1, sorted.length])
        assert.is(list.at(at), sorted[at])
      for (const n of [0, 7, 1_500, 3_000]) assert.is(list.positionOf(n), sorted.indexOf(n))
    }),
    { numRuns: 20 },
  )
})

test.run()

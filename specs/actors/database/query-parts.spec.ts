/** Parts of queries by themselves: cursors, projections, sums, pace, and what a query waits for. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryOf, RecordQueries } from '../../../actors/database/index.ts'
import { Aggregation, createAccumulator } from '../../../actors/database/query/aggregate.ts'
import { cursorProblem, decodeCursor, encodeCursor } from '../../../actors/database/query/cursor.ts'
import type { Cursor } from '../../../actors/database/query/cursor.ts'
import { compileProjection } from '../../../actors/database/query/projection.ts'
import { docOf } from '../../../actors/database/record/document.ts'
import { compareValues } from '../../../actors/database/record/value-order.ts'
import { createSimulation, equalValue, limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { arbitraryValue } from '../../runtime/codec/arbitrary-value.ts'
import { indexOn, MemoryView, recordOf } from './memory-view.ts'

const path = fc.constantFrom('a', 'b.c', '__proto__', 'é')
const cursor: fc.Arbitrary<Cursor> = fc
  .tuple(
    fc.uniqueArray(fc.tuple(path, fc.boolean()), { maxLength: 3, selector: ([name]) => name }),
    fc.array(fc.option(arbitraryValue, { nil: undefined }), { minLength: 3, maxLength: 3 }),
    fc.string(),
  )
  .map(([names, values, id]) => ({
    collection: 'c',
    order: [...names, ['id', false] as const].map(([field, desc]) => ({
      field,
      direction: desc ? ('desc' as const) : ('asc' as const),
    })),
    place: { values: values.slice(0, names.length), id },
  }))

test('a cursor comes back as it went, of any values, and serves its own order only', () => {
  fc.assert(
    fc.property(cursor, (given) => {
      const text = encodeCursor(given)
      const back = decodeCursor(text)

      assert.match(text, /^[A-Za-z0-9_-]+$/)
      assert.equal(
        [back.collection, back.order, back.place.id],
        [given.collection, given.order, given.place.id],
      )
      given.place.values.forEach((value, at) => {
        const other = back.place.values[at]
        assert.ok(value === undefined || other === undefined ? value === other : equalValue(value, other))
      })
      assert.is(cursorProblem(back, 'c', given.order), undefined)
      assert.ok(cursorProblem(back, 'd', given.order))
      assert.ok(cursorProblem(back, 'c', [{ field: 'other', direction: 'asc' }, ...given.order]))
    }),
    { numRuns: 1_000 },
  )
})

test('a text that is no cursor is a TypeError, whatever it is', () => {
  const good = encodeCursor({
    collection: 'c',
    order: [{ field: 'id', direction: 'asc' }],
    place: { values: [], id: 'x' },
  })
  const cut = fc.integer({ min: 0, max: good.length - 1 }).map((length) => good.slice(0, length))
  const long = fc.constant('A'.repeat(limits.queryCursorCharsMax + 1))
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), cut, long, fc.anything()), (text) => {
      assert.throws(
        () => decodeCursor(text),
        (error: unknown) => error instanceof TypeError,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('a projection is the record without what was not asked for', () => {
  const fields = { a: { b: { c: 1, d: 2 }, e: [1] }, list: [{ a: 1 }], top: 5, ['__proto__']: { x: 1 } }
  const state = recordOf('one', fields)
  const of = (...select: string[]): unknown => compileProjection(select)(state)

  assert.equal(compileProjection(undefined)(state), docOf(state))
  assert.equal(of('a.b.c', 'top'), { id: 'one', a: { b: { c: 1 } }, top: 5 })
  assert.equal(of('a.b.c', 'a.e'), { id: 'one', a: { b: { c: 1 }, e: [1] } })
  assert.equal(of('a.b.c', 'a'), { id: 'one', a: fields.a })
  assert.equal(of('a', 'a.b.c'), { id: 'one', a: fields.a })
  assert.equal(of('none', 'a.none', 'a.b.c.d', 'list.a', 'a.constructor', 'id'), { id: 'one' })
  const own = of('a') as { a: { e: number[] } }
  own.a.e.push(2)
  assert.equal((fields.a.e as number[]).length, 1)
})

test('sums of integers are exact in any order, and extremes are those of the order of values', () => {
  const integer = fc.oneof(
    fc.maxSafeInteger(),
    fc.constantFrom<number | bigint>(
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ),
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(integer, fc.constantFrom('text', null, true, undefined))), (values) => {
      const of = (op: 'sum' | 'avg' | 'count'): Value | undefined => {
        const accumulator = createAccumulator(op)
        for (const value of values) accumulator.take(value)
        return accumulator.result()
      }
      const numbers = values.filter((value) => typeof value === 'number' || typeof value === 'bigint')
      const sum = numbers.reduce<bigint>((all, value) => all + BigInt(value), 0n)

      assert.is(BigInt(of('sum') as number), sum)
      assert.is(of('avg'), numbers.length === 0 ? undefined : Number(sum) / numbers.length)
      assert.is(of('count'), values.filter((value) => value !== undefined).length)
    }),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(fc.array(arbitraryValue, { minLength: 1 }), (values) => {
      const sorted = [...values].sort(compareValues)
      for (const [op, expected] of [
        ['min', sorted[0]],
        ['max', sorted.at(-1)],
      ] as const) {
        const accumulator = createAccumulator(op)
        for (const value of values) accumulator.take(value)
        assert.is(compareValues(accumulator.result() as Value, expected as Value), 0)
      }
    }),
  )
})

test('an extreme is read off an index that begins with the field, and nothing else is looked at', async () => {
  const simulation = createSimulation(1)
  const view = new MemoryView([indexOn('n', 'm')])
  for (let n = 0; n < 50; n += 1) view.set(recordOf(`r${n}`, n < 5 ? { m: n } : { n, m: n % 3 }))
  const queries = new RecordQueries({ env: simulation.env('app'), view, settled: () => undefined })
  const of = async (op: 'min' | 'max', field: string): Promise<unknown> => {
    view.looked.length = 0
    const query = queryOf('c', { filter: { field: 'm', op: '>=', value: 0 } })
    const [row] = await queries.aggregate(query, [], { value: { op, field } })
    return [row, view.looked.length < 50]
  }

  assert.equal(await of('min', 'n'), [{ value: 5 }, true])
  assert.equal(await of('max', 'n'), [{ value: 49 }, true])
  assert.equal(await of('max', 'm'), [{ value: 4 }, false])
})

test('groups whose keys are too long to tell apart stay apart', () => {
  const long = 'x'.repeat(400)
  const aggregation = new Aggregation(['a'], { n: { op: 'count', field: undefined } })
  for (const a of [`${long}1`, `${long}2`, `${long}1`, 5, 5.5]) aggregation.take(recordOf('r', { a }))

  assert.equal(aggregation.rows(), [
    { a: 5, n: 1 },
    { a: 5.5, n: 1 },
    { a: `${long}1`, n: 2 },
    { a: `${long}2`, n: 1 },
  ])
})

test('a long query gives way again and again, and ends when the database does', async () => {
  const simulation = createSimulation(1)
  const view = new MemoryView()
  for (let n = 0; n < limits.scanSliceRecords * 8; n += 1) view.set(recordOf(`r${n}`, { n }))
  const queries = new RecordQueries({ env: simulation.env('app'), view, settled: () => undefined })
  let turns = 0
  const env = simulation.env('other')
  const turn = (): void => {
    turns += 1
    env.defer(turn)
  }
  let done = false
  const order = [{ field: 'n', direction: 'desc' } as const]
  const found = queries.all(queryOf('c', { order })).finally(() => {
    done = true
  })
  env.defer(turn)
  for (let ms = 0; !done && ms < 100; ms += 1) await simulation.pass(1)

  assert.is((await found)[0]?.['n'], limits.scanSliceRecords * 8 - 1)
  assert.ok(turns >= 14, `${turns} turns of others`)
})

test('a query waits until the indexes are usable', async () => {
  const simulation = createSimulation(1)
  const view = new MemoryView()
  const queries = new RecordQueries({ env: simulation.env('app'), view, settled: () => undefined })
  let usable: (() => void) | undefined
  view.waiting = new Promise((resolve) => {
    usable = resolve
  })
  const found = queries.all(queryOf('c'))
  await simulation.pass(5)

  view.set(recordOf('late', {}))
  usable?.()

  assert.equal(await found, [{ id: 'late' }])
})

test.run()

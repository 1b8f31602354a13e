/** Which path a query is answered along, and that every path has its answer right. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryOf } from '../../../actors/database/index.ts'
import type { Filter, Order, Query, RecordState } from '../../../actors/database/index.ts'
import { decodeCursor } from '../../../actors/database/query/cursor.ts'
import { planQuery } from '../../../actors/database/query/plan.ts'
import { indexOn, recordOf } from './memory-view.ts'
import { createQueryWorld, ids, oracle } from './query-world.ts'

const LONG = 'x'.repeat(300)

test('an index is used for equality, ranges, prefixes and order, and what is read is little', async () => {
  const records = Array.from({ length: 500 }, (_, n) =>
    recordOf(`r${String(n).padStart(3, '0')}`, { a: n % 10, b: n, name: `n${n % 50}` }),
  )
  const { queries, settle } = createQueryWorld({
    records,
    indexes: [indexOn('a', 'b'), indexOn('name')],
    slow: false,
  })
  const explained = (change: Partial<Query>) => settle(queries.explain(queryOf('c', change)))

  const both = await explained({
    filter: {
      and: [
        { field: 'a', op: '=', value: 3 },
        { field: 'b', op: '>', value: 400 },
      ],
    },
    order: [{ field: 'b', direction: 'desc' }],
    limit: 3,
  })
  assert.equal(both, {
    collection: 'c',
    path: 'index',
    index: 'a,b',
    range: 'a = 3 and b > 400, backwards',
    order: 'path',
    by: 'b desc, id desc',
    filter: undefined,
    examined: 3,
    returned: 3,
  })
  const prefix = await explained({
    filter: {
      and: [
        { field: 'name', op: 'prefix', value: 'n4' },
        { field: 'b', op: '!=', value: 4 },
      ],
    },
  })
  assert.equal(
    [prefix.index, prefix.range, prefix.filter, prefix.examined, prefix.returned],
    ['name', 'name prefix "n4"', 'b != 4', 110, 109],
  )
  const among = await explained({
    filter: { field: 'a', op: 'in', value: [7, 2, 7] },
    order: [{ field: 'a', direction: 'asc' }],
    limit: 60,
  })
  assert.equal([among.index, among.order, among.examined, among.returned], ['a,b', 'groups', 100, 60])
  const byId = await explained({ filter: { field: 'id', op: 'in', value: ['r007', 'r003', 'no'] } })
  assert.equal([byId.path, byId.range, byId.examined], ['ids', 'id in ["r007", "r003", "no"]', 2])
  const byStore = await explained({
    filter: {
      or: [
        { field: 'a', op: '=', value: 1 },
        { field: 'b', op: '=', value: 2 },
      ],
    },
  })
  assert.equal([byStore.path, byStore.filter, byStore.examined], ['store', 'a = 1 or b = 2', 500])
  const ordered = await explained({ order: [{ field: 'b', direction: 'asc' }], limit: 5 })
  assert.equal([ordered.path, ordered.order, ordered.examined], ['store', 'sort', 500])
  const top = await explained({ order: [{ field: 'name', direction: 'desc' }], limit: 5 })
  assert.equal([top.path, top.index, top.order, top.examined], ['index', 'name', 'path', 5])
})

/** Records and indexes for which the answer is known beforehand. */
async function answers(
  records: readonly RecordState[],
  indexes: readonly string[][],
  change: Partial<Query>,
): Promise<{ found: string[]; expected: string[]; kind: string | undefined }> {
  const given = { records, indexes: indexes.map((all) => indexOn(...all)), slow: false }
  const { view, queries, settle } = createQueryWorld(given)
  const query = queryOf('c', change)
  const docs = await settle(queries.all(query))
  const { limit = Infinity, offset } = query
  const expected = oracle(records, query).slice(offset, offset + limit)
  return { found: ids(docs), expected: ids(expected), kind: view.walked.at(-1)?.kind }
}

const byA = (way: 'asc' | 'desc'): Order => ({ field: 'a', direction: way })

test('ranges of an index are walked in the order of the query, also backwards', async () => {
  const records = Array.from({ length: 60 }, (_, n) => recordOf(`r${n}`, { a: n % 6, b: n }))
  const among: Filter = { field: 'a', op: 'in', value: [4, 1, 2] }
  for (const way of ['asc', 'desc'] as const) {
    const one = await answers(records, [['a']], { filter: among, order: [byA(way)], limit: 15 })
    assert.equal([one.found, one.kind], [one.expected, 'index'])
    const named: Filter = { field: 'id', op: 'in', value: ['r3', 'r11', 'r2', 'none'] }
    const two = await answers(records, [], { filter: named, order: [{ field: 'id', direction: way }] })
    assert.equal([two.found, two.kind], [two.expected, 'ids'])
    assert.is(two.found.length, 3)
  }
})

test('values that are cut to one key are met once, and put in order', async () => {
  const tail = (n: number): string => LONG + String.fromCharCode(99 - n)
  const records = Array.from({ length: 20 }, (_, n) => recordOf(`r${n}`, { a: tail(n) }))
  const among: Filter = { field: 'a', op: 'in', value: [tail(3), tail(5)] }

  const cut = await answers(records, [['a']], { filter: among })
  assert.equal([cut.found.sort(), cut.kind], [['r3', 'r5'], 'index'])
  const sorted = await answers(records, [['a']], { order: [byA('asc')], limit: 4 })
  assert.equal(sorted.found, ['r19', 'r18', 'r17', 'r16'])
  const above: Filter = { field: 'a', op: '>', value: tail(4) }
  const range = await answers(records, [['a']], { filter: above, order: [byA('asc')] })
  assert.equal([range.found, range.kind], [['r3', 'r2', 'r1', 'r0'], 'index'])
})

test('a cursor serves a query that was narrowed to another value', async () => {
  const records = Array.from({ length: 30 }, (_, n) => recordOf(`r${n}`, { a: n % 3, b: 30 - n }))
  const { queries, settle } = createQueryWorld({ records, indexes: [indexOn('a', 'b')], slow: false })
  const ordered = queryOf('c', { order: [byA('asc'), { field: 'b', direction: 'asc' }], limit: 8 })
  const { cursor } = await settle(queries.page(ordered))
  const { place } = decodeCursor(cursor)

  const narrow = (value: number): Query => ({
    ...ordered,
    limit: undefined,
    filter: { field: 'a', op: '=', value },
    after: place,
  })

  assert.is(await settle(queries.count(narrow(0))), 2)
  assert.is(await settle(queries.count(narrow(1))), 10)
  assert.is((await settle(queries.all(narrow(2)))).length, 10)
})

/** `path order`: the name of the index or the kind of path, and how many fields of the order it follows. */
function planned(change: Partial<Query>, indexes: readonly string[][]): string {
  const view = { indexes: () => indexes.map((all) => indexOn(...all)), hasCutKeys: () => false }
  const { kind, index, ordered, order, paths } = planQuery(queryOf('c', change), view)
  const reverse = paths.some((path) => 'reverse' in path && path.reverse) ? ' backwards' : ''
  return `${index?.name ?? kind} ${ordered}/${order.length}${reverse}`
}

const is = (field: string, value: number): Filter => ({ field, op: '=', value })
const above = (field: string, value: number): Filter => ({ field, op: '>', value })
const by = (...fields: string[]): Order[] =>
  fields.map((field) =>
    field.startsWith('-') ? { field: field.slice(1), direction: 'desc' } : { field, direction: 'asc' },
  )

test('the path that does most of the work is taken', () => {
  const both = { and: [is('a', 1), above('b', 2)] }
  const table: [Partial<Query>, string[][], string][] = [
    [{}, [['a']], 'store 0/0'],
    [{ filter: is('a', 1) }, [['b'], ['a']], 'a 0/0'],
    [{ filter: both }, [['a'], ['b'], ['a', 'b']], 'a,b 0/0'],
    [{ filter: both }, [['b', 'a']], 'b,a 0/0'],
    [{ filter: { or: [both, both] } }, [['a']], 'store 0/0'],
    [{ filter: { or: [is('a', 1), { field: 'a', op: 'in', value: [3, 2] }] } }, [['a']], 'a 0/0'],
    [{ filter: { or: [is('a', 1), is('b', 1)] } }, [['a'], ['b']], 'store 0/0'],
    [{ filter: { and: [{ or: [is('id', 1), is('id', 2)] }, is('a', 1)] } }, [['a']], 'ids 0/0'],
    [{ filter: { not: is('a', 1) } }, [['a']], 'store 0/0'],
    [{ filter: { field: 'a', op: '!=', value: 1 } }, [['a']], 'store 0/0'],
    [{ filter: { field: 'a', op: 'contains', value: 1 } }, [['a']], 'store 0/0'],
    [{ filter: { and: [is('id', 1), is('a', 1)] } }, [['a']], 'ids 0/0'],
    [{ filter: { field: 'id', op: 'prefix', value: 'r' } }, [], 'records 0/0'],
    [{ order: by('id') }, [], 'records 1/1'],
    [{ order: by('-id') }, [], 'records 1/1 backwards'],
    [{ offset: 3 }, [], 'records 1/1'],
    [{ order: by('a') }, [['a']], 'a 2/2'],
    [{ order: by('-a') }, [['a']], 'a 2/2 backwards'],
    [{ order: by('a', '-b') }, [['a', 'b']], 'a,b 1/3'],
    [{ order: by('a') }, [['a', 'b']], 'a,b 1/2'],
    [{ order: by('a', 'b') }, [['a']], 'a 1/3'],
    [{ order: by('b') }, [['a', 'b']], 'store 0/2'],
    [{ filter: is('a', 1), order: by('b') }, [['a', 'b']], 'a,b 2/2'],
    [{ filter: is('a', 1), order: by('-b', 'a') }, [['a', 'b']], 'a,b 2/3 backwards'],
    [{ filter: is('a', 1), order: by('a', '-b', '-id') }, [['a', 'b']], 'a,b 3/3 backwards'],
    [{ filter: is('b', 1), order: by('a') }, [['a', 'b']], 'a,b 2/2'],
    [{ filter: is('a', 1), order: by('b') }, [['a'], ['b']], 'a 0/2'],
    [{ filter: above('a', 1), order: by('b'), limit: 5 }, [['a'], ['b']], 'b 2/2'],
    [{ filter: above('a', 1), order: by('a') }, [['a'], ['b']], 'a 2/2'],
    [{ filter: { field: 'a', op: 'in', value: [1, 2] }, order: by('b') }, [['a', 'b']], 'a,b 0/2'],
    [{ filter: { field: 'a', op: 'in', value: [2] }, order: by('b') }, [['a', 'b']], 'a,b 2/2'],
  ]
  for (const [change, indexes, expected] of table) {
    assert.is(planned(change, indexes), expected, JSON.stringify([change, indexes]))
  }
})

test('an index with cut keys keeps no order', () => {
  const view = { indexes: () => [indexOn('a')], hasCutKeys: () => true }

  const byA = planQuery(queryOf('c', { order: by('a') }), view)
  const equal = planQuery(queryOf('c', { filter: is('a', 1), order: by('a') }), view)

  assert.equal([byA.kind, byA.ordered], ['store', 0])
  assert.equal([equal.kind, equal.ordered], ['index', 0])
})

test('too many values of `in` are no ranges', () => {
  const list = (length: number): Filter => ({
    field: 'a',
    op: 'in',
    value: Array.from({ length }, (_, n) => n),
  })
  const paths = (filter: Filter): number =>
    planQuery(queryOf('c', { filter }), { indexes: () => [indexOn('a')], hasCutKeys: () => false }).paths
      .length

  assert.is(paths(list(64)), 64)
  assert.is(planned({ filter: list(65) }, [['a']]), 'store 0/0')
  assert.is(planned({ filter: { and: [list(65), is('b', 1)] } }, [['b', 'a']]), 'b,a 0/0')
})

test.run()

/** Queries as applications write them, over a database with and without indexes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Collection } from '../../../actors/client/index.ts'
import type { Doc, LiveDelta } from '../../../actors/database/index.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'

const CITIES = [
  { id: 'ber', name: 'Berlin', country: 'DE', people: 3_700_000, at: { lat: 52.5, lon: 13.4 } },
  { id: 'bre', name: 'Bremen', country: 'DE', people: 570_000, at: { lat: 53.1, lon: 8.8 } },
  { id: 'bon', name: 'Bonn', country: 'DE', people: 330_000, at: { lat: 50.7, lon: 7.1 } },
  { id: 'ber-ch', name: 'Bern', country: 'CH', people: 134_000, at: { lat: 46.9, lon: 7.4 } },
  { id: 'gen', name: 'Genève', country: 'CH', people: 203_000 },
  { id: 'par', name: 'Paris', country: 'FR', people: 2_100_000, at: { lat: 48.9, lon: 2.4 } },
  { id: 'atl', name: 'Atlantis', people: 'unknown' },
]

async function opened(...indexes: string[][]) {
  const sim = createClientWorld()
  const db = await sim.open()
  const cities = db.collection('cities')
  await sim.settle(cities.insertMany(CITIES))
  for (const fields of indexes) await sim.settle(cities.createIndex(fields))
  return { ...sim, db, cities }
}

const ids = (docs: readonly Doc[]): string[] => docs.map(({ id }) => id)

const INDEXES: string[][][] = [[], [['country', 'people']], [['people'], ['name'], ['at.lat']]]

for (const indexes of INDEXES) {
  const how =
    indexes.length === 0 ? 'without indexes' : `with ${indexes.map((all) => all.join('+')).join(' and ')}`

  test(`filters, orders, offsets and selections answer the same ${how}`, async () => {
    const { cities, settle } = await opened(...indexes)
    const query = (): ReturnType<Collection['query']> => cities.query()

    assert.equal(ids(await settle(query().orderBy('people').all())), [
      'ber-ch',
      'gen',
      'bon',
      'bre',
      'par',
      'ber',
      'atl',
    ])
    assert.equal(ids(await settle(query().orderBy('country', 'desc').orderBy('name').all())), [
      'par',
      'ber',
      'bon',
      'bre',
      'ber-ch',
      'gen',
      'atl',
    ])
    assert.equal(ids(await settle(query().orderBy('at.lat').limit(3).offset(1).all())), [
      'gen',
      'ber-ch',
      'par',
    ])
    assert.equal(
      ids(await settle(query().where('country', '=', 'DE').orderBy('people', 'desc').limit(2).all())),
      ['ber', 'bre'],
    )
    assert.equal(ids(await settle(query().where('name', 'prefix', 'Be').orderBy('name').all())), [
      'ber',
      'ber-ch',
    ])
    const either = {
      or: [{ field: 'country', op: '=', value: 'FR' }, { not: { field: 'country', op: '>=', value: null } }],
    } as const
    assert.equal(ids(await settle(query().where(either).orderBy('id').all())), ['atl', 'par'])
    assert.equal(
      ids(await settle(query().where(either).where('people', '>', 5).orderBy('id', 'desc').all())),
      ['par', 'atl'],
    )
    assert.equal(
      await settle(
        query().where('country', 'in', ['CH', 'FR']).orderBy('people').select('name', 'at.lat').first(),
      ),
      {
        id: 'ber-ch',
        name: 'Bern',
        at: { lat: 46.9 },
      },
    )
    assert.is(await settle(query().where('country', '=', 'DE').offset(1).count()), 2)
    assert.is(await settle(query().limit(0).count()), 0)
    assert.equal(await settle(query().limit(0).all()), [])
  })

  test(`sums, averages, extremes and groups are exact ${how}`, async () => {
    const { cities, settle } = await opened(...indexes)

    assert.is(await settle(cities.query().sum('people')), 7_037_000)
    assert.is(await settle(cities.query().where('country', '=', 'DE').avg('people')), 4_600_000 / 3)
    assert.is(await settle(cities.query().min('people')), 134_000)
    assert.is(await settle(cities.query().max('people')), 'unknown')
    assert.is(await settle(cities.query().where('country', '=', 'CH').max('people')), 203_000)
    assert.is(await settle(cities.query().min('country')), 'CH')
    assert.is(await settle(cities.query().where('id', '=', 'none').max('people')), undefined)
    assert.is(await settle(cities.query().avg('name')), undefined)
    assert.is(await settle(cities.query().sum('name')), 0)
    const rows = await settle(
      cities
        .query()
        .groupBy('country')
        .aggregate({
          cities: { op: 'count' },
          placed: { op: 'count', field: 'at' },
          most: { op: 'max', field: 'people' },
          south: { op: 'min', field: 'at.lat' },
        }),
    )
    assert.equal(rows, [
      { cities: 1, placed: 0, most: 'unknown' },
      { country: 'CH', cities: 2, placed: 1, most: 203_000, south: 46.9 },
      { country: 'DE', cities: 3, placed: 3, most: 3_700_000, south: 50.7 },
      { country: 'FR', cities: 1, placed: 1, most: 2_100_000, south: 48.9 },
    ])
  })

  test(`pages go on where they ended, although records come and go ${how}`, async () => {
    const { cities, settle } = await opened(...indexes)
    const query = cities.query().where('people', '<', 'a').orderBy('people').limit(2)

    const one = await settle(query.page())
    assert.equal(ids(one.docs), ['ber-ch', 'gen'])
    await settle(cities.delete('gen'))
    await settle(cities.insert({ id: 'first', people: 1 }))
    await settle(cities.insert({ id: 'late', people: 400_000 }))
    const two = await settle(query.after(one.cursor ?? '').page())
    assert.equal(ids(two.docs), ['bon', 'late'])
    const three = await settle(
      query
        .after(two.cursor ?? '')
        .limit(3)
        .page(),
    )
    assert.equal([ids(three.docs), three.cursor], [['bre', 'par', 'ber'], undefined])
    assert.is(
      await settle(
        query
          .limit(9)
          .after(one.cursor ?? '')
          .count(),
      ),
      5,
    )
  })
}

test('without an order pages go by id, a hundred at a time', async () => {
  const { db, settle } = await opened()
  const many = db.collection('many')
  await settle(many.insertMany(Array.from({ length: 150 }, (_, n) => ({ id: `r${1_000 + n}` }))))

  const one = await settle(many.query().page())
  assert.equal([one.docs.length, one.docs[99]?.id], [limits.queryPageRecords, 'r1099'])
  const two = await settle(
    many
      .query()
      .after(one.cursor ?? '')
      .page(),
  )
  assert.equal([two.docs.length, two.docs[0]?.id, two.cursor], [50, 'r1100', undefined])
})

test('a cursor of another query, or none at all, is refused with a reason', async () => {
  const { db, cities, settle } = await opened()
  const { cursor } = await settle(cities.query().orderBy('name').limit(1).page())
  const problem = async (work: () => unknown): Promise<string> => {
    try {
      await settle(Promise.resolve(work()))
    } catch (error) {
      assert.ok(error instanceof TypeError, String(error))
      return error.message
    }
    return 'taken'
  }
  const text = cursor ?? ''

  assert.match(
    await problem(() => cities.query().after(text).all()),
    /in the order name asc, id asc, this query is in the order id asc/,
  )
  assert.match(
    await problem(() => cities.query().after(text).orderBy('name', 'desc').page()),
    /name desc, id desc/,
  )
  assert.match(
    await problem(() => db.collection('other').query().orderBy('name').after(text).all()),
    /collection cities/,
  )
  for (const bad of [
    '',
    'x',
    `${text}A`,
    text.slice(0, -2),
    `${text.slice(0, 9)}${text[9] === 'a' ? 'b' : 'a'}${text.slice(10)}`,
    5 as never,
  ]) {
    const said = await problem(() => cities.query().orderBy('name').after(bad).all())
    assert.match(said, /^cursor: /, `${String(bad)} ${said}`)
  }
  assert.is(await problem(() => cities.query().after(text).orderBy('name').all()), 'taken')
})

test('integers are summed exactly, beyond 2^53 as a bigint, and others as doubles', async () => {
  const { db, settle } = await opened()
  const numbers = db.collection('numbers')
  const values = [2n ** 62n, 2n ** 62n, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, -1, 'text', null]
  await settle(numbers.insertMany(values.map((n) => ({ n, kind: 'whole' }))))
  await settle(numbers.insertMany([0.1, 0.2, 1e16, 1, -1e16].map((n) => ({ n, kind: 'double' }))))
  await settle(numbers.insertMany([Number.NaN, 1].map((n) => ({ n, kind: 'none' }))))
  await settle(numbers.insertMany([Infinity, 1].map((n) => ({ n, kind: 'endless' }))))
  const of = (kind: string) => numbers.query().where('kind', '=', kind)

  assert.is(await settle(of('whole').sum('n')), 2n ** 63n + BigInt(Number.MAX_SAFE_INTEGER) * 2n - 1n)
  assert.is(await settle(of('double').sum('n')), 1.3)
  assert.ok(Number.isNaN(await settle(of('none').sum('n'))))
  assert.is(await settle(of('endless').avg('n')), Infinity)
  assert.is(await settle(of('whole').min('n')), null)
  assert.ok(Number.isNaN(await settle(of('none').min('n'))))
  const rows = await settle(
    numbers
      .query()
      .groupBy('kind')
      .aggregate({ n: { op: 'sum', field: 'n' } }),
  )
  assert.equal(
    rows.map(({ kind }) => kind),
    ['double', 'endless', 'none', 'whole'],
  )
})

test('groups are bounded', async () => {
  const { db, settle } = await opened()
  const many = db.collection('many')
  await settle(
    many.insertMany(Array.from({ length: limits.queryGroupsMax + 1 }, (_, n) => ({ n, even: n % 2 }))),
  )

  const error = await settle(
    many
      .query()
      .groupBy('n')
      .aggregate({ all: { op: 'count' } }),
  ).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof BlazeError && error.code === 'TOO_LARGE')
  assert.equal(
    await settle(
      many
        .query()
        .groupBy('even')
        .aggregate({ all: { op: 'count' } }),
    ),
    [
      { even: 0, all: limits.queryGroupsMax / 2 + 1 },
      { even: 1, all: limits.queryGroupsMax / 2 },
    ],
  )
})

test('indexes are made, listed, used and dropped', async () => {
  const { cities, settle, code } = await opened()

  assert.is(await settle(cities.createIndex('country', 'people')), 'country,people')
  assert.is(await settle(cities.createIndex(['country', 'people'])), 'country,people')
  assert.is(await settle(cities.createIndex('name', { name: 'names', unique: true })), 'names')
  const listed = await settle(cities.indexes())
  assert.equal(
    listed.map(({ name, fields, unique }) => [name, fields, unique]),
    [
      ['country,people', ['country', 'people'], false],
      ['names', ['name'], true],
    ],
  )
  const explained = await settle(
    cities.query().where('country', '=', 'DE').orderBy('people').limit(1).explain(),
  )
  assert.equal(
    [explained.path, explained.index, explained.order, explained.examined],
    ['index', 'country,people', 'path', 1],
  )
  assert.is(await code(() => cities.createIndex('people', { name: 'names' })), 'INDEX_EXISTS')
  assert.is(await settle(cities.dropIndex('names')), true)
  assert.is(await settle(cities.dropIndex('names')), false)
  assert.is((await settle(cities.indexes())).length, 1)
})

test('a live query with an order and a limit shows a window', async () => {
  const { cities, settle, simulation } = await opened(['people'])
  const deltas: LiveDelta[] = []
  const live = cities
    .query()
    .where('people', '<', 'a')
    .orderBy('people', 'desc')
    .limit(2)
    .select('name')
    .live((delta) => deltas.push(delta))
  await simulation.pass(50)

  await settle(cities.update('bon', { people: 9_000_000 }))
  await settle(cities.update('gen', { people: 204_000 }))
  await settle(cities.delete('ber'))
  await simulation.pass(50)
  live.close()

  const [bonn, berlin, paris] = [
    { id: 'bon', name: 'Bonn' },
    { id: 'ber', name: 'Berlin' },
    { id: 'par', name: 'Paris' },
  ]
  assert.equal(deltas, [
    {
      added: [berlin, paris],
      changed: [],
      removed: [],
      positions: [
        { id: 'ber', at: 0 },
        { id: 'par', at: 1 },
      ],
    },
    { added: [bonn], changed: [], removed: ['par'], positions: [{ id: 'bon', at: 0 }] },
    { added: [paris], changed: [], removed: ['ber'], positions: [{ id: 'par', at: 1 }] },
  ])
})

test('bad arguments are a TypeError at the call', async () => {
  const { cities, code } = await opened()
  const query = () => cities.query()
  const calls: (() => unknown)[] = [
    () => query().orderBy(''),
    () => query().orderBy('a', 'up' as never),
    () => query().orderBy('a').orderBy('a', 'desc'),
    () => query().offset(-1),
    () => query().offset(0.5),
    () => query().select(),
    () => query().select('a', 'a'),
    () => query().select('\ud800'),
    () => query().where({ and: [] }),
    () => query().where({ field: 'a', op: '=' } as never),
    () => query().where('a', undefined as never, 1),
    () => query().groupBy(),
    () => query().groupBy('a').aggregate({}),
    () =>
      query()
        .groupBy('a')
        .aggregate({ a: { op: 'count' } }),
    () =>
      query()
        .groupBy('a')
        .aggregate({ b: { op: 'median' as never } }),
    () =>
      query()
        .groupBy('a')
        .aggregate({ b: { op: 'sum' } }),
    () => query().limit(1).groupBy('a'),
    () => query().limit(1).sum('a'),
    () => query().offset(1).max('a'),
    () => query().sum(''),
    () => cities.createIndex([]),
    () => cities.createIndex('id'),
    () => cities.createIndex('a', 'a'),
    () => cities.createIndex('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'),
    () => cities.createIndex('a', { unique: 1 as never }),
    () => cities.createIndex('a', { name: '' }),
    () => cities.createIndex(5 as never),
    () => cities.dropIndex(5 as never),
  ]
  for (const call of calls) assert.is(await code(call), 'TypeError', String(call))
})

test('a query has a bounded number of conditions, however they are joined', async () => {
  const { cities } = await opened()
  const many = {
    or: Array.from(
      { length: limits.queryConditionsMax },
      (_, n) => ({ field: 'a', op: '=', value: n }) as const,
    ),
  }
  const full = cities.query().where(many)

  assert.throws(
    () => full.where('b', '=', 1),
    (error: unknown) => error instanceof BlazeError && error.code === 'TOO_LARGE',
  )
})

test.run()

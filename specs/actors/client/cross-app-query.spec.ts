/** Queries of a guest: everything a database answers, over the guest's own copy and without indexes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Doc, LiveDelta } from '../../../actors/database/index.ts'
import { neighbours } from './neighbours.ts'

const ids = (docs: readonly Doc[]): string[] => docs.map(({ id }) => id)

async function opened() {
  const near = await neighbours({ collections: ['bugs'] })
  const bugs = near.db.collection('bugs')
  await near.settle(
    bugs.insertMany(
      Array.from({ length: 300 }, (_, n) => ({ id: `b${1_000 + n}`, n: (n * 7) % 300, kind: n % 3 })),
    ),
  )
  await near.settle(bugs.createIndex('n'))
  const guest = await near.connect('board')
  return { ...near, bugs, copy: guest.collection('bugs') }
}

test('orders, pages, selections, aggregates and groups answer as at the host', async () => {
  const { bugs, copy, settle } = await opened()
  for (const one of [bugs, copy]) {
    const query = () => one.query()
    const first = await settle(query().where('kind', '=', 1).orderBy('n', 'desc').limit(4).page())
    assert.equal(ids(first.docs), ['b1214', 'b1085', 'b1256', 'b1127'])
    const next = await settle(
      query()
        .where('kind', '=', 1)
        .orderBy('n', 'desc')
        .after(first.cursor ?? '')
        .limit(1)
        .select('n')
        .all(),
    )
    assert.equal(next, [{ id: 'b1298', n: 286 }])
    assert.equal(ids(await settle(query().orderBy('id', 'desc').offset(1).limit(2).all())), [
      'b1298',
      'b1297',
    ])
    assert.equal(ids(await settle(query().where('id', 'prefix', 'b129').orderBy('id').limit(2).all())), [
      'b1290',
      'b1291',
    ])
    assert.is(await settle(query().sum('n')), (299 * 300) / 2)
    assert.is(await settle(query().max('n')), 299)
    assert.equal(
      await settle(
        query()
          .groupBy('kind')
          .aggregate({ all: { op: 'count' } }),
      ),
      [
        { kind: 0, all: 100 },
        { kind: 1, all: 100 },
        { kind: 2, all: 100 },
      ],
    )
    assert.is(await settle(query().count()), 300)
  }
})

test('a guest has no indexes and makes none, and its queries say how they went without', async () => {
  const { bugs, copy, settle, code } = await opened()

  assert.is((await settle(bugs.indexes())).length, 1)
  assert.equal(await settle(copy.indexes()), [])
  assert.is(await code(() => copy.createIndex('n')), 'NOT_SUPPORTED')
  assert.is(await code(() => copy.dropIndex('n')), 'NOT_SUPPORTED')
  const there = await settle(bugs.query().where('n', '=', 5).explain())
  const here = await settle(copy.query().where('n', '=', 5).explain())
  assert.equal([there.path, there.examined, here.path, here.examined], ['index', 1, 'store', 300])
})

test('a live query of a guest shows a window too', async () => {
  const { bugs, copy, settle, quiet } = await opened()
  const deltas: LiveDelta[] = []
  const live = copy
    .query()
    .orderBy('n')
    .limit(2)
    .live((delta) => deltas.push(delta))
  await quiet()

  await settle(bugs.insert({ id: 'new', n: -1 }))
  await quiet()
  live.close()

  assert.equal(
    deltas.map(({ added, removed }) => [ids(added), removed]),
    [
      [['b1000', 'b1043'], []],
      [['new'], ['b1043']],
    ],
  )
})

test.run()

/** A unique index is exact: for long values, within one call, against writes that were refused, and it comes back only when it was made. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Filter } from '../../../../actors/database/filter.ts'
import { queryOf } from '../../../../actors/database/query.ts'
import type { Query } from '../../../../actors/database/query.ts'
import type { Doc } from '../../../../actors/database/index.ts'
import { codeOfWork } from '../../../fixtures/code-of.ts'
import { opened } from '../../client/transaction-world.ts'
import { createIndex, indexNames } from './index-world.ts'
import { createMembers } from '../member.ts'
import { createOneDatabase } from '../one-database.ts'
import type { OneDatabase } from '../one-database.ts'

const LONG = 'x'.repeat(300)

async function ids(one: OneDatabase, change: Partial<Query>): Promise<string[]> {
  const query = queryOf('c', change)
  const docs = await one.settle(one.database.request<Doc[]>((reply) => ({ type: 'query.all', query, reply })))
  return docs.map(({ id }) => id).sort()
}

test('equal long values in one call are refused, and long ones that differ at their end are not', async () => {
  const one = await createOneDatabase()
  await createIndex(one, ['e'], { unique: true })
  const twice = one.write('insert', 'c', { id: 'a', e: LONG }, { id: 'b', e: LONG })
  assert.is(await codeOfWork(one.settle(twice)), 'NOT_UNIQUE')
  await one.settle(one.write('insert', 'c', { id: 'a', e: `${LONG}1` }, { id: 'b', e: `${LONG}2` }))
})

test('of any number of long values with one beginning, the one that is there is found', async () => {
  const one = await createOneDatabase()
  await createIndex(one, ['e'], { unique: true })
  for (let n = 0; n < 600; n += 100) {
    const docs = Array.from({ length: 100 }, (_, at) => ({ id: `r${1_000 + n + at}`, e: `${LONG}${n + at}` }))
    await one.settle(one.write('insert', 'c', ...docs))
  }
  for (const n of [0, 300, 599]) {
    assert.is(
      await codeOfWork(one.settle(one.write('insert', 'c', { id: 'z', e: `${LONG}${n}` }))),
      'NOT_UNIQUE',
    )
  }
})

test('a unique index that could not be made does not come back, by closing or by a power cut', async () => {
  for (const end of ['close', 'cut']) {
    const one = await createOneDatabase()
    await one.settle(one.write('insert', 'c', { id: 'a', e: 1 }, { id: 'b', e: 1 }))
    assert.is(await codeOfWork(createIndex(one, ['e'], { unique: true })), 'NOT_UNIQUE')
    if (end === 'close') await one.close()
    else one.powerCut()
    await one.boot()
    assert.equal(await indexNames(one), [], end)
    await one.settle(one.write('insert', 'c', { id: 'k', e: 1 }))
  }
})

test('a transaction that was refused for its size holds no values, and hides no holder', async () => {
  const { bugs, db, settle } = await opened()
  await settle(bugs.createIndex('e', { unique: true }))
  const big = 'y'.repeat(60_000)
  const makeAll = db.transaction(async (tx) => {
    for (let n = 0; n < 40; n += 1) await tx.collection('bugs').insert({ id: `r${n}`, e: n, big })
  })
  assert.is(await codeOfWork(settle(makeAll)), 'TOO_LARGE')
  await settle(bugs.insertMany(Array.from({ length: 40 }, (_, n) => ({ id: `r${n}`, e: n }))))

  const changeAll = db.transaction(async (tx) => {
    for (let n = 0; n < 40; n += 1) await tx.collection('bugs').put(`r${n}`, { e: `other${n}`, big })
  })
  assert.is(await codeOfWork(settle(changeAll)), 'TOO_LARGE')
  assert.is(await codeOfWork(settle(bugs.insert({ id: 'z', e: 3 }))), 'NOT_UNIQUE')
})

test('a key that just fits answers bounds on what follows it, and no record twice', async () => {
  // With its type and end the value takes the whole key.
  const fits = 'x'.repeat(254)
  const one = await createOneDatabase()
  await createIndex(one, ['a', 'b'])
  await one.settle(one.write('insert', 'c', { id: '\u0001i', a: fits, b: 3 }, { id: 'n', a: fits, b: 3 }))
  await one.settle(one.write('insert', 'c', { id: 'm', a: `${fits}\u0000b`, b: 3 }))
  const below = { field: 'b', op: '<', value: 9 } as const
  const equal = { and: [{ field: 'a', op: '=', value: fits }, below] } as const
  assert.equal(await ids(one, { filter: equal }), ['\u0001i', 'n'])
  const either: Filter = { and: [{ field: 'a', op: 'in', value: [fits, `${fits}\u0000b`] }, below] }
  assert.equal(await ids(one, { filter: either }), ['\u0001i', 'm', 'n'])
})

test('deleted records before the first living one do not hold the thread', async () => {
  const one = await createOneDatabase()
  const all = Array.from({ length: 2_000 }, (_, n) => `r${10_000 + n}`)
  for (let at = 0; at < all.length; at += 250) {
    await one.settle(one.write('insert', 'c', ...all.slice(at, at + 250).map((id) => ({ id }))))
  }
  for (const id of all.slice(0, -1)) void one.delete('c', id)
  const order = [{ field: 'id', direction: 'asc' }] as const
  assert.equal(await ids(one, { order, limit: 1 }), [all.at(-1)])
})

test('a record that shares its values with one of another device may be changed in everything else', async () => {
  const members = createMembers()
  const here = await members.add('here')
  const there = await members.add('there')
  await members.send(here, there)
  await members.send(there, here)
  const definition = { name: 'e', collection: 'c', fields: ['e'], unique: true }
  await members.settle(here.database.request<void>((reply) => ({ type: 'index.create', definition, reply })))
  await here.write('insert', 'mine', { e: 1 })
  await here.write('insert', 'free', { e: 2 })
  await there.write('insert', 'theirs', { e: 1 })
  await members.send(there, here)

  assert.is(await here.write('update', 'mine', { n: 1 }), 'ok')
  assert.is(await here.write('put', 'theirs', { e: 1, n: 2 }), 'ok')
  assert.is(await here.write('update', 'free', { e: 1 }), 'NOT_UNIQUE')
  assert.is(await here.write('insert', 'more', { e: 1 }), 'NOT_UNIQUE')
  assert.is(await here.write('update', 'mine', { e: 3 }), 'ok')
  assert.is(await here.write('update', 'mine', { e: 1 }), 'NOT_UNIQUE')
})

test.run()

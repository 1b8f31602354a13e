/** Indexes follow the records through writes, power cuts, holds, damage and their own coming and going. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createChance, limits } from '../../../../runtime/index.ts'
import { codeOfWork } from '../../../fixtures/code-of.ts'
import { createIndex, dropIndex, flushIndexes, indexNames, verifyIndexes } from './index-world.ts'
import { createOneDatabase } from '../one-database.ts'
import type { OneDatabase } from '../one-database.ts'

async function whole(one: OneDatabase, records: number, entries: number): Promise<void> {
  const audit = await verifyIndexes(one).catch((error: Error) => {
    throw new Error(error.message)
  })
  assert.equal(audit, { records, entries, problems: [], problemCount: 0 })
}

test('an index over records that are there, and records that come, change and go, has one entry a living record', async () => {
  const one = await createOneDatabase()
  for (let n = 0; n < 20; n += 1) await one.settle(one.write('insert', 'c', { id: `r${n}`, a: n % 3 }))
  await createIndex(one, ['a'])
  await one.settle(one.write('insert', 'c', { id: 'late', a: 7 }, { id: 'none' }))
  await one.settle(one.write('update', 'c', { id: 'r1', a: 9 }))
  await one.settle(one.delete('c', 'r2'))

  await whole(one, 22, 21)
  assert.equal(await indexNames(one), ['a'])
  await one.close()
  await one.boot()
  await whole(one, 22, 21)
  assert.is(one.database.status().indexCursor, one.database.status().lastArrival)
})

test('a power cut anywhere costs at most a replay, never an entry', async () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`seed ${seed}\n`)
  for (let run = 0; run < 15; run += 1) {
    const chance = createChance(seed + run)
    const random = (below: number): number => Math.floor(chance() * below)
    const one = await createOneDatabase(seed + run)
    await createIndex(one, ['a', 'b'])
    for (let step = 0; step < 60; step += 1) {
      const id = `r${random(25)}`
      const dice = random(10)
      if (dice < 5)
        void one.write('put', 'c', { id, a: random(4), b: 'x'.repeat(random(300)) }).catch(() => undefined)
      else if (dice < 7) void one.delete('c', id).catch(() => undefined)
      else if (dice < 8)
        void one.database.request<void>((reply) => ({ type: 'database.flush', reply })).catch(() => undefined)
      else if (dice < 9) await one.settle(one.get('c', id))
      else {
        const steps = random(30)
        await one.simulation.run(() => false, { virtualMs: 1_000, steps })
        one.powerCut()
        await one.boot()
      }
    }
    await one.settle(one.get('c', 'r0'))
    await flushIndexes(one)
    const audit = await verifyIndexes(one)
    assert.equal(audit.problems, [], `run ${run}`)
    assert.is(audit.records - audit.entries, one.database.status().deletedRecords)
    assert.is(audit.entries, one.database.status().records)
  }
})

test('an index that is dropped is gone after reopening too, and its name is free for another', async () => {
  const one = await createOneDatabase()
  await createIndex(one, ['a'])
  await one.settle(one.write('insert', 'c', { id: 'r', a: 1, b: 2 }))
  assert.is(await dropIndex(one, 'a'), true)
  assert.is(await dropIndex(one, 'a'), false)
  await one.close()
  await one.boot()
  assert.equal(await indexNames(one), [])
  await createIndex(one, ['b'], { name: 'a' })
  await whole(one, 1, 1)
})

test('the same index again is no error, another of that name is INDEX_EXISTS', async () => {
  const one = await createOneDatabase()
  await createIndex(one, ['a'])
  await createIndex(one, ['a'])
  assert.is(await codeOfWork(createIndex(one, ['b'], { name: 'a' })), 'INDEX_EXISTS')
})

test('a collection has a bounded number of indexes', async () => {
  const one = await createOneDatabase()
  for (let n = 0; n < limits.indexesPerCollectionMax; n += 1) await createIndex(one, [`f${n}`])
  assert.is(await codeOfWork(createIndex(one, ['more'])), 'TOO_LARGE')
})

test('a unique index over records that are not is NOT_UNIQUE and leaves nothing', async () => {
  const one = await createOneDatabase()
  await one.settle(one.write('insert', 'c', { id: 'x', a: 1 }, { id: 'y', a: 1 }, { id: 'z' }, { id: 'zz' }))
  assert.is(await codeOfWork(createIndex(one, ['a'], { unique: true })), 'NOT_UNIQUE')
  assert.equal(await indexNames(one), [])
  await one.settle(one.write('update', 'c', { id: 'y', a: 2 }))
  await createIndex(one, ['a'], { unique: true })
  await whole(one, 4, 4)
})

test('rows of indexes that are damaged, changed or lost are made anew, and no record is touched', async () => {
  const one = await createOneDatabase()
  await createIndex(one, ['a'])
  for (let n = 0; n < 300; n += 1) await one.settle(one.write('insert', 'c', { id: `r${n}`, a: n }))
  await one.close()
  // The definitions stand in two places, of which one is enough.
  const isDefinitions = (key: Uint8Array): boolean => key[0] === 0x79 && key[1] === 0xff && key[2] === 0xff
  const kinds: [number, (key: Uint8Array) => boolean][] = [
    [0x78, () => true],
    [0x79, (key) => !isDefinitions(key)],
    [0x79, isDefinitions],
  ]
  for (const [kind, concerns] of kinds) {
    const range = { gte: Uint8Array.of(kind), lt: Uint8Array.of(kind + 1), limit: 1_000 }
    const all = await one.settle(one.volume.rows('store').range(range))
    const rows = all.filter(([key]) => concerns(key))
    assert.ok(rows.length > 0)
    const damaged = rows.map(([key, value], at) => {
      const flipped = new Uint8Array(value)
      flipped[flipped.length - 3] = (flipped.at(-3) as number) ^ 1
      return at % 2 === 0 ? ({ type: 'put', key, value: flipped } as const) : ({ type: 'del', key } as const)
    })
    one.volume.damage('store', damaged)
    await one.boot()
    assert.equal(await one.settle(one.get('c', 'r7')), { id: 'r7', a: 7 })
    // Whoever comes upon a damaged page hears of it; then the database opens again by itself.
    await verifyIndexes(one).catch((error: { code: string }) => assert.is(error.code, 'DAMAGED'))
    await one.simulation.pass(5_000)
    assert.equal(await one.settle(one.get('c', 'r7')), { id: 'r7', a: 7 })
    await whole(one, 300, 300)
    assert.equal(await indexNames(one), ['a'])
    await one.close()
  }
})

test('a record whose row is gone is DAMAGED, never absent: its entry says that it was there', async () => {
  const one = await createOneDatabase()
  await createIndex(one, ['a'])
  for (let n = 0; n < 5; n += 1) await one.settle(one.write('insert', 'c', { id: `r${n}`, a: n }))
  const range = { gte: Uint8Array.of(0x74), lt: Uint8Array.of(0x75), limit: 10 }
  const rows = await one.settle(one.volume.rows('store').range(range))
  await one.close()
  await one.boot()
  one.volume.damage(
    'store',
    rows.map(([key]) => ({ type: 'del', key })),
  )

  for (let n = 0; n < 5; n += 1) {
    const code = await one.settle(one.get('c', `r${n}`)).catch((error: { code: string }) => error.code)
    assert.is(code, 'DAMAGED')
  }
  assert.is(await one.settle(one.get('c', 'never')), undefined)
})

test.run()

/** `verify`: what it counts in a sound database, and what it finds in others. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import type { DatabaseVerifyProgress } from '../../../actors/database/index.ts'
import type { StoreRow } from '../../../actors/replica/index.ts'
import { createClientWorld } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'

async function filled(world: ClientWorld): Promise<BlazeDBClient> {
  const db = await world.open()
  const records = db.collection('records')
  await world.settle(records.createIndex('n'))
  await world.settle(records.insertMany(Array.from({ length: 500 }, (_, n) => ({ id: `r${n}`, n }))))
  await world.settle(records.delete('r1'))
  return db
}

/** Of a commit of one block (PROTOCOL §3). */
const SIGNATURE_AT = 110

/** Rows of the store whose keys begin with the letter. */
function rowsOf(world: ClientWorld, letter: string): Promise<StoreRow[]> {
  const first = letter.charCodeAt(0)
  return world
    .volume('/db')
    .rows('store')
    .range({ gte: Uint8Array.of(first), lt: Uint8Array.of(first + 1), limit: 10_000 })
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice()
  changed[at] = (changed[at] as number) ^ 1
  return changed
}

test('a sound database is ok, and everything is counted', async () => {
  const world = createClientWorld()
  const db = await filled(world)
  const seen: DatabaseVerifyProgress[] = []

  const report = await world.settle(db.verify({ onProgress: (progress) => seen.push(progress) }))

  assert.equal(report.problems, [])
  assert.ok(report.ok)
  assert.is(report.records, 499)
  assert.is(report.deletedRecords, 1)
  assert.is(report.envelopes, 500)
  assert.is(report.indexEntries, 499)
  assert.equal(report.held, { clock: 0, key: 0, life: 0, bad: 0 })
  assert.ok(seen.length > 3)
  assert.is(seen.at(-1)?.step, 'indexes')
  assert.is(db.status().state, 'ready')
})

test('writes go on while everything is read', async () => {
  const world = createClientWorld()
  const db = await filled(world)
  let writes = 0
  const busy: Promise<void>[] = []

  const report = await world.settle(
    db.verify({
      onProgress: () => {
        writes += 1
        busy.push(db.collection('records').put('r2', { n: writes }))
      },
    }),
  )
  await world.settle(Promise.all(busy))

  assert.equal(report.problems, [])
  assert.is((await world.settle(db.collection('records').get('r2')))?.['n'], writes)
})

test('a changed bit in any kind of row is a problem that is named', async () => {
  for (const letter of ['t', 'c', 'a', 'b']) {
    const world = createClientWorld()
    const db = await filled(world)
    const rows = await rowsOf(world, letter)
    // Only the newest batch record says what is there now.
    const [key, value] = rows.at(letter === 'b' ? -1 : rows.length / 2) as StoreRow
    world.volume('/db').damage('store', [{ type: 'put', key, value: flipped(value, value.length - 1) }])

    const report = await world.settle(db.verify())

    assert.not.ok(report.ok, `a row of kind ${letter}`)
    assert.ok(report.problemCount > 0 && report.problems.length > 0)
  }
})

test('a commit whose signature is wrong is found, though all sums are right', async () => {
  const world = createClientWorld()
  const db = await filled(world)
  const [key, value] = (await rowsOf(world, 'c'))[3] as StoreRow
  world.volume('/db').damage('store', [{ type: 'put', key, value: flipped(value, SIGNATURE_AT) }])

  const report = await world.settle(db.verify())

  assert.is(report.problemCount, 1)
  assert.match(report.problems[0] ?? '', /does not verify/)
})

test('a signal ends it with ABORTED, a deadline with TIMEOUT, and the database stays ready', async () => {
  const world = createClientWorld()
  const db = await filled(world)
  const stop = new AbortController()

  const stopped = db.verify({ signal: stop.signal, onProgress: () => stop.abort() })
  assert.is(await world.code(() => stopped), 'ABORTED')
  assert.is(await world.code(() => db.verify({ timeoutMs: 0 })), 'TIMEOUT')
  assert.is(await world.code(() => db.verify({ onProgress: 1 } as never)), 'TypeError')

  assert.is(db.status().state, 'ready')
  assert.ok((await world.settle(db.verify())).ok)
})

test.run()

/** Backups and what is restored of them, in the simulated world. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { restoreIn } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import type { BackupProgress } from '../../../actors/database/index.ts'
import type { StoreRow } from '../../../actors/replica/index.ts'
import { createClientWorld, KEY } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'
import { faultOf } from '../../fixtures/code-of.ts'

const FILE = '/backups/db.blz'

async function filled(world: ClientWorld, count: number): Promise<BlazeDBClient> {
  const db = await world.open()
  const docs = Array.from({ length: count }, (_, n) => ({ id: `r${n}`, n, text: 'x'.repeat(n % 300) }))
  await world.settle(db.collection('records').insertMany(docs))
  return db
}

function restored(
  world: ClientWorld,
  options: { at?: string; key?: Uint8Array; password?: string; from?: string } = { key: KEY },
): Promise<BlazeDBClient> {
  return world.settle(restoreIn(world.world, { from: FILE, name: 'back', at: '/back', ...options }))
}

test('a backup restores every record as it was, deleted ones stay deleted, and the copy goes on by itself', async () => {
  const world = createClientWorld()
  const db = await filled(world, 500)
  const records = db.collection('records')
  await world.settle(records.delete('r7'))
  await world.settle(records.update('r8', { text: 'changed', bytes: new Uint8Array([1, 2]) }))
  const before = await world.settle(records.query().all())

  const report = await world.settle(db.backup(FILE))
  await world.settle(records.put('r9', { late: true }))
  const back = await restored(world)

  assert.is(report.records, 500)
  assert.is(report.bytes, world.files.contents.get(FILE)?.length)
  const again = back.collection('records')
  assert.equal(await world.settle(again.query().all()), before)
  assert.is(await world.settle(again.get('r7')), undefined)
  assert.is.not(back.status().replicaId, db.status().replicaId)
  assert.is(back.status().spaceId, db.status().spaceId)
  await world.settle(again.update('r8', { text: 'goes on' }))
  await world.settle(back.close())
  const reopened = await world.open('/back')
  assert.is((await world.settle(reopened.collection('records').get('r8')))?.['text'], 'goes on')
  assert.is((await world.settle(records.get('r8')))?.['text'], 'changed', 'the original is another database')
})

test('every write that was acknowledged before the call is in the backup, and each batch as a whole or not at all', async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const world = createClientWorld(seed)
    const db = await filled(world, 50)
    const records = db.collection('records')
    let acknowledged = 0
    let isOver = false
    const storm = (async () => {
      for (let n = 1; !isOver; n += 1) {
        // One commit: a moment shows all five of them with one number.
        await db.transaction(async (tx) => {
          for (let k = 0; k < 5; k += 1) await tx.collection('storm').put(`s${k}`, { n })
        })
        acknowledged = n
        await records.put(`r${n % 50}`, { n })
      }
    })()
    await world.simulation.pass(200)
    const sure = acknowledged
    assert.ok(sure > 0)

    await world.settle(db.backup(FILE))
    const atMost = acknowledged + 1
    await world.simulation.pass(50)
    isOver = true
    await world.settle(storm)
    const back = await restored(world)

    const numbers = (await world.settle(back.collection('storm').query().all())).map(({ n }) => Number(n))
    assert.is(numbers.length, 5)
    assert.is(new Set(numbers).size, 1, `seed ${seed}: half a transaction: ${numbers.join(', ')}`)
    assert.ok((numbers[0] ?? 0) >= sure && (numbers[0] ?? 0) <= atMost, `seed ${seed}: ${numbers[0]}`)
  }
})

test('a backup tells how far it is, and a signal or a deadline ends it without a file', async () => {
  const world = createClientWorld()
  const db = await filled(world, 2_000)
  const seen: BackupProgress[] = []
  await world.settle(db.backup(FILE, { onProgress: (progress) => seen.push(progress) }))
  assert.ok(seen.length > 5)
  assert.ok(seen.every((at, n) => at.rows >= (seen[n - 1]?.rows ?? 0)))
  assert.is(seen.at(-1)?.bytes, world.files.contents.get(FILE)?.length)
  const whole = world.files.contents.get(FILE)

  const stop = new AbortController()
  const stopped = db.backup(FILE, { signal: stop.signal, onProgress: () => stop.abort() })
  assert.is(await world.code(() => stopped), 'ABORTED')
  assert.is(await world.code(() => db.backup(FILE, { timeoutMs: 0, onProgress: () => {} })), 'TIMEOUT')
  assert.is(await world.code(() => db.backup('')), 'TypeError')
  assert.is(world.files.contents.get(FILE), whole, 'the backup before is still there')
})

test('a full disk is DISK_FULL, leaves no file, and the database goes on', async () => {
  const world = createClientWorld()
  const db = await filled(world, 2_000)
  world.files.freeBytes = 300_000

  assert.is(await world.code(() => db.backup(FILE)), 'DISK_FULL')

  assert.is(world.files.contents.size, 0)
  await world.settle(db.collection('records').insert({ id: 'after' }))
})

test('a store with a lost or changed row makes no backup, and leaves the one before in its place', async () => {
  for (const kind of ['lost', 'changed']) {
    const world = createClientWorld()
    const db = await filled(world, 300)
    await world.settle(db.backup(FILE))
    const whole = world.files.contents.get(FILE)
    const rows = await world
      .volume('/db')
      .rows('store')
      .range({ gte: Uint8Array.of(0x74), lt: Uint8Array.of(0x75), limit: 300 })
    const [key, value] = rows[100] as StoreRow
    value[value.length - 1] = (value.at(-1) as number) ^ 1
    world
      .volume('/db')
      .damage('store', [kind === 'lost' ? { type: 'del', key } : { type: 'put', key, value }])

    assert.is(await world.code(() => db.backup(FILE)), 'DAMAGED', kind)

    assert.is(world.files.contents.get(FILE), whole)
  }
})

test('a backup opens by the secret of its time, or by its own, and by nothing else', async () => {
  const world = createClientWorld()
  const db = await filled(world, 10)
  const other = new Uint8Array(32).fill(9)
  await world.settle(db.backup(FILE))
  await world.settle(db.changePassword({ from: { key: KEY }, to: { key: other } }))
  await world.settle(db.backup('/own', { key: new Uint8Array(32).fill(8) }))

  assert.is((await faultOf(restored(world, { key: other }))).code, 'WRONG_PASSWORD')
  assert.is((await faultOf(restored(world, { password: 'x' }))).code, 'WRONG_PASSWORD')
  assert.is((await faultOf(restored(world, { from: '/own', key: other }))).code, 'WRONG_PASSWORD')
  assert.equal(await world.volume('/back').list(''), [])
  await world.settle((await restored(world)).close())
  const own = await restored(world, { from: '/own', at: '/own-back', key: new Uint8Array(32).fill(8) })
  assert.is(await world.settle(own.collection('records').query().count()), 10)
})

test('a directory that is not empty is NAME_TAKEN, and a missing file NOT_FOUND', async () => {
  const world = createClientWorld()
  const db = await filled(world, 10)
  await world.settle(db.backup(FILE))

  assert.is((await faultOf(restored(world, { key: KEY, at: '/db' }))).code, 'NAME_TAKEN')
  assert.is((await faultOf(restored(world, { key: KEY, from: '/none' }))).code, 'NOT_FOUND')
  assert.is(await world.settle(db.collection('records').query().count()), 10)
})

test.run()

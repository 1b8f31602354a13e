/** Writes of a guest in a simulated world: decided by the host under the policy of the moment, durable there, visible here. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeTopology, ExportPolicy } from '../../../actors/index.ts'
import { contents, neighbours, sourceOf } from './neighbours.ts'

test('every kind of write is visible in the guest when its call resolves, and is in the host', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { db, connect, settle, code } = near
  const guest = await connect('board', 'readWrite')
  const bugs = guest.collection('bugs')

  const id = await settle(bugs.insert({ title: 'new' }))
  assert.equal(await settle(bugs.get(id)), { id, title: 'new' })
  assert.equal(await settle(db.collection('bugs').get(id)), { id, title: 'new' })
  await settle(bugs.update(id, { title: undefined, n: 1 }))
  assert.equal(await settle(bugs.get(id)), { id, n: 1 })
  await settle(bugs.put(id, { whole: true }))
  assert.equal(await settle(bugs.get(id)), { id, whole: true })
  assert.is(await settle(bugs.delete(id)), true)
  assert.is(await settle(bugs.get(id)), undefined)
  assert.is(await settle(bugs.delete(id)), false)
  await settle(bugs.restore(id, { again: 1n << 60n }))
  assert.equal(await settle(bugs.get(id)), { id, again: 1n << 60n })
  const ids = await settle(bugs.insertMany(Array.from({ length: 700 }, (_, n) => ({ n }))))
  assert.is(await settle(bugs.query().count()), 701)
  assert.is(new Set(ids).size, 700)
  assert.equal(await contents(near, guest, 'bugs'), await contents(near, db, 'bugs'))

  assert.is(await code(() => bugs.insert({ id, n: 2 })), 'RECORD_EXISTS')
  assert.is(await code(() => bugs.update('none', { n: 2 })), 'NOT_FOUND')
  assert.is(await code(() => bugs.restore('none', { n: 2 })), 'NOT_FOUND')
  assert.is(await code(() => bugs.insert({ n: '\ud800' })), 'BAD_VALUE')
  assert.is(await code(() => bugs.put(id, { n: 'x'.repeat(70_000) })), 'TOO_LARGE')
  assert.is(await code(() => guest.collection('~x')), 'TypeError')
})

test('two apps write one record, and both see what came of it', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { db, connect, settle, quiet } = near
  const [one, two] = [await connect('one', 'readWrite'), await connect('two', 'readWrite')]
  await settle(db.collection('bugs').insert({ id: 'a', n: 0 }))
  await quiet()

  await settle(
    Promise.all([
      one.collection('bugs').update('a', { one: 1 }),
      two.collection('bugs').update('a', { two: 2 }),
      db.collection('bugs').update('a', { host: 3 }),
    ]),
  )
  await quiet()

  for (const client of [one, two, db]) {
    assert.equal(await contents(near, client, 'bugs'), [{ id: 'a', n: 0, one: 1, two: 2, host: 3 }])
  }
})

test('what a guest may not see it may not write: collections, fields, hidden records', async () => {
  const near = await neighbours({
    collections: ['bugs'],
    fields: { exclude: ['note'] },
    filter: { bugs: { field: 'open', op: '=', value: true } },
  })
  const { db, connect, settle, code } = near
  await settle(db.collection('bugs').insert({ id: 'shown', open: true, note: 'keep', title: 'x' }))
  await settle(db.collection('bugs').insert({ id: 'hidden', open: false, note: 'keep' }))
  await settle(db.collection('other').insert({ id: 'o' }))
  const guest = await connect('board', 'readWrite')
  const bugs = guest.collection('bugs')

  assert.is(await code(() => guest.collection('other').insert({ id: 'p' })), 'FORBIDDEN')
  assert.is(await code(() => guest.collection('other').delete('o')), 'FORBIDDEN')
  assert.is(await code(() => bugs.insert({ open: true, note: 'mine' })), 'FORBIDDEN')
  assert.is(await code(() => bugs.update('shown', { note: 'mine' })), 'FORBIDDEN')
  assert.is(await code(() => bugs.update('shown', { note: undefined })), 'FORBIDDEN')
  assert.is(await code(() => bugs.update('hidden', { title: 'y' })), 'NOT_FOUND')
  assert.is(await code(() => bugs.insert({ id: 'hidden', open: true })), 'FORBIDDEN')
  assert.is(await code(() => bugs.put('hidden', { open: true })), 'FORBIDDEN')
  assert.is(await code(() => bugs.restore('hidden', { open: true })), 'FORBIDDEN')
  assert.is(await settle(bugs.delete('hidden')), false)
  await settle(bugs.put('shown', { open: true, title: 'y' }))

  assert.equal(await contents(near, db, 'bugs'), [
    { id: 'hidden', open: false, note: 'keep' },
    { id: 'shown', open: true, note: 'keep', title: 'y' },
  ])
  assert.equal(await contents(near, db, 'other'), [{ id: 'o' }])
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'shown', open: true, title: 'y' }])
})

test('a record that a guest writes out of its own filter is gone there, unless it is at home there', async () => {
  const near = await neighbours({
    collections: ['bugs'],
    filter: { bugs: { field: 'open', op: '=', value: true } },
  })
  const { db, connect, settle, code } = near
  const guest = await connect('board', 'readWrite')
  const bugs = guest.collection('bugs')

  await settle(bugs.insert({ id: 'home', open: true, n: 1 }))
  await settle(bugs.update('home', { open: false }))
  await settle(bugs.update('home', { n: 2 }))
  await settle(db.collection('bugs').insert({ id: 'theirs', open: true }))
  await near.quiet()
  await settle(bugs.update('theirs', { open: false }))

  assert.equal(await contents(near, db, 'bugs'), [
    { id: 'home', open: false, n: 2 },
    { id: 'theirs', open: false },
  ])
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'home', open: false, n: 2 }])
  assert.is(await code(() => bugs.update('theirs', { n: 1 })), 'NOT_FOUND')
  assert.is(await settle(bugs.delete('home')), true)
  assert.equal(await contents(near, guest, 'bugs'), [])
  assert.equal(await contents(near, db, 'bugs'), [{ id: 'theirs', open: false }])
})

test('what a guest inserts outside its filter it keeps as it wrote it, and learns nothing of what others make of it', async () => {
  const near = await neighbours({
    collections: ['bugs'],
    filter: { bugs: { field: 'open', op: '=', value: true } },
  })
  const { db, connect, settle, quiet } = near
  const guest = await connect('board', 'readWrite')
  const bugs = guest.collection('bugs')

  await settle(
    bugs.insertMany([
      { id: 'a', open: false, n: 1 },
      { id: 'b', open: true },
      { id: 'c', n: 3 },
    ]),
  )
  assert.equal(await contents(near, guest, 'bugs'), [
    { id: 'a', open: false, n: 1 },
    { id: 'b', open: true },
    { id: 'c', n: 3 },
  ])
  await settle(db.collection('bugs').update('a', { secret: 'of the host', n: 9 }))
  await quiet()
  assert.equal(await settle(bugs.get('a')), { id: 'a', open: false, n: 1 })
  await settle(bugs.put('c', { m: 4 }))
  assert.equal(await settle(bugs.get('c')), { id: 'c', m: 4 })
  await settle(bugs.update('a', { open: true }))
  assert.equal(await settle(bugs.get('a')), { id: 'a', open: true, n: 9, secret: 'of the host' })
  assert.equal(await settle(db.collection('bugs').get('c')), { id: 'c', m: 4 })

  assert.is(await settle(bugs.delete('c')), true)
  assert.is(await settle(bugs.get('c')), undefined)
})

test('a guest of mode readOnly writes nothing, and readWrite is refused where policy or grant are read-only', async () => {
  const near = await neighbours({ collections: ['bugs'] }, { reader: 'readOnly', writer: 'readWrite' })
  const { db, connect, settle, code, share } = near
  await settle(db.collection('bugs').insert({ id: 'a' }))
  const reading = await connect('writer', 'readOnly')
  const bugs = reading.collection('bugs')

  assert.is(await code(() => bugs.insert({ id: 'b' })), 'READ_ONLY')
  assert.is(await code(() => bugs.insertMany([{ id: 'b' }])), 'READ_ONLY')
  assert.is(await code(() => bugs.put('a', {})), 'READ_ONLY')
  assert.is(await code(() => bugs.update('a', { n: 1 })), 'READ_ONLY')
  assert.is(await code(() => bugs.restore('a', {})), 'READ_ONLY')
  assert.is(await code(() => bugs.delete('a')), 'READ_ONLY')
  assert.is(await code(() => connect('reader', 'readWrite')), 'READ_ONLY')
  const writer = await connect('writer', 'readWrite', near.world.process('writer-2'))
  assert.is(await code(() => writer.collection('bugs').insert({ id: 'b' })), 'ok')

  share.setPolicy(new ExportPolicy({ collections: ['bugs'], readOnly: true }))
  await near.quiet()
  assert.is(await code(() => writer.collection('bugs').insert({ id: 'c' })), 'READ_ONLY')
  assert.is(await code(() => connect('writer', 'readWrite', near.world.process('writer-3'))), 'READ_ONLY')
  assert.equal(await contents(near, db, 'bugs'), [{ id: 'a' }, { id: 'b' }])
})

test('a guest of mode readWrite goes on reading while policy or grant are read-only, and writes again afterwards', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { db, connect, settle, code, quiet, share } = near
  await settle(db.collection('bugs').insert({ id: 'a', note: 'shown once' }))
  const guest = await connect('board', 'readWrite')
  const bugs = guest.collection('bugs')
  await settle(bugs.insert({ id: 'mine', n: 1 }))

  share.setPolicy(new ExportPolicy({ collections: ['bugs'], fields: { exclude: ['note'] }, readOnly: true }))
  await quiet()
  assert.is(sourceOf(guest).status().state, 'live')
  assert.ok(sourceOf(guest).status().readOnly)
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a' }, { id: 'mine', n: 1 }])
  assert.is(await code(() => bugs.update('a', { n: 2 })), 'READ_ONLY')

  share.setPolicy(new ExportPolicy({ collections: ['bugs'] }), { grants: { board: 'readOnly' } })
  await quiet()
  assert.is(await code(() => bugs.update('a', { n: 2 })), 'READ_ONLY')
  share.setPolicy(share.policy, { grants: { board: 'readWrite' } })
  await quiet()
  assert.is(await code(() => bugs.update('a', { n: 2 })), 'ok')
  assert.equal(await contents(near, guest, 'bugs'), await contents(near, db, 'bugs'))
})

test('a write without a host is OFFLINE at once, and one whose link breaks is LINK_CLOSED and may have happened', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { connect, code, world } = near
  const guest = await connect('board', 'readWrite')
  const bugs = guest.collection('bugs')

  const cut = bugs.insert({ id: 'in-flight' })
  const settled = code(() => cut)
  world.network.cut('board')
  assert.is(await settled, 'LINK_CLOSED')

  near.host.powerCut()
  await world.simulation.pass(10)
  const before = world.simulation.now()
  assert.is(await code(() => bugs.insert({ id: 'b' })), 'OFFLINE')
  assert.is(await code(() => bugs.delete('b')), 'OFFLINE')
  assert.ok(world.simulation.now() - before < 5)
  await near.rehost({ collections: ['bugs'] })
  await near.settle(guest.shared?.caughtUp() ?? Promise.reject(new Error('no guest')))
  assert.equal(await contents(near, guest, 'bugs'), await contents(near, near.db, 'bugs'))
})

test('a collection that is a read-only copy at the host is read-only for its guests too', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { db, connect, settle, code } = near
  const other = await near.host.open('source')
  await settle(other.collection('bugs').insert({ id: 'a' }))
  await settle(BlazeTopology.connectLocal({ from: other, to: db, mode: 'readOnly', collections: ['bugs'] }))
  const guest = await connect('board', 'readWrite')

  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a' }])
  assert.is(await code(() => guest.collection('bugs').update('a', { n: 1 })), 'READ_ONLY')
})

test.run()

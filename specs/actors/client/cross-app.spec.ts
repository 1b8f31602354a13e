/** What a guest of a shared database sees, in a simulated world: the policy's view of the host, at any time. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ExportPolicy } from '../../../actors/index.ts'
import type { Doc, LiveDelta } from '../../../actors/database/index.ts'
import { contents, neighbours } from './neighbours.ts'

test('a guest has the whole query API over what the host exports, and every change arrives', async () => {
  const near = await neighbours({ collections: ['bugs', 'people'] })
  const { db, connect, settle, quiet } = near
  const bugs = db.collection('bugs')
  await settle(
    bugs.insertMany(Array.from({ length: 600 }, (_, n) => ({ id: `b${n}`, n, even: n % 2 === 0 }))),
  )
  await settle(bugs.delete('b0'))
  await settle(db.collection('secrets').insert({ id: 's', text: 'not exported' }))

  const guest = await connect('board')
  const copy = guest.collection('bugs')
  assert.is(guest.name, 'bugs')
  assert.equal(await contents(near, guest, 'bugs'), await contents(near, db, 'bugs'))
  assert.is(await settle(copy.query().where('n', '<', 100).where('even', '=', true).count()), 49)
  assert.equal(await settle(copy.get('b7')), { id: 'b7', n: 7, even: false })
  assert.is(await settle(copy.get('b0')), undefined)
  assert.is((await settle(copy.query().where('id', '=', 'b9').first()))?.id, 'b9')
  assert.is((await settle(copy.query().limit(5).all())).length, 5)
  assert.equal(await contents(near, guest, 'secrets'), [])

  await settle(bugs.update('b1', { n: 'changed', even: undefined }))
  await settle(bugs.delete('b2'))
  await settle(bugs.restore('b0', { n: 'restored' }))
  await settle(db.collection('people').insert({ id: 'p', name: 'Ada' }))
  await quiet()

  assert.equal(await settle(copy.get('b1')), { id: 'b1', n: 'changed' })
  assert.equal(await contents(near, guest, 'bugs'), await contents(near, db, 'bugs'))
  assert.equal(await contents(near, guest, 'people'), [{ id: 'p', name: 'Ada' }])
})

test('of each record a guest sees the included fields without the excluded ones, and the id', async () => {
  const near = await neighbours({
    collections: ['bugs', 'people'],
    fields: { include: { bugs: ['title', 'status'] }, exclude: ['phone', 'status'] },
  })
  const { db, connect, settle, quiet } = near
  await settle(db.collection('bugs').insert({ id: 'b', title: 'x', status: 'open', note: 'secret' }))
  await settle(db.collection('people').insert({ id: 'p', name: 'Ada', phone: 'secret', mail: 'a@b' }))
  const guest = await connect('board')
  await settle(db.collection('bugs').update('b', { note: 'more', title: 'y' }))
  await settle(db.collection('people').insert({ id: 'q', phone: 'only' }))
  await quiet()

  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'b', title: 'y' }])
  assert.equal(await contents(near, guest, 'people'), [{ id: 'p', name: 'Ada', mail: 'a@b' }, { id: 'q' }])
})

test('a row filter judges the whole record, hidden fields included: records leave the guest and come back', async () => {
  const near = await neighbours({
    collections: ['bugs'],
    fields: { exclude: ['level'] },
    filter: {
      bugs: {
        or: [
          { field: 'level', op: '>=', value: 3 },
          { field: 'pinned', op: '=', value: true },
        ],
      },
    },
  })
  const { db, connect, settle, quiet } = near
  const bugs = db.collection('bugs')
  await settle(
    bugs.insertMany([
      { id: 'a', level: 3 },
      { id: 'b', level: 1 },
      { id: 'c', level: 1, pinned: true },
    ]),
  )
  const guest = await connect('board')
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a' }, { id: 'c', pinned: true }])

  await settle(bugs.update('a', { level: 2 }))
  await settle(bugs.update('b', { level: 5 }))
  await settle(bugs.update('c', { pinned: undefined }))
  await quiet()
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'b' }])

  await settle(bugs.update('a', { level: 9, title: 'back' }))
  await quiet()
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a', title: 'back' }, { id: 'b' }])
})

test('live() of a guest tells each commit of the host that it may see, and records that leave as removed', async () => {
  const { db, connect, settle, quiet } = await neighbours({
    collections: ['bugs'],
    fields: { exclude: ['note'] },
    filter: { bugs: { field: 'open', op: '=', value: true } },
  })
  const bugs = db.collection('bugs')
  await settle(bugs.insert({ id: 'a', open: true }))
  const guest = await connect('board')
  const deltas: LiveDelta[] = []
  const live = guest
    .collection('bugs')
    .query()
    .live((delta) => deltas.push(delta))
  await quiet()

  await settle(bugs.insert({ id: 'b', open: true, n: 1 }))
  await settle(bugs.update('a', { n: 2 }))
  await quiet()
  await settle(bugs.insert({ id: 'c', open: false, note: 'not seen' }))
  await quiet()
  await settle(bugs.update('a', { open: false }))
  await quiet()
  await settle(bugs.delete('b'))
  await quiet()
  live.close()

  assert.equal(deltas, [
    { added: [{ id: 'a', open: true }], changed: [], removed: [] },
    { added: [{ id: 'b', open: true, n: 1 }], changed: [], removed: [] },
    { added: [], changed: [{ id: 'a', open: true, n: 2 }], removed: [] },
    { added: [], changed: [], removed: ['a'] },
    { added: [], changed: [], removed: ['b'] },
  ])
})

test('watch(id) of a guest follows one record through everything that happens to it at the host', async () => {
  const near = await neighbours({ collections: ['bugs'] })
  const { db, connect, settle, quiet, share } = near
  const bugs = db.collection('bugs')
  const guest = await connect('board')
  const seen: (Doc | undefined)[] = []
  const watched = guest.collection('bugs').watch('a', (doc) => seen.push(doc))
  await quiet()

  await settle(bugs.insert({ id: 'a', n: 1 }))
  await settle(bugs.insert({ id: 'other', n: 1 }))
  await quiet()
  await settle(bugs.update('a', { n: 2 }))
  await quiet()
  share.setPolicy(
    new ExportPolicy({ collections: ['bugs'], filter: { bugs: { field: 'n', op: '>', value: 2 } } }),
  )
  await quiet()
  await settle(bugs.update('a', { n: 3 }))
  await quiet()
  await settle(bugs.delete('a'))
  await quiet()
  watched.close()

  assert.equal(seen, [
    undefined,
    { id: 'a', n: 1 },
    { id: 'a', n: 2 },
    undefined,
    { id: 'a', n: 3 },
    undefined,
  ])
})

test('a policy that is changed takes effect at once on what guests hold, narrower and wider', async () => {
  const near = await neighbours({ collections: ['bugs', 'people'] })
  const { db, connect, settle, quiet, share } = near
  await settle(
    db.collection('bugs').insertMany([
      { id: 'a', title: 'one', note: 'secret', open: true },
      { id: 'b', title: 'two', note: 'secret', open: false },
    ]),
  )
  await settle(db.collection('people').insert({ id: 'p', name: 'Ada' }))
  const guest = await connect('board')
  assert.is((await contents(near, guest, 'people')).length, 1)
  const before = guest.shared?.status().policyVersion

  share.setPolicy(
    new ExportPolicy({
      collections: ['bugs'],
      fields: { exclude: ['note'] },
      filter: { bugs: { field: 'open', op: '=', value: true } },
    }),
  )
  await quiet()
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a', title: 'one', open: true }])
  assert.equal(await contents(near, guest, 'people'), [])
  assert.equal(guest.shared?.status().collections, ['bugs'])
  assert.is(guest.shared?.status().policyVersion, share.status().policyVersion)
  assert.is.not(share.status().policyVersion, before)

  share.setPolicy(new ExportPolicy({ collections: ['bugs', 'people'] }))
  await quiet()
  assert.equal(await contents(near, guest, 'bugs'), await contents(near, db, 'bugs'))
  assert.equal(await contents(near, guest, 'people'), [{ id: 'p', name: 'Ada' }])
})

test('a policy that was changed while the guest was away takes effect before connectToShared resolves', async () => {
  const near = await neighbours({ collections: ['bugs', 'people'] })
  const { db, connect, settle, share, world } = near
  await settle(db.collection('bugs').insert({ id: 'a', title: 'one', note: 'secret' }))
  await settle(db.collection('bugs').insert({ id: 'b', title: 'two', hidden: true }))
  await settle(db.collection('people').insert({ id: 'p', name: 'Ada' }))
  const first = await connect('board')
  await world.simulation.pass(1_000)
  await settle(first.close())

  share.setPolicy(
    new ExportPolicy({
      collections: ['bugs'],
      fields: { exclude: ['note'] },
      filter: { bugs: { not: { field: 'hidden', op: '=', value: true } } },
    }),
  )
  await settle(db.collection('bugs').update('a', { title: 'three' }))
  const guest = await connect('board')

  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a', title: 'three' }])
  assert.equal(await contents(near, guest, 'people'), [])
})

test('a record stays in the guest where it was inserted when it leaves the filter, and only there', async () => {
  const near = await neighbours({
    collections: ['bugs'],
    filter: { bugs: { field: 'open', op: '=', value: true } },
  })
  const { db, connect, settle, quiet, share } = near
  const [mine, other] = [await connect('board', 'readWrite'), await connect('printer')]
  await settle(mine.collection('bugs').insert({ id: 'home', open: true, n: 1 }))
  await settle(db.collection('bugs').insert({ id: 'away', open: true, n: 1 }))
  await quiet()
  assert.is((await contents(near, other, 'bugs')).length, 2)

  await settle(mine.collection('bugs').update('home', { open: false }))
  await settle(db.collection('bugs').update('away', { open: false }))
  await quiet()
  assert.equal(
    (await contents(near, mine, 'bugs')).map((doc) => (doc as Doc).id),
    ['home'],
  )
  assert.equal(await contents(near, other, 'bugs'), [])

  // A full pass does not name it either.
  share.setPolicy(
    new ExportPolicy({ collections: ['bugs'], filter: { bugs: { field: 'open', op: '=', value: 2 } } }),
  )
  await quiet()
  assert.equal(
    (await contents(near, mine, 'bugs')).map((doc) => (doc as Doc).id),
    ['home'],
  )

  await settle(db.collection('bugs').delete('home'))
  await quiet()
  assert.equal(await contents(near, mine, 'bugs'), [])
})

test('what is hidden never crosses: no excluded value, no id and no value of a filtered record is sealed for the wire', async () => {
  const near = await neighbours({
    collections: ['bugs'],
    fields: { exclude: ['note'] },
    filter: { bugs: { field: 'open', op: '=', value: true } },
  })
  const { db, connect, settle, quiet, world } = near
  const sealed: string[] = []
  world.onSealed = (sender, plaintext) => {
    if (sender === 'host') sealed.push(Buffer.from(plaintext).toString('latin1'))
  }
  const bugs = db.collection('bugs')
  await settle(bugs.insert({ id: 'shown-id', open: true, title: 'shown-title', note: 'secret-note' }))
  await settle(bugs.insert({ id: 'secret-id', open: false, title: 'secret-title' }))
  await settle(db.collection('other').insert({ id: 'secret-other', title: 'secret-too' }))
  const guest = await connect('board')
  await settle(bugs.update('shown-id', { note: 'secret-later' }))
  await settle(bugs.update('secret-id', { title: 'secret-change' }))
  await settle(bugs.delete('secret-id'))
  await quiet()

  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'shown-id', open: true, title: 'shown-title' }])
  assert.ok(sealed.some((text) => text.includes('shown-title') && text.includes('shown-id')))
  assert.not.ok(sealed.some((text) => text.includes('secret')))
})

test('a commit that changes nothing that is shared tells nobody anything', async () => {
  const near = await neighbours({ collections: ['bugs'], fields: { exclude: ['note'] } })
  const { db, connect, settle, quiet } = near
  await settle(db.collection('bugs').insert({ id: 'a', title: 'x', note: 1 }))
  const guest = await connect('board')
  const told: unknown[] = []
  guest.collection('bugs').watch('a', (doc) => void told.push(doc))
  await quiet()

  await settle(db.collection('bugs').update('a', { note: 2 }))
  await quiet()
  assert.equal(told, [{ id: 'a', title: 'x' }])
  await settle(db.collection('bugs').update('a', { title: 'y', note: 3 }))
  await quiet()

  assert.equal(told, [
    { id: 'a', title: 'x' },
    { id: 'a', title: 'y' },
  ])
  assert.throws(() => guest.collection('bugs').watch('a', 5 as never), TypeError)
})

test.run()

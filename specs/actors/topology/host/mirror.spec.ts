/** What crosses from a host to its guests: passes, commits, and never a byte that the policy keeps back. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import { BlazeError, limits } from '../../../../runtime/index.ts'
import { createMembers } from '../../database/member.ts'
import type { Members } from '../../database/member.ts'
import { fieldsOf, limited, sharing } from './host-world.ts'
import type { HostWorld } from './host-world.ts'

test('a guest is passed what is there, then gets each commit', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', { a: { n: 1 }, b: { n: 2 } })
  await world.delete('bugs', 'b')
  const guest = await world.attach()
  assert.equal(guest.ids(), ['bugs/a'])
  const [status] = world.guests()
  assert.equal(
    [status?.app, status?.pid, status?.mode, status?.state, status?.lag],
    ['dash', 42, 'readWrite', 'live', 0],
  )

  await world.write('update', 'bugs', { a: { n: 3 } })
  await world.write('insert', 'notes', { x: { text: 'hello' } })
  await world.pass()
  assert.equal(fieldsOf(guest.rows.get('bugs/a')), { n: 3 })
  assert.equal(guest.ids(), ['bugs/a', 'notes/x'])
  await world.delete('bugs', 'a')
  await world.pass()
  assert.equal(guest.ids(), ['notes/x'])
  assert.ok(guest.caughtUp)
})

test('fields and records that the policy keeps back never cross, only tags of records do', async () => {
  const world = await sharing({ policy: limited })
  await world.write('insert', 'bugs', {
    shown: { open: true, title: 'visible title', secret: 'field kept back' },
    'hidden-id': { open: false, title: 'row kept back' },
  })
  await world.write('insert', 'notes', { 'note-id': { text: 'collection kept back' } })
  const guest = await world.attach()
  await world.write('update', 'bugs', { shown: { secret: 'field kept back later' } })
  await world.write('update', 'bugs', { 'hidden-id': { title: 'row kept back later' } })
  await world.write('insert', 'bugs', { 'hidden-too': { open: false, title: 'row kept back at insert' } })
  await world.write('update', 'notes', { 'note-id': { text: 'collection kept back later' } })
  await world.pass()

  assert.equal(guest.ids(), ['bugs/shown'])
  assert.equal(fieldsOf(guest.rows.get('bugs/shown')), { open: true, title: 'visible title' })
  assert.ok(guest.saw('visible title'), 'the search finds what did cross')
  for (const text of ['kept back', 'hidden-id', 'hidden-too', 'note', 'secret']) {
    assert.not(guest.saw(text), text)
  }
})

test('a record that leaves the filter is retracted, and comes again with its return', async () => {
  const world = await sharing({ policy: limited })
  await world.write('insert', 'bugs', { a: { open: true, n: 1 } })
  const guest = await world.attach()

  await world.write('update', 'bugs', { a: { open: false } })
  await world.pass()
  assert.equal(guest.ids(), [])
  assert.equal(
    guest.changes.at(-1)?.items.map(({ kind }) => kind),
    ['retracted'],
  )
  await world.write('update', 'bugs', { a: { open: true, n: 2 } })
  await world.pass()
  assert.equal(fieldsOf(guest.rows.get('bugs/a')), { open: true, n: 2 })
  await world.write('update', 'bugs', { a: { open: false } })
  await world.delete('bugs', 'a')
  await world.pass()
  assert.equal(
    guest.changes.at(-1)?.items.map(({ kind }) => kind),
    ['deleted'],
  )
})

test('a guest that was away gets what changed, also after the host was opened again', async () => {
  const world = await sharing({ policy: limited })
  await world.write('insert', 'bugs', { a: { open: true }, b: { open: true }, c: { open: true } })
  const first = await world.attach()
  first.hangUp()
  await world.pass()
  await world.write('update', 'bugs', { a: { open: false }, b: { n: 2 } })
  await world.delete('bugs', 'c')
  await world.reopen()

  const guest = await world.attach({ from: first })
  assert.not(guest.attachments[0]?.full)
  assert.equal(guest.ids(), ['bugs/b'])
  assert.equal(fieldsOf(guest.rows.get('bugs/b')), { open: true, n: 2 })
  const named = guest.changes.flatMap(({ items }) => items)
  assert.is(named.length, 3)
})

test('a cursor that does not fit leads to a full pass, which removes what it does not name', async () => {
  const world = await sharing({ policy: limited })
  await world.write('insert', 'bugs', { a: { open: true }, b: { open: true } })
  const first = await world.attach()
  const { cursor } = first
  if (cursor === undefined) throw new Error('no cursor')
  first.hangUp()
  await world.write('update', 'bugs', { b: { open: false } })
  const other = new Uint8Array(16).fill(1)

  const wrong = [
    { ...cursor, policy: other },
    { ...cursor, space: other },
    { ...cursor, incarnation: other },
    { ...cursor, arrival: cursor.arrival + 10 },
  ]
  for (const no of wrong) {
    const guest = await world.connect({ from: first })
    guest.attach({ cursor: no })
    await world.until(() => guest.caughtUp, 'the pass')
    assert.ok(guest.attachments[0]?.full)
    assert.equal(guest.ids(), ['bugs/a'])
    // What was hidden before the pass began is not even named.
    assert.is(guest.changes.flatMap(({ items }) => items).length, 1)
    guest.hangUp()
  }
  const fits = await world.attach({ from: first })
  assert.not(fits.attachments[0]?.full)
  assert.equal(fits.ids(), ['bugs/a'])
})

test('a pass that was interrupted goes on from the cursor', async () => {
  const world = await sharing()
  for (let n = 0; n < 6; n += 1) await bulk(world, n * 200, 200)
  const first = await world.connect()
  first.attach()
  await world.until(() => first.changes.length === 2, 'a part of the pass')
  first.hangUp()
  await world.pass()
  assert.not(first.caughtUp)

  const guest = await world.attach({ from: first })
  assert.not(guest.attachments[0]?.full)
  assert.is(guest.ids().length, 1_200)
  const named = guest.changes.reduce((sum, { items }) => sum + items.length, 0)
  assert.ok(named < 1_200, `${named} records were sent again`)
})

test('a guest may take its stream back and attach again over another', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', { a: {} })
  const guest = await world.attach()
  guest.session.reset(guest.stream, new BlazeError('CLOSED', 'enough'))
  await world.pass()
  assert.is(world.guests()[0]?.state, 'authenticated')
  await world.write('insert', 'bugs', { b: {} })
  guest.attach()
  await world.until(() => guest.caughtUp, 'the pass')
  assert.equal(guest.ids(), ['bugs/a', 'bugs/b'])
})

test('a guest that connects while the host writes misses nothing', async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const world = await sharing({ seed })
    await bulk(world, 0, 256)
    const guest = await world.connect()
    guest.attach()
    for (let n = 0; n < 30; n += 1) await world.write('put', 'bugs', { [`r${n * 9}`]: { round: seed } })
    await world.until(() => guest.caughtUp, 'the pass')
    await world.pass()
    const rounds = [...guest.rows.values()].filter((state) => fieldsOf(state)?.['round'] === seed)
    assert.is(rounds.length, 30, `seed ${seed}`)
  }
})

test('a commit is on its way in the turn in which it was synced: only the flush and the wire lie between', async () => {
  const world = await sharing()
  const guest = await world.attach()
  let committedMs = 0
  world.database.onRecords(() => {
    committedMs = world.simulation.now()
  })
  for (let n = 0; n < 100; n += 1) {
    const before = guest.changes.length
    await world.write('insert', 'bugs', { [`r${n}`]: { n } })
    await world.until(() => guest.changes.length > before, 'the commit')
    // Two deferrals of the simulation, each up to 0.2 ms.
    assert.ok(world.simulation.now() - committedMs <= 0.4)
  }
})

test('what the host holds back is not counted as told, and shown when its time comes', async () => {
  const { world, late, members } = await withLateMember()
  await late.write('insert', 'held', { v: 1 })
  await members.send(late, members.first)
  await members.first.write('insert', 'plain', { v: 2 })

  const away = await world.attach()
  const guest = await world.attach({ app: await world.settle(world.group.app('other')) })
  assert.equal(guest.ids(), ['c/plain'])
  assert.ok((guest.cursor?.arrival ?? 0) < guest.upTo, 'the cursor stays below what is held')
  away.hangUp()
  await world.pass(limits.clockAheadMsMax)
  assert.equal(guest.ids(), ['c/held', 'c/plain'])

  const back = await world.attach({ from: away })
  assert.not(back.attachments[0]?.full)
  assert.equal(back.ids(), ['c/held', 'c/plain'])
  assert.is(back.cursor?.arrival, back.upTo)
})

test('a mark after something that is held back is reached', async () => {
  const { world, late, members } = await withLateMember()
  const guest = await world.attach()
  await late.write('insert', 'held', { v: 1 })
  await members.send(late, members.first)

  const { arrival } = await world.settle(guest.mark())
  assert.is(arrival, 1)
  await world.until(() => guest.upTo >= arrival, 'the mark')
  assert.equal([guest.ids(), guest.cursor?.arrival, world.guests()[0]?.lag], [[], 0, 0])
})

async function bulk(world: HostWorld, from: number, count: number): Promise<void> {
  const docs = Object.fromEntries(Array.from({ length: count }, (_, n) => [`r${from + n}`, { n }]))
  assert.is(await world.write('insert', 'bugs', docs), 'ok')
}

/** A shared database, and another device of its space whose clock is ahead. */
async function withLateMember() {
  const base: Members = createMembers()
  const first = await base.add('host')
  const late = await base.add('late', { clockOffsetMs: limits.clockAheadMsMax + 60_000 })
  const members = { ...base, first }
  const world = await sharing({
    simulation: base.simulation,
    database: first.database,
    volume: first.volume,
    policy: new ExportPolicy({ collections: ['c'] }),
  })
  return { world, late, members }
}

test.run()

/** A wall clock that is set back: what was shown stays shown, what was written stays the later, and nothing is written under it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { createMembers } from './member.ts'

/** Milliseconds that the writes themselves take. */
const SPARE_MS = 1_000
const HOUR_MS = 3_600_000

test('a clock that was set back by 5 minutes goes on, one that was set back by more is CLOCK_SKEW until it is near again', async () => {
  const members = createMembers()
  const { simulation } = members
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  assert.is(await alice.write('insert', 'x', { n: 1 }), 'ok')
  await members.send(alice, bob)

  simulation.jump('alice', -limits.clockAheadMsMax + SPARE_MS)
  assert.is(await alice.write('update', 'x', { n: 2 }), 'ok')
  await members.send(alice, bob)
  assert.equal(await bob.get('x'), { id: 'x', n: 2 }, 'the later write is the later, whatever the clock says')

  simulation.jump('alice', -2 * SPARE_MS)
  assert.is(await alice.write('update', 'x', { n: 3 }), 'CLOCK_SKEW')
  assert.is(await alice.delete('x'), 'CLOCK_SKEW')
  assert.equal(await alice.get('x'), { id: 'x', n: 2 })
  simulation.jump('alice', 2 * SPARE_MS)
  assert.is(await alice.write('update', 'x', { n: 4 }), 'ok')
  await members.send(alice, bob)
  assert.equal(await bob.get('x'), { id: 'x', n: 4 })
})

test('what was shown stays shown when the clock is set back by more than 5 minutes, also after reopening; writes that it would lose are CLOCK_SKEW', async () => {
  const members = createMembers()
  const { simulation } = members
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  assert.is(await bob.write('insert', 'of bob', { n: 1 }), 'ok')
  await members.send(bob, alice)
  assert.is(await alice.write('insert', 'mine', { n: 1 }), 'ok')
  assert.is(await alice.write('insert', 'gone', { n: 1 }), 'ok')
  assert.is(await alice.delete('gone'), 'ok')
  const all = [
    { id: 'mine', n: 1 },
    { id: 'of bob', n: 1 },
  ]

  simulation.jump('alice', -HOUR_MS)
  assert.equal(await alice.all(), all)
  assert.equal(await alice.get('of bob'), { id: 'of bob', n: 1 })
  await alice.reopen()
  assert.equal(await alice.all(), all)
  assert.equal(await alice.get('of bob'), { id: 'of bob', n: 1 })
  assert.is(alice.database.status().held.clock, 0)

  assert.is(await alice.write('update', 'mine', { n: 2 }), 'CLOCK_SKEW')
  assert.is(await alice.delete('of bob'), 'CLOCK_SKEW')
  assert.is(await alice.write('restore', 'gone', { n: 2 }), 'CLOCK_SKEW')
  assert.is(await alice.write('insert', 'other', { n: 1 }), 'ok', 'what merges nothing later is written')
  assert.is(await alice.write('update', 'other', { n: 2 }), 'ok')
  simulation.jump('alice', HOUR_MS)
  assert.is(await alice.write('update', 'mine', { n: 2 }), 'ok')
  await members.send(alice, bob)
  assert.equal(await bob.get('mine'), { id: 'mine', n: 2 })
})

test('after a crash too what was written here stays shown with all before it; what came later is held, counted, and shown in time', async () => {
  const members = createMembers()
  const { simulation } = members
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  assert.is(await alice.write('insert', 'before', { n: 1 }), 'ok')
  await alice.reopen()
  const minute = (): Promise<void> => simulation.pass(60_000)
  await minute()
  assert.is(await bob.write('insert', 'of bob', { n: 1 }), 'ok')
  await members.send(bob, alice)
  await minute()
  assert.is(await alice.write('insert', 'after', { n: 1 }), 'ok')
  assert.is(await alice.write('update', 'before', { n: 2 }), 'ok')
  await minute()
  assert.is(await bob.write('insert', 'late', { n: 1 }), 'ok')
  await members.send(bob, alice)
  const written = [
    { id: 'after', n: 1 },
    { id: 'before', n: 2 },
    { id: 'of bob', n: 1 },
  ]

  simulation.jump('alice', -HOUR_MS)
  await alice.crash()
  await simulation.pass(1)
  assert.equal(await alice.all(), written)
  assert.is(alice.database.status().held.clock, 1)
  assert.is(await alice.write('update', 'after', { n: 2 }), 'CLOCK_SKEW', 'it would lose to what is there')
  assert.is(await alice.write('insert', 'other', { n: 1 }), 'ok')
  assert.is(await alice.delete('other'), 'ok')

  await simulation.pass(HOUR_MS)
  assert.is(alice.database.status().held.clock, 0)
  assert.equal(await alice.all(), [...written.slice(0, 2), { id: 'late', n: 1 }, ...written.slice(2)])
})

test.run()

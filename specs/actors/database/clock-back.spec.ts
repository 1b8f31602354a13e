/** A wall clock that is set back: what was written stays the later, and nothing is written until the clock is near again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { createMembers } from './member.ts'

/** Milliseconds that the writes themselves take. */
const SPARE_MS = 1_000

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

test.run()

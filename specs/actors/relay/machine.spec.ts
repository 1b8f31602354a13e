/** What a relay shows when much arrives that it did not wait for, and in which states it can be stopped by a refusal or a fork. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { relayMachine } from '../../../actors/relay/machine.ts'
import { pathOf } from '../../fixtures/visit-path.ts'
import { ConnectionWorld, lastOf, OpenAccess } from '../connection/connection-world.ts'
import { draft, tag } from '../replica/replica-world.ts'

test('a live relay is syncing while a write of more than one part arrives, and live again at its end', async () => {
  const world = new ConnectionWorld(1)
  const pi = await world.member('pi')
  const a = await world.member('a')
  await world.listen(new OpenAccess(pi.space))
  const dialed = world.dial(a)
  await world.rest()
  assert.is(lastOf(dialed).relay?.caughtUp, true)
  const moves: unknown[] = []
  world.system.tap.subscribe((event) => {
    if (event.type === 'machine.state' && event.path.includes('relay')) moves.push(event.details)
  })

  const drafts = Array.from({ length: 64 }, (_, n) => draft(tag(n), 'x'.repeat(16_000), []))
  await world.settle(a.space.replica.write(drafts))
  await world.rest()

  assert.equal(moves, [
    { from: 'live', to: 'syncing', event: 'relay.behind' },
    { from: 'syncing', to: 'live', event: 'relay.caughtUp' },
  ])
})

test('a refusal pauses a relay in every state of its exchange', () => {
  const [spoiled, ready, live] = ['relay.spoiled', 'relay.negotiated', 'relay.caughtUp']

  assert.equal(pathOf(relayMachine, spoiled), ['negotiating', 'paused'])
  assert.equal(pathOf(relayMachine, ready, spoiled), ['negotiating', 'syncing', 'paused'])
  assert.equal(pathOf(relayMachine, ready, live, spoiled), ['negotiating', 'syncing', 'live', 'paused'])
})

test('a fork is shown from every state of the exchange, for a peer may tell of it at any time', () => {
  const [forked, ready, live] = ['relay.forked', 'relay.negotiated', 'relay.caughtUp']

  assert.equal(pathOf(relayMachine, forked), ['negotiating', 'diverged'])
  assert.equal(pathOf(relayMachine, ready, forked), ['negotiating', 'syncing', 'diverged'])
  assert.equal(pathOf(relayMachine, ready, live, forked), ['negotiating', 'syncing', 'live', 'diverged'])
})

test('a misfit is rebasing until it took its round, and can be refused and forked meanwhile', () => {
  const [rebasing, ready] = ['relay.rebasing', 'relay.negotiated']

  assert.equal(pathOf(relayMachine, rebasing, ready), ['negotiating', 'rebasing', 'syncing'])
  assert.equal(pathOf(relayMachine, rebasing, 'relay.spoiled'), ['negotiating', 'rebasing', 'paused'])
  assert.equal(pathOf(relayMachine, rebasing, 'relay.forked'), ['negotiating', 'rebasing', 'diverged'])
})

test('a relay that has ended moves no more', () => {
  const later = ['relay.negotiated', 'relay.caughtUp', 'relay.behind', 'relay.forked', 'relay.spoiled']

  assert.equal(new Set(pathOf(relayMachine, 'relay.spoiled', ...later).slice(1)), new Set(['paused']))
  assert.equal(new Set(pathOf(relayMachine, 'relay.forked', ...later).slice(1)), new Set(['diverged']))
})

test.run()

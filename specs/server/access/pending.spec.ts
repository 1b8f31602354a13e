/** Connections without proof: each bound at its limit and one over, and who gives way. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { PendingTable } from '../../../server/access/pending.ts'
import { createWorld } from '../world.ts'

const own = limits.handshakesPerAddressMax

test('an address has so many places; one more is full while the others are young, and replaces the oldest later', async () => {
  const { env, simulation } = createWorld()
  const pending = new PendingTable(env)
  for (let n = 0; n < own; n++) {
    assert.equal(pending.room('192.0.2.1'), { kind: 'free' })
    pending.add(`client-${n}`, '192.0.2.1')
  }

  assert.equal(pending.room('192.0.2.1'), { kind: 'full' })
  assert.equal(pending.room('192.0.2.2'), { kind: 'free' })
  await simulation.pass(limits.handshakePatienceMs)
  assert.equal(pending.room('192.0.2.1'), { kind: 'full' })
  await simulation.pass(1)
  assert.equal(pending.room('192.0.2.1'), { kind: 'replace', name: 'client-0' })
  assert.is(pending.addressOf('client-0'), '192.0.2.1')

  pending.remove('client-0')
  assert.equal(pending.room('192.0.2.1'), { kind: 'free' })
})

test('all addresses together have so many places; one more replaces the oldest of all', async () => {
  const { env, simulation } = createWorld()
  const pending = new PendingTable(env)
  for (let n = 0; n < limits.handshakesMax; n++) {
    assert.equal(pending.room(`host-${n}`), { kind: 'free' })
    pending.add(`client-${n}`, `host-${n}`)
  }

  assert.equal(pending.room('another'), { kind: 'full' })
  await simulation.pass(limits.handshakePatienceMs + 1)
  assert.equal(pending.room('another'), { kind: 'replace', name: 'client-0' })
  pending.remove('client-0')
  pending.remove('client-0')
  pending.add('client-x', 'another')
  assert.is(pending.size, limits.handshakesMax)
  assert.equal(pending.room('third'), { kind: 'replace', name: 'client-1' })
})

test.run()

/** Failed attempts at codes are counted per address, wait ever longer, in bounded memory. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { AttemptTable } from '../../../server/access/attempt.ts'
import { createWorld } from '../world.ts'

test('an address is exhausted after its failures, alone, until the period has passed', async () => {
  const { env, simulation } = createWorld()
  const attempts = new AttemptTable(env)
  for (let n = 0; n < limits.attemptsMax; n++) {
    assert.is(attempts.exhausted('192.0.2.1'), false)
    attempts.failed('192.0.2.1')
  }

  assert.is(attempts.exhausted('192.0.2.1'), true)
  assert.is(attempts.exhausted('192.0.2.2'), false)

  await simulation.pass(limits.attemptPeriodMs)
  assert.is(attempts.exhausted('192.0.2.1'), false)
})

test('each failure after the free ones doubles the wait, up to an hour, and a calm makes an address as good as new', async () => {
  const { env, simulation } = createWorld()
  const attempts = new AttemptTable(env)
  for (let n = 0; n < limits.attemptsMax; n++) attempts.failed('192.0.2.1')
  const waits: number[] = []
  for (let n = 0; n < 9; n++) {
    waits.push(attempts.waitMs('192.0.2.1') / limits.attemptPeriodMs)
    await simulation.pass(attempts.waitMs('192.0.2.1') - 1)
    assert.is(attempts.exhausted('192.0.2.1'), true)
    await simulation.pass(1)
    assert.is(attempts.exhausted('192.0.2.1'), false)
    attempts.failed('192.0.2.1')
  }
  assert.equal(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])

  await simulation.pass(limits.attemptWaitMaxMs + limits.attemptForgottenMs - 1)
  attempts.failed('192.0.2.1')
  assert.is(attempts.waitMs('192.0.2.1'), limits.attemptWaitMaxMs)
  await simulation.pass(limits.attemptWaitMaxMs + limits.attemptForgottenMs)
  attempts.failed('192.0.2.1')
  assert.is(attempts.exhausted('192.0.2.1'), false)
})

test('when too many addresses fail the oldest is forgotten', () => {
  const attempts = new AttemptTable(createWorld().env)
  for (let n = 0; n < limits.attemptsMax; n++) attempts.failed('first')
  for (let n = 1; n < limits.attemptAddressesMax; n++) attempts.failed(`address ${n}`)
  assert.is(attempts.exhausted('first'), true)

  attempts.failed('one more')

  assert.is(attempts.exhausted('first'), false)
})

test.run()

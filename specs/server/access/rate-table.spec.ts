/** What a device may send: at the rate, above it, and how many devices are remembered. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createSimulation, limits } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { RateTable } from '../../../server/access/index.ts'
import { codeOf } from '../../fixtures/code-of.ts'

const RATE = 1_000
const FULL = (RATE * limits.rateAllowanceMs) / 1_000

function table(): { simulation: Simulation; rates: RateTable } {
  const simulation = createSimulation(1)
  return { simulation, rates: new RateTable(simulation.env('pi'), RATE) }
}

test('a device may send the allowance of a minute at once: the last byte is taken, the next is QUOTA until time has passed', async () => {
  const { simulation, rates } = table()
  rates.take('a', FULL - 1)
  rates.take('a', 1)

  assert.is(
    codeOf(() => rates.take('a', 1)),
    'QUOTA',
  )
  rates.take('a', 0)
  rates.take('b', 1)
  await simulation.pass(1)
  rates.take('a', 1)
  assert.is(
    codeOf(() => rates.take('a', 1)),
    'QUOTA',
  )
})

test('what is longer than the allowance passes once, and is paid for before anything else', async () => {
  const { simulation, rates } = table()
  rates.take('a', 2 * FULL)
  await simulation.pass(limits.rateAllowanceMs)
  assert.is(
    codeOf(() => rates.take('a', 1)),
    'QUOTA',
  )

  await simulation.pass(1)
  rates.take('a', 1)
})

test('an idle device saves up no more than the allowance', async () => {
  const { simulation, rates } = table()
  rates.take('a', 1)
  await simulation.pass(10 * limits.rateAllowanceMs)

  rates.take('a', FULL)
  assert.is(
    codeOf(() => rates.take('a', 1)),
    'QUOTA',
  )
})

test('so many devices are remembered; one more takes the place of the one that was silent for longest', () => {
  const { rates } = table()
  rates.take('first', FULL)
  for (let n = 1; n < limits.rateDevicesMax; n++) rates.take(`${n}`, 1)
  assert.is(rates.size, limits.rateDevicesMax)
  assert.is(
    codeOf(() => rates.take('first', 1)),
    'QUOTA',
  )

  rates.take('new', FULL)
  assert.is(rates.size, limits.rateDevicesMax)
  assert.is(
    codeOf(() => rates.take('new', 1)),
    'QUOTA',
  )
  rates.take('1', FULL)
})

test.run()

/** What a guest that waits or closes does not let itself be disturbed by. Work that is under way may end in either. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { GuestEvent } from '../../../../actors/topology/guest/machine.ts'
import { guestMachine } from '../../../../actors/topology/guest/machine.ts'
import { createSimulation, createSystem, machine } from '../../../../runtime/index.ts'

/** The state of a cell that runs the machine, after these events, and the actions it was asked for. */
async function after(...events: readonly GuestEvent['type'][]): Promise<[string | undefined, string[]]> {
  const simulation = createSimulation(1)
  const system = createSystem({ env: simulation.env('node') })
  const done: string[] = []
  const actions = Object.fromEntries(
    ['connect', 'backOff', 'refuse', 'close'].map((name) => [name, () => void done.push(name)]),
  )
  const behaviour = machine<GuestEvent, GuestEvent>({ kind: 'guest', definition: guestMachine, actions })
  const cell = system.spawn({ name: 'guest', behaviour })
  for (const type of events) cell.tell({ type })
  await simulation.pass(1)
  return [system.tree()[0]?.state, done]
}

test('a copy that fails while the guest waits for its next attempt does not begin the wait again', async () => {
  assert.equal(await after('guest.failed', 'guest.failed'), ['failover', ['connect', 'backOff']])
})

test('a guest that closes is not brought back by what fails or is refused meanwhile', async () => {
  assert.equal(await after('guest.closing', 'guest.failed', 'guest.refused'), [
    'closing',
    ['connect', 'close'],
  ])
})

test('a guest closes once, however often it is asked', async () => {
  assert.equal(await after('guest.closing', 'guest.closing'), ['closing', ['connect', 'close']])
})

test.run()

/** How a database cell waits for a store that cannot be opened, and that it closes once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DatabaseEvent } from '../../../actors/database/machine.ts'
import { databaseMachine } from '../../../actors/database/machine.ts'
import { createSimulation, createSystem, limits, machine } from '../../../runtime/index.ts'
import type { Ref, Simulation } from '../../../runtime/index.ts'

/** A cell that runs the machine and writes down the actions it is asked for. */
function start(): { simulation: Simulation; cell: Ref<DatabaseEvent>; done: string[]; state: () => string } {
  const simulation = createSimulation(1)
  const system = createSystem({ env: simulation.env('node') })
  const done: string[] = []
  const cell = system.spawn({
    name: 'database',
    behaviour: machine<DatabaseEvent, DatabaseEvent>({
      kind: 'database',
      definition: databaseMachine,
      actions: { open: () => void done.push('open'), close: () => void done.push('close') },
    }),
  })
  return { simulation, cell, done, state: () => system.tree()[0]?.state ?? 'gone' }
}

test('a store that could not be opened is tried again after the delay, and not before', async () => {
  const { simulation, cell, done, state } = start()

  cell.tell({ type: 'database.failed' })
  await simulation.pass(limits.reopenDelayMs - 10)
  assert.is(state(), 'failed')
  assert.equal(done, ['open'])
  await simulation.pass(20)

  assert.is(state(), 'opening')
  assert.equal(done, ['open', 'open'])
})

test('a damaged database is not opened again by itself', async () => {
  const { simulation, cell, done, state } = start()

  cell.tell({ type: 'database.damaged' })
  await simulation.pass(limits.reopenDelayMs * 10)

  assert.is(state(), 'damaged')
  assert.equal(done, ['open'])
})

test('a database that waits to be opened again closes at once, and then does not open', async () => {
  const { simulation, cell, done, state } = start()

  cell.tell({ type: 'database.failed' })
  cell.tell({ type: 'database.closing' })
  await simulation.pass(limits.reopenDelayMs * 10)

  assert.is(state(), 'closing')
  assert.equal(done, ['open', 'close'])
})

test('a misfit is opened again to begin its rebase, also when it is found out another time in the middle of one', async () => {
  const { simulation, cell, done, state } = start()

  cell.tell({ type: 'database.opened' })
  cell.tell({ type: 'database.misfit' })
  cell.tell({ type: 'database.rebasing' })
  await simulation.pass(10)
  assert.is(state(), 'rebasing')
  cell.tell({ type: 'database.misfit' })
  await simulation.pass(10)

  assert.is(state(), 'opening')
  assert.equal(done, ['open', 'open', 'open'])
  cell.tell({ type: 'database.rebasing' })
  cell.tell({ type: 'database.opened' })
  await simulation.pass(10)
  assert.is(state(), 'ready')
})

test('a database closes once, however often it is asked', async () => {
  const { simulation, cell, done, state } = start()

  cell.tell({ type: 'database.opened' })
  cell.tell({ type: 'database.closing' })
  cell.tell({ type: 'database.closing' })
  await simulation.pass(10)

  assert.is(state(), 'closing')
  assert.equal(done, ['open', 'close'])
})

test.run()

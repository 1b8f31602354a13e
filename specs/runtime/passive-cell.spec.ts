/** Promises of a passive cell: what stays of it while it sleeps, what has gone with its life, and how it ends. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { groupKey, registryKey, spawnUnder } from '../../runtime/index.ts'
import { createSleeper } from './sleeper.ts'
import type { Script } from './world.ts'
import { infoOf, puppet } from './world.ts'

test('Ref, name, groups and mailbox stay; watchers hear nothing', async () => {
  const { cell, system, simulation, settle } = createSleeper(100)
  const [name, crew] = [registryKey<Script>('sleeper'), groupKey<Script>('crew')]
  const reasons: unknown[] = []
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  watcher.tell((ctx) => ctx.watch(cell, (reason) => () => reasons.push(reason)))
  cell.tell((ctx) => {
    ctx.register(name)
    ctx.join(crew)
  })
  await simulation.pass(500)

  assert.is(infoOf(system, cell)?.state, 'passive')
  assert.is(system.registry.lookup(name), cell)
  assert.equal(system.groups.members(crew), [cell])
  assert.equal(reasons, [])
  let woken = 0
  system.groups.broadcast(crew, () => void woken++)
  await settle()
  assert.is(woken, 1)
  assert.equal(reasons, [])
})

test('a watcher of a passive cell hears of its death', async () => {
  const { cell, system, simulation, settle } = createSleeper(100)
  const reasons: unknown[] = []
  await simulation.pass(500)
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  watcher.tell((ctx) => ctx.watch(cell, (reason) => () => reasons.push(reason)))
  await settle()
  assert.equal(reasons, [])

  void cell.stop()
  await settle()

  assert.equal(reasons, [{ kind: 'stopped', final: true }])
})

test('children and what they own go down with the life of their parent', async () => {
  const { simulation, system, log, cell } = createSleeper(100, (ctx) => {
    ctx.spawn({ name: 'child', behaviour: puppet((child) => void child.own(() => log.push('child'))) })
  })
  await simulation.pass(500)

  assert.equal(log, ['start', 'child', 'stop', 'close'])
  assert.equal(
    system.tree().map((info) => info.path),
    ['/sleeper'],
  )
  assert.is(cell.alive, true)
})

test('a passive cell can be stopped and killed, and is gone without a farewell it has no life for', async () => {
  for (const how of ['stop', 'kill'] as const) {
    const { cell, log, simulation, settle, system } = createSleeper(100)
    await simulation.pass(500)

    const down = cell[how]()
    await settle()
    await down

    assert.equal([cell.alive, system.tree().length], [false, 0])
    assert.equal(log, ['start', 'stop', 'close'])
    assert.is(
      cell.tell(() => {}),
      'dead',
    )
  }
})

test('a system that stops ends its passive cells too', async () => {
  const { simulation, system } = createSleeper(100)
  await simulation.pass(500)

  const stopped = system.stop()
  await simulation.pass(1)
  await stopped

  assert.equal(system.tree(), [])
})

test('a crash of a woken life counts and restarts as any other, and keeps the mail', async () => {
  const { cell, log, simulation, system } = createSleeper(undefined)
  cell.tell((ctx) => ctx.passivate())
  await simulation.pass(1)

  cell.tell(boom)
  cell.tell(() => log.push('handled'))
  await simulation.pass(300)

  assert.equal(log, ['start', 'stop', 'close', 'start', 'close', 'start', 'handled'])
  assert.is(infoOf(system, cell)?.restarts, 1)
})

test('a life that crashes as it wakes is restarted after a wait, with its mail', async () => {
  let failing = false
  const { cell, log, simulation, system } = createSleeper(undefined, () => {
    if (!failing) return
    failing = false
    boom()
  })
  cell.tell((ctx) => ctx.passivate())
  await simulation.pass(1)
  failing = true

  cell.tell(() => log.push('handled'))
  await simulation.pass(1)
  assert.is(infoOf(system, cell)?.state, 'restarting')
  await simulation.pass(300)

  assert.is(log.at(-1), 'handled')
})

test('the wait for passivation does not outlive the cell', async () => {
  const { cell, simulation, system, state } = createSleeper(100)
  cell.tell(boom)
  await simulation.pass(20)
  assert.is(state(), 'restarting')
  await simulation.pass(90)
  assert.is(state(), 'running', 'the idle time of the second life has just begun')

  void cell.stop()
  await simulation.pass(500)

  assert.equal(system.tree(), [])
})

test('a link to a passive cell is none: the end of its life was orderly', async () => {
  const { cell, simulation, system, settle, state } = createSleeper(100)
  const other = system.spawn({ name: 'other', behaviour: puppet() })
  await simulation.pass(500)
  assert.is(state(), 'passive')

  other.tell((ctx) => ctx.link(cell))
  await settle()

  assert.is(infoOf(system, other)?.lastError, undefined)
})

test('nothing can be started under a passive cell: it has no life that would supervise', async () => {
  const { cell, simulation } = createSleeper(100)
  await simulation.pass(500)

  assert.throws(
    () => spawnUnder(cell, { name: 'child', behaviour: puppet() }),
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'CELL_DOWN',
  )
})

function boom(): void {
  throw new Error('told to crash')
}

test.run()

/** An action of a machine may do everything that a cell may. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import type { MachineContext, Ref } from '../../runtime/index.ts'
import { groupKey, machine, registryKey } from '../../runtime/index.ts'
import { createWorld, infoOf, puppet, recorder } from './world.ts'
import type { World } from './world.ts'

type Context = MachineContext<Event, Event>

interface Event {
  readonly type: 'act' | 'tick' | 'later' | 'down' | 'free'
  readonly work?: (ctx: Context) => void
}

const stage = setup({ types: { events: {} as Event }, actions: { act() {}, note() {} } }).createMachine({
  id: 'stage',
  initial: 'on',
  states: { on: { on: { act: { actions: 'act' }, '*': { actions: 'note' } } } },
})

/** A machine cell that does what it is told, and the types of all other events that it heard. */
function start(world: World): {
  cell: Ref<Event>
  act: (work: (ctx: Context) => void) => Promise<void>
  heard: string[]
} {
  const heard: string[] = []
  const cell = world.system.spawn({
    name: 'stage',
    behaviour: machine<Event, Event>({
      kind: 'stage',
      definition: stage,
      actions: {
        act: (ctx, event) => event.work?.(ctx),
        note: (_ctx, event) => void heard.push(event.type),
      },
    }),
  })
  const act = async (work: (ctx: Context) => void): Promise<void> => {
    cell.tell({ type: 'act', work })
    await world.settle()
  }
  return { cell, act, heard }
}

test('an action sets timers that tick as events of the machine', async () => {
  const world = createWorld()
  const { act, heard } = start(world)

  await act((ctx) => {
    ctx.every(100, { type: 'tick' })
    ctx.after(250, { type: 'later' })
  })
  await world.simulation.pass(310)

  assert.equal(heard, ['tick', 'tick', 'later', 'tick'])
})

test('an action runs async work, owns what it opens, and watches other cells', async () => {
  const world = createWorld()
  const { cell, act, heard } = start(world)
  const closed: string[] = []
  const other = world.system.spawn({ name: 'other', behaviour: recorder([]) })

  await act((ctx) => {
    ctx.own(() => closed.push('closed'))
    ctx.watch(other, () => ({ type: 'down' }))
    ctx.run(
      () => Promise.resolve(7),
      (result) => (result.ok && result.value === 7 ? { type: 'later' } : undefined),
    )
  })
  void other.stop()
  await world.settle()
  assert.equal(heard, ['later', 'down'])
  void cell.stop()
  await world.settle()

  assert.equal(closed, ['closed'])
})

test('an action registers its cell under a name, finds others by theirs, and joins and leaves groups', async () => {
  const world = createWorld()
  const { cell, act } = start(world)
  const [name, group] = [registryKey<Event>('stage'), groupKey<Event>('stages')]
  const found: unknown[] = []

  await act((ctx) => {
    ctx.register(name)
    ctx.join(group)
    found.push(ctx.lookup(name))
  })
  assert.is(found[0], cell)
  assert.is(world.system.registry.lookup(name), cell)
  assert.equal(world.system.groups.members(group).length, 1)
  await act((ctx) => ctx.leave(group))

  assert.equal(world.system.groups.members(group).length, 0)
})

test('an action links its cell to another, and unlinks it', async () => {
  const world = createWorld()
  const { cell, act } = start(world)
  const friend = world.system.spawn({ name: 'friend', behaviour: puppet() })
  const stranger = world.system.spawn({ name: 'stranger', behaviour: puppet() })

  await act((ctx) => {
    ctx.link(friend)
    ctx.link(stranger)
    ctx.unlink(stranger)
  })
  stranger.tell((ctx) => ctx.crash(new Error('alone')))
  await world.settle()
  assert.is(infoOf(world.system, cell)?.state, 'on')
  friend.tell((ctx) => ctx.crash(new Error('together')))
  await world.settle()

  assert.is(infoOf(world.system, cell)?.state, 'restarting')
  assert.match(infoOf(world.system, cell)?.lastError ?? '', 'LINKED_CELL_DOWN')
})

test('an action puts the event that it handles aside, and takes it back later, ahead of newer mail', async () => {
  const world = createWorld()
  const { cell, act } = start(world)
  const order: string[] = []
  let ready = false
  const patient: Event = {
    type: 'act',
    work(ctx) {
      if (ready) order.push('patient')
      else order.push(`put aside: ${ctx.stash()}`)
    },
  }

  cell.tell(patient)
  await world.settle()
  await act((ctx) => {
    ready = true
    ctx.unstash()
    order.push('unstashed')
  })

  assert.equal(order, ['put aside: ok', 'unstashed', 'patient'])
})

test('an action sends its cell to sleep, and the next event begins a new life in the initial state', async () => {
  const world = createWorld()
  const { cell, act, heard } = start(world)

  await act((ctx) => ctx.passivate())
  assert.is(infoOf(world.system, cell)?.state, 'passive')
  cell.tell({ type: 'later' })
  await world.settle()

  assert.is(infoOf(world.system, cell)?.state, 'on')
  assert.equal(heard, ['later'])
})

test('an action that crashes its cell does not return, and one that stops it is handled to its end', async () => {
  const world = createWorld()
  const order: string[] = []
  const { cell, act } = start(world)

  await act((ctx) => {
    ctx.crash(new Error('enough'))
    order.push('went on')
  })
  assert.is(infoOf(world.system, cell)?.state, 'restarting')
  await world.simulation.pass(200)
  await act((ctx) => {
    ctx.stopSelf()
    order.push('to its end')
  })

  assert.equal(order, ['to its end'])
  assert.is(infoOf(world.system, cell)?.state, 'restarting')
})

test.run()

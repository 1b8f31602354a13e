/** What a machine cell does when something inside its machine goes wrong, and how its next life begins. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assign, raise, setup } from 'xstate'
import type { MachineContext, Ref, System } from '../../runtime/index.ts'
import { machine } from '../../runtime/index.ts'
import { createWorld, infoOf, recorder } from './world.ts'

interface Event {
  readonly type: 'arm' | 'leave' | 'count' | 'guarded' | 'deferred' | 'spin' | 'wheel' | 'fuse' | 'fetch'
}

/** Each way into the code of an author has its state or event here; which of them misbehaves is set per test. */
const trap = setup({
  types: { context: {} as { count: number }, events: {} as Event },
  actions: {
    onEntry() {},
    onExit() {},
    onFuse() {},
    onFetch() {},
    count: assign({ count: ({ context }) => context.count + 1 }),
    wheel: raise({ type: 'wheel' }),
  },
  guards: {
    broken: () => {
      throw new Error('scales')
    },
  },
  delays: { fuse: 50 },
}).createMachine({
  id: 'trap',
  initial: 'idle',
  context: { count: 0 },
  states: {
    idle: {
      on: {
        arm: 'armed',
        count: { actions: 'count' },
        guarded: { target: 'armed', guard: 'broken' },
        deferred: 'judged',
        spin: 'left',
        wheel: { actions: 'wheel' },
        fuse: 'fused',
        fetch: { actions: 'onFetch' },
      },
    },
    armed: { entry: 'onEntry', exit: 'onExit', on: { leave: 'idle' } },
    judged: { always: { target: 'idle', guard: 'broken' } },
    left: { always: 'right' },
    right: { always: 'left' },
    fused: { after: { fuse: { target: 'idle', actions: 'onFuse' } } },
  },
})

type Actions = Record<string, (ctx: MachineContext<Event>) => void>

function spawnTrap(system: System, actions: Actions = {}): Ref<Event> {
  return system.spawn({
    name: 'trap',
    behaviour: machine<Event>({ kind: 'trap', definition: trap, actions }),
  })
}

/** Tells the events and says what the cell then is, why, and which event became a dead letter. */
async function crashOf(actions: Actions, events: readonly Event['type'][]): Promise<(string | undefined)[]> {
  const { system, simulation } = createWorld()
  const cell = spawnTrap(system, actions)
  for (const type of events) cell.tell({ type })
  await simulation.pass(60)
  const info = infoOf(system, cell)
  return [info?.state, info?.lastError, system.deadLetters.list()[0]?.message]
}

function fails(text: string): () => void {
  return () => {
    throw new Error(text)
  }
}

test('a throw in an entry action crashes the cell', async () => {
  assert.equal(await crashOf({ onEntry: fails('spring') }, ['arm']), ['restarting', 'Error: spring', 'arm'])
})

test('a throw in an exit action crashes the cell', async () => {
  assert.equal(await crashOf({ onExit: fails('spring') }, ['arm', 'leave']), [
    'restarting',
    'Error: spring',
    'leave',
  ])
})

test('a throw in the action of a delayed transition crashes the cell', async () => {
  assert.equal(await crashOf({ onFuse: fails('powder') }, ['fuse']), [
    'restarting',
    'Error: powder',
    'machine.after',
  ])
})

test('a throw in a guard crashes the cell and names the guard', async () => {
  const [state, error, letter] = await crashOf({}, ['guarded'])

  assert.is(state, 'restarting')
  assert.match(error ?? '', /'broken'.*\n?.*scales/)
  assert.is(letter, 'guarded')
})

test('a throw in the guard of an eventless transition crashes the cell', async () => {
  assert.equal(await crashOf({}, ['deferred']), ['restarting', 'Error: scales', 'deferred'])
})

test('an endless loop of eventless transitions crashes the cell instead of hanging', async () => {
  const [state, error, letter] = await crashOf({}, ['spin'])

  assert.is(state, 'restarting')
  assert.match(error ?? '', 'Infinite loop detected: the machine has processed more than 1000 microsteps')
  assert.is(letter, 'spin')
})

test('an endless loop of raised events crashes the cell instead of hanging', async () => {
  const [state, error] = await crashOf({}, ['wheel'])

  assert.is(state, 'restarting')
  assert.match(error ?? '', 'Infinite loop detected')
})

test('a machine that loops from its first moment crashes its cell', async () => {
  const { system, settle } = createWorld()
  const definition = setup({}).createMachine({
    id: 'top',
    initial: 'left',
    states: { left: { always: 'right' }, right: { always: 'left' } },
  })
  const cell = system.spawn({ name: 'top', behaviour: machine<Event>({ kind: 'top', definition }) })
  await settle()

  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.match(infoOf(system, cell)?.lastError ?? '', 'Infinite loop detected')
})

test('an action that returns a promise crashes the cell with ASYNC_HANDLER, and the rejection of the promise is swallowed', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)

  const [state, error, letter] = await crashOf(
    { onFetch: () => Object(Promise.reject(new Error('offline'))) },
    ['fetch'],
  )
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', note)

  assert.is(state, 'restarting')
  assert.match(error ?? '', 'ASYNC_HANDLER: the action onFetch of trap returned a promise')
  assert.is(letter, 'fetch')
  assert.equal(unhandled, [])
})

test('an action of the definition itself, receive and init are refused a promise too', async () => {
  const definition = setup({ actions: { late: () => Object(Promise.resolve()) } }).createMachine({
    id: 'late',
    initial: 'on',
    states: { on: { on: { fetch: { actions: 'late' } } } },
  })
  const errors: string[] = []
  const behaviours = [
    machine<Event>({ kind: 'late', definition }),
    machine<Event>({ kind: 'late', definition, receive: () => Object(Promise.resolve()) }),
    machine<Event>({ kind: 'late', definition, init: () => Object(Promise.resolve()) }),
  ]
  for (const behaviour of behaviours) {
    const { system, settle } = createWorld()
    const cell = system.spawn({ name: 'late', behaviour })
    cell.tell({ type: 'fetch' })
    await settle()
    errors.push(infoOf(system, cell)?.lastError?.split(' returned')[0] ?? 'none')
  }

  assert.equal(errors, [
    'ASYNC_HANDLER: the action late of late',
    'ASYNC_HANDLER: receive of late',
    'ASYNC_HANDLER: init of late',
  ])
})

test('a guard that returns a promise crashes the cell, for a promise would always pass', async () => {
  const { system, settle } = createWorld()
  const definition = setup({
    guards: { asked: () => Object(Promise.resolve(false)) },
  }).createMachine({
    id: 'gate',
    initial: 'shut',
    states: { shut: { on: { arm: { target: 'open', guard: 'asked' } } }, open: {} },
  })
  const cell = system.spawn({ name: 'gate', behaviour: machine<Event>({ kind: 'gate', definition }) })
  cell.tell({ type: 'arm' })
  await settle()

  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.match(infoOf(system, cell)?.lastError ?? '', 'the guard asked of gate returned a promise')
})

test('a message that is no event, or is an event of XState itself, crashes the cell', async () => {
  for (const message of [7, { kind: 'arm' }, { type: 'xstate.stop' }]) {
    const { system, settle } = createWorld()
    const cell = system.spawn({
      name: 'trap',
      behaviour: machine<unknown>({ kind: 'trap', definition: trap }),
    })
    cell.tell(message)
    await settle()

    assert.is(infoOf(system, cell)?.state, 'restarting')
    assert.match(infoOf(system, cell)?.lastError ?? '', 'not an event')
  }
})

test('the life after a crash begins in the initial state, and in the initial context', async () => {
  const { system, simulation } = createWorld()
  const counts: unknown[] = []
  const definition = trap.provide({ actions: { onFetch: ({ context }) => void counts.push(context.count) } })
  const cell = system.spawn({
    name: 'trap',
    behaviour: machine<Event>({ kind: 'trap', definition, actions: { onEntry: fails('spring') } }),
  })

  for (const type of ['count', 'count', 'fetch', 'arm'] as const) cell.tell({ type })
  await simulation.pass(1)
  assert.is(infoOf(system, cell)?.state, 'restarting')
  await simulation.pass(200)
  cell.tell({ type: 'fetch' })
  await simulation.pass(1)

  assert.is(infoOf(system, cell)?.state, 'idle')
  assert.equal(counts, [2, 0])
})

test('a delayed transition of the life that crashed never fires in the next one', async () => {
  const { system, simulation } = createWorld()
  const fired: string[] = []
  const definition = setup({
    types: { events: {} as Event },
    actions: { fire() {}, boom() {} },
  }).createMachine({
    id: 'bomb',
    initial: 'lit',
    states: {
      lit: { on: { arm: 'ticking' } },
      ticking: { after: { 1000: { target: 'lit', actions: 'fire' } }, on: { fuse: { actions: 'boom' } } },
    },
  })
  const actions = { fire: () => void fired.push('fire'), boom: fails('boom') }
  const cell = system.spawn({
    name: 'bomb',
    behaviour: machine<Event>({ kind: 'bomb', definition, actions }),
  })

  cell.tell({ type: 'arm' })
  await simulation.pass(700)
  cell.tell({ type: 'fuse' })
  await simulation.pass(1)
  assert.is(infoOf(system, cell)?.state, 'restarting')
  await simulation.pass(200)
  cell.tell({ type: 'arm' })
  await simulation.pass(500)
  assert.equal(fired, [])
  await simulation.pass(600)

  assert.equal(fired, ['fire'])
})

test('the children and resources of a machine that crashed are gone before its next life begins', async () => {
  const { system, simulation } = createWorld()
  const order: string[] = []
  let lives = 0
  const cell = system.spawn({
    name: 'trap',
    behaviour: machine<Event>({
      kind: 'trap',
      definition: trap,
      init(ctx) {
        const life = ++lives
        order.push(`life ${life}`)
        ctx.signal.addEventListener('abort', () => order.push(`signal ${life}`))
        ctx.own(() => order.push(`disposed ${life}`))
        ctx.watch(ctx.spawn({ name: 'child', behaviour: recorder([]) }), () => ({ type: 'count' }))
      },
      actions: { onEntry: fails('spring') },
    }),
  })
  const child = (): string[] => system.tree().map((info) => info.path)
  await simulation.pass(1)
  assert.equal(child(), ['/trap', '/trap/child'])

  cell.tell({ type: 'arm' })
  await simulation.pass(10)
  assert.equal(child(), ['/trap'])
  assert.equal(order, ['life 1', 'signal 1', 'disposed 1'])
  await simulation.pass(200)

  assert.equal(order, ['life 1', 'signal 1', 'disposed 1', 'life 2'])
  assert.equal(child(), ['/trap', '/trap/child'])
})

test('what an action told others before it threw still arrives', async () => {
  const { system, simulation } = createWorld()
  const heard: string[] = []
  const other = system.spawn({ name: 'other', behaviour: recorder(heard) })
  const cell = spawnTrap(system, {
    onEntry() {
      other.tell('told')
      throw new Error('spring')
    },
  })

  cell.tell({ type: 'arm' })
  await simulation.pass(10)

  assert.equal(heard, ['told'])
  assert.is(infoOf(system, cell)?.state, 'restarting')
})

test.run()

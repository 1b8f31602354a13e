/** Promises of the machine host: statecharts decide, cells act, and nothing of XState escapes the cell. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assign, setup } from 'xstate'
import type { Context, Ref } from '../../runtime/index.ts'
import { createSystem, machine, reducer } from '../../runtime/index.ts'
import { createWorld, infoOf, listen, recorder } from './world.ts'

interface Event {
  readonly type: 'open' | 'close' | 'tick' | 'boom' | 'end' | 'again' | 'both'
}

const door = setup({
  types: { context: {} as { opened: number }, events: {} as Event },
  actions: {
    report() {},
    explode() {},
    sendAgain() {},
    count: assign({ opened: ({ context }) => context.opened + 1 }),
  },
  guards: { fresh: ({ context }) => context.opened < 2 },
  delays: { patience: 100 },
}).createMachine({
  id: 'door',
  initial: 'closed',
  context: { opened: 0 },
  states: {
    closed: {
      entry: 'report',
      on: { open: { target: 'open', guard: 'fresh', actions: ['count', 'report'] } },
    },
    open: {
      initial: 'ajar',
      states: { ajar: { on: { tick: 'wide' } }, wide: {} },
      after: { patience: 'closed' },
      on: {
        close: 'closed',
        boom: { actions: 'explode' },
        end: 'gone',
        again: { actions: 'sendAgain' },
        both: { actions: ['explode', 'sendAgain'] },
      },
    },
    gone: { type: 'final' },
  },
})

test('named actions are called with the context of the cell and the event', async () => {
  const { system, settle } = createWorld()
  const reports: string[] = []
  const cell = system.spawn({
    name: 'door',
    behaviour: machine<Event>({
      kind: 'door',
      definition: door,
      actions: { report: (ctx, event) => reports.push(`${ctx.path} ${ctx.state()} ${event.type}`) },
    }),
  })

  cell.tell({ type: 'open' })
  await settle()

  assert.equal(reports, ['/door closed xstate.init', '/door closed open'])
  assert.is(infoOf(system, cell)?.state, 'open.ajar')
  assert.is(infoOf(system, cell)?.kind, 'door')
})

test('cells of one behaviour each run their own machine in their own context', async () => {
  const { system, settle } = createWorld()
  const reports: string[] = []
  const behaviour = machine<Event>({
    kind: 'door',
    definition: door,
    actions: { report: (ctx, event) => reports.push(`${ctx.path} ${event.type}`) },
  })
  const front = system.spawn({ name: 'front', behaviour })
  const back = system.spawn({ name: 'back', behaviour })
  reports.length = 0

  back.tell({ type: 'open' })
  front.tell({ type: 'open' })
  front.tell({ type: 'tick' })
  await settle()

  assert.equal(reports, ['/back open', '/front open'])
  assert.is(infoOf(system, front)?.state, 'open.wide')
  assert.is(infoOf(system, back)?.state, 'open.ajar')
})

test('an action that starts a cell of its own behaviour goes on in its own context', async () => {
  const { system, settle } = createWorld()
  const reports: string[] = []
  const behaviour = machine<Event>({
    kind: 'door',
    definition: door,
    actions: {
      explode: (ctx) => {
        ctx.spawn({ name: 'inner', behaviour })
      },
      sendAgain: (ctx) => reports.push(ctx.path),
    },
  })
  const outer = system.spawn({ name: 'outer', behaviour })

  outer.tell({ type: 'open' })
  outer.tell({ type: 'both' })
  await settle()

  assert.equal(reports, ['/outer'])
  assert.is(system.tree().length, 2)
})

test('after of a machine runs on the timers of the cell and is cancelled when its state is left', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'door', behaviour: machine<Event>({ kind: 'door', definition: door }) })
  const states = (): string | undefined => infoOf(system, cell)?.state

  cell.tell({ type: 'open' })
  await simulation.pass(99)
  assert.is(states(), 'open.ajar')
  await simulation.pass(3)
  assert.is(states(), 'closed')

  cell.tell({ type: 'open' })
  await simulation.pass(50)
  cell.tell({ type: 'close' })
  cell.tell({ type: 'open' })
  await simulation.pass(200)
  assert.is(states(), 'closed')
})

test('a machine that throws in an action crashes its cell, which restarts in the initial state', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({
    name: 'door',
    behaviour: machine<Event>({
      kind: 'door',
      definition: door,
      actions: {
        explode: () => {
          throw new Error('hinge')
        },
      },
    }),
  })

  cell.tell({ type: 'open' })
  cell.tell({ type: 'boom' })
  await simulation.pass(1)
  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.match(infoOf(system, cell)?.lastError ?? '', 'hinge')
  assert.is(system.deadLetters.list()[0]?.message, 'boom')
  await simulation.pass(200)

  assert.is(infoOf(system, cell)?.state, 'closed')
  assert.is(infoOf(system, cell)?.restarts, 1)
})

test('a machine that throws on entry of its initial state crashes its cell too', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({
    name: 'door',
    behaviour: machine<Event>({
      kind: 'door',
      definition: door,
      actions: {
        report: () => {
          throw new Error('frame')
        },
      },
    }),
  })
  await settle()

  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.match(infoOf(system, cell)?.lastError ?? '', 'frame')
})

test('receive handles data by itself without moving the machine, and turns the rest into events', async () => {
  const { system, settle } = createWorld()
  const data: number[] = []
  const cell = system.spawn({
    name: 'door',
    behaviour: machine<number | 'knock'>({
      kind: 'door',
      definition: door,
      receive(message, ctx) {
        if (message === 'knock') return { type: 'open' }
        data.push(message)
        assert.type(ctx.state(), 'string')
        return undefined
      },
      inspect: () => ({ data: data.length }),
    }),
  })

  cell.tell(7)
  await settle()
  assert.is(infoOf(system, cell)?.state, 'closed')
  cell.tell('knock')
  await settle()

  assert.equal(data, [7])
  assert.is(infoOf(system, cell)?.state, 'open.ajar')
  assert.equal(infoOf(system, cell)?.detail, { data: 1 })
})

test('an event that a machine sends to itself is handled in a later turn, ahead of user mail, without recursion or starving others', async () => {
  const { system, simulation } = createWorld()
  const order: string[] = []
  let left = 20_000
  const cell = system.spawn({
    name: 'door',
    behaviour: machine<Event | { readonly type: 'user' }>({
      kind: 'door',
      definition: door,
      actions: {
        sendAgain(ctx) {
          if (left === 20_000) ctx.send({ type: 'tick' })
          if (--left > 0) ctx.send({ type: 'again' })
          else order.push(`last in ${ctx.state()}`)
        },
      },
      receive(message) {
        if (message.type === 'user') order.push('user')
        return message.type === 'user' ? undefined : message
      },
    }),
  })

  cell.tell({ type: 'open' })
  cell.tell({ type: 'again' })
  cell.tell({ type: 'user' })
  system.spawn({ name: 'other', behaviour: recorder(order) }).tell('other')
  await simulation.run(() => order.length === 3, { virtualMs: 90 })

  assert.equal(order, ['other', 'last in open.wide', 'user'])
})

test('a final state ends the cell like stopSelf', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({
    name: 'door',
    restart: 'transient',
    behaviour: machine<Event>({ kind: 'door', definition: door }),
  })

  cell.tell({ type: 'open' })
  cell.tell({ type: 'end' })
  await settle()

  assert.is(cell.alive, false)
  assert.equal(system.tree(), [])
})

test('init runs before the machine starts, and stop at an orderly end', async () => {
  const { system, settle } = createWorld()
  const order: string[] = []
  const cell = system.spawn({
    name: 'door',
    behaviour: machine<Event>({
      kind: 'door',
      definition: door,
      actions: { report: () => order.push('entry') },
      init: () => order.push('init'),
      stop: () => void order.push('stop'),
    }),
  })
  await settle()
  void cell.stop()
  await settle()

  assert.equal(order, ['init', 'entry', 'stop'])
})

test('the last event of a machine is taken as an orderly stop begins, and not after its end or a crash', async () => {
  for (const [told, expected] of [
    [['open', 'close'], 'stopped'],
    [['open', 'end'], 'stopped'],
    [['open', 'boom'], 'crashed'],
  ] as const) {
    const { system, settle } = createWorld()
    const heard = listen(system)
    const order: string[] = []
    const cell = system.spawn({
      name: 'door',
      restart: 'temporary',
      behaviour: machine<Event>({
        kind: 'door',
        definition: door,
        actions: {
          report: (_ctx, { type }) => void order.push(type),
          explode: () => {
            throw new Error('boom')
          },
        },
        last: { type: 'open' },
        stop: () => void order.push('stop'),
      }),
    })
    for (const type of told) cell.tell({ type })
    await settle()
    if (cell.alive) void cell.stop()
    await settle()

    const [, ...after] = order
    const begun = ['open', ...(told[1] === 'close' ? ['close', 'open'] : [])]
    assert.equal(after, expected === 'crashed' ? begun : [...begun, 'stop'], told[1])
    const moves = heard.filter(({ type }) => type === 'machine.state').map(({ details }) => details['to'])
    assert.is(moves.at(-1), { close: 'open.ajar', end: 'gone', boom: 'open.ajar' }[told[1]], told[1])
  }
})

test('an action that the machine does not name is refused', () => {
  assert.throws(() => machine<Event>({ kind: 'door', definition: door, actions: { repotr() {} } }), /repotr/)
})

test('a chain of 20,000 machine cells passes an event on without recursion', async () => {
  const { system, simulation } = createWorld()
  let arrived = false
  let next: Ref<Event> = system.spawn({
    name: 'end',
    behaviour: reducer<null, Event>({
      kind: 'end',
      init: () => null,
      receive(state) {
        arrived = true
        return state
      },
    }),
  })
  for (let i = 0; i < 20_000; i++) {
    const to = next
    next = system.spawn({
      name: `${i}`,
      behaviour: machine<Event>({
        kind: 'hop',
        definition: hop,
        actions: { pass: (_ctx: Context<Event>) => void to.tell({ type: 'open' }) },
      }),
    })
  }

  next.tell({ type: 'open' })
  const done = await simulation.run(() => arrived, { virtualMs: 10_000 })

  assert.is(done, true)
})

const hop = setup({ types: { events: {} as Event }, actions: { pass() {} } }).createMachine({
  id: 'hop',
  initial: 'on',
  states: { on: { on: { open: { actions: 'pass' } } } },
})

test('the tap shows a machine once by hash, without its data, and every change of state', async () => {
  const { simulation, settle } = createWorld()
  const system = createSystem({ env: simulation.env('node') })
  const first = system.spawn({ name: 'a', behaviour: machine<Event>({ kind: 'door', definition: door }) })
  const events = listen(system)
  system.spawn({ name: 'b', behaviour: machine<Event>({ kind: 'door', definition: door }) })

  first.tell({ type: 'open' })
  await settle()

  const definitions = events.filter((event) => event.type === 'machine.definition')
  assert.is(definitions.length, 1)
  assert.is(definitions[0]?.details['hash'], infoOf(system, first)?.definition)
  const text = JSON.stringify(definitions[0]?.details['definition'])
  assert.match(text, '"patience":"closed"')
  assert.match(text, '"guard":"fresh"')
  assert.not.match(text, 'opened')
  const changes = events.filter((event) => event.type === 'machine.state' && event.path === '/a')
  assert.equal(
    changes.map((event) => event.details),
    [{ from: 'closed', to: 'open.ajar', event: 'open' }],
  )
})

test.run()

/** Which machines a cell hosts: those that stay inside themselves. All others are refused when the behaviour is made. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AnyStateMachine } from 'xstate'
import {
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  fromPromise,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import { machine } from '../../runtime/index.ts'
import { createWorld, infoOf } from './world.ts'

interface Event {
  readonly type: 'go' | 'ring' | 'hush'
}

const job = fromPromise(() => Promise.resolve(1))

/** What `machine` says of a definition. */
function refusalOf(definition: AnyStateMachine): string {
  try {
    machine<Event>({ kind: 'k', definition })
    return 'taken'
  } catch (error) {
    return error instanceof TypeError ? error.message : `not a TypeError: ${String(error)}`
  }
}

function withEntry(entry: unknown): AnyStateMachine {
  return createMachine({ id: 'm', initial: 'a', states: { a: { entry: Object(entry) } } })
}

test('invoke is refused, with the state that uses it', () => {
  const definition = createMachine({
    id: 'm',
    initial: 'a',
    states: { a: { initial: 'b', states: { b: { invoke: { src: job } } } } },
  })

  assert.is(refusalOf(definition), 'machine: k: m.a.b: invokes an XState actor: start cells with ctx.spawn')
})

test('actors given to setup are refused, even unused', () => {
  const definition = setup({ actors: { job } }).createMachine({ id: 'm', initial: 'a', states: { a: {} } })

  assert.is(refusalOf(definition), 'machine: k: actors.job: is an XState actor: start cells with ctx.spawn')
})

test('every built-in action that reaches out of the machine is refused, with what to use instead', () => {
  const says: [unknown, string][] = [
    [spawnChild(job), 'uses xstate.spawnChild: start cells with ctx.spawn'],
    [stopChild('x'), 'uses xstate.stopChild: stop cells with their ref'],
    [sendTo('x', { type: 'go' }), 'uses xstate.sendTo: tell the ref of a cell, or ctx.send to this machine'],
    [sendParent({ type: 'go' }), 'uses xstate.sendTo: tell the ref of a cell, or ctx.send to this machine'],
    [forwardTo('x'), 'uses xstate.sendTo: tell the ref of a cell, or ctx.send to this machine'],
    [emit({ type: 'go' }), 'uses xstate.emit: use ctx.emit'],
    [log('text'), 'uses xstate.log: use ctx.env.log'],
  ]
  for (const [action, said] of says) assert.is(refusalOf(withEntry(action)), `machine: k: m.a: ${said}`)
})

test('such an action is found wherever a definition may hold it', () => {
  const out = emit({ type: 'go' })
  const named = setup({ actions: { shout: out } })
  const at = (config: object): string =>
    refusalOf(createMachine({ id: 'm', initial: 'a', ...config })).split(': ')[2] ?? ''

  assert.is(at({ states: { a: { exit: out } } }), 'm.a')
  assert.is(at({ on: { go: { actions: out } }, states: { a: {} } }), 'm on go')
  assert.is(at({ states: { a: { always: { actions: [out], guard: () => false } } } }), 'm.a on always')
  assert.is(at({ states: { a: { after: { 5: { actions: out } } } } }), 'm.a on xstate.after.5.m.a')
  assert.is(at({ initial: { target: 'a', actions: out }, states: { a: {} } }), 'm')
  const definition = named.createMachine({ id: 'm', initial: 'a', states: { a: {} } })
  assert.match(refusalOf(definition), 'actions.shout: uses xstate.emit')
})

test('a name of an action, a guard or a delay that the definition does not implement is refused', () => {
  const of = (config: object): string => refusalOf(createMachine({ id: 'm', initial: 'a', ...config }))

  assert.match(of({ states: { a: { entry: 'opne' } } }), 'm.a: names the action opne, which the definition')
  assert.match(of({ states: { a: { exit: { type: 'opne' } } } }), 'm.a: names the action opne')
  assert.match(of({ states: { a: { on: { go: { guard: 'fersh' } } } } }), 'm.a on go: names the guard fersh')
  assert.match(of({ states: { a: { on: { go: { guard: { type: 'fersh' } } } } } }), 'names the guard fersh')
  assert.match(of({ states: { a: { after: { patienc: 'a' } } } }), 'm.a: names the delay patienc')
})

/** The state and the last error of a cell that runs `definition`, after it was told to go. */
async function afterGo(definition: AnyStateMachine): Promise<(string | undefined)[]> {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'k', behaviour: machine<Event>({ kind: 'k', definition }) })
  cell.tell({ type: 'go' })
  await settle()
  const info = infoOf(system, cell)
  return [info?.state, info?.lastError]
}

test('what only shows itself at run time crashes the cell: no XState actor is made, nothing is sent through one', async () => {
  const says = ['restarting', 'TypeError: k: a machine has no XState actors and sends nothing through them']
  const on = (actions: unknown): AnyStateMachine =>
    createMachine({
      id: 'm',
      initial: 'a',
      context: {},
      states: { a: { on: { go: { actions: Object(actions) } } } },
    })

  assert.equal(await afterGo(on(enqueueActions(({ enqueue }) => enqueue.spawnChild(job)))), says)
  assert.equal(
    await afterGo(on(enqueueActions(({ enqueue, self }) => enqueue.sendTo(self, { type: 'go' })))),
    says,
  )
  assert.equal(await afterGo(on(enqueueActions(({ enqueue }) => enqueue.emit({ type: 'go' })))), says)
  assert.equal(await afterGo(on(assign({ child: ({ spawn }) => spawn(job) }))), says)
  assert.equal(
    await afterGo(on(({ self }: { self: { send(event: Event): void } }) => self.send({ type: 'go' }))),
    says,
  )
})

test('raise stays inside the machine: the raised event is handled before the next message', async () => {
  const definition = setup({ types: { events: {} as Event } }).createMachine({
    id: 'm',
    initial: 'a',
    states: {
      a: { on: { go: { target: 'b', actions: raise({ type: 'ring' }) } } },
      b: { on: { ring: 'c', hush: 'wrong' } },
      c: { on: { hush: 'd' } },
      d: {},
      wrong: {},
    },
  })
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'k', behaviour: machine<Event>({ kind: 'k', definition }) })

  cell.tell({ type: 'go' })
  cell.tell({ type: 'hush' })
  await settle()

  assert.is(infoOf(system, cell)?.state, 'd')
})

test('a delayed raise runs on the timers of the cell, and cancel stops it', async () => {
  const definition = setup({ types: { events: {} as Event } }).createMachine({
    id: 'm',
    initial: 'quiet',
    on: {
      go: { actions: raise({ type: 'ring' }, { delay: 100, id: 'bell' }) },
      hush: { actions: cancel('bell') },
      ring: '.loud',
    },
    states: { quiet: {}, loud: {} },
  })
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'k', behaviour: machine<Event>({ kind: 'k', definition }) })

  cell.tell({ type: 'go' })
  await simulation.pass(50)
  cell.tell({ type: 'hush' })
  await simulation.pass(100)
  assert.is(infoOf(system, cell)?.state, 'quiet')
  cell.tell({ type: 'go' })
  await simulation.pass(99)
  assert.is(infoOf(system, cell)?.state, 'quiet')
  await simulation.pass(3)

  assert.is(infoOf(system, cell)?.state, 'loud')
})

test('the name of a parallel state lists its regions, and the machine moves each of them', async () => {
  const definition = setup({ types: { events: {} as Event } }).createMachine({
    id: 'm',
    type: 'parallel',
    states: {
      bell: { initial: 'still', states: { still: { on: { ring: 'ringing' } }, ringing: {} } },
      door: { initial: 'shut', states: { shut: { on: { go: 'open' } }, open: {} } },
    },
  })
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'k', behaviour: machine<Event>({ kind: 'k', definition }) })
  await settle()
  assert.is(infoOf(system, cell)?.state, 'bell.still,door.shut')

  cell.tell({ type: 'go' })
  await settle()

  assert.is(infoOf(system, cell)?.state, 'bell.still,door.open')
})

test('cells of one machine begin alike and then keep their own context', async () => {
  const { system, settle } = createWorld()
  const counts: number[] = []
  const definition = setup({
    types: { context: {} as { count: number }, events: {} as Event },
    actions: {
      count: assign({ count: ({ context }) => context.count + 1 }),
      tell: ({ context }) => void counts.push(context.count),
    },
  }).createMachine({
    id: 'm',
    context: { count: 0 },
    on: { go: { actions: 'count' }, ring: { actions: 'tell' } },
  })
  const behaviour = machine<Event>({ kind: 'k', definition })
  const a = system.spawn({ name: 'a', behaviour })
  const b = system.spawn({ name: 'b', behaviour })

  a.tell({ type: 'go' })
  a.tell({ type: 'ring' })
  b.tell({ type: 'ring' })
  await settle()

  assert.equal(counts, [1, 0])
})

test('a context that a function makes is made anew for every cell', async () => {
  const { system, settle } = createWorld()
  const numbers: unknown[] = []
  let made = 0
  const definition = setup({
    types: { context: {} as { number: number }, events: {} as Event },
    actions: { tell: ({ context }) => void numbers.push(context.number) },
  }).createMachine({ id: 'm', context: () => ({ number: ++made }), on: { go: { actions: 'tell' } } })
  const behaviour = machine<Event>({ kind: 'k', definition })

  for (const name of ['a', 'b']) system.spawn({ name, behaviour }).tell({ type: 'go' })
  await settle()

  assert.equal(numbers, [1, 2])
})

test.run()

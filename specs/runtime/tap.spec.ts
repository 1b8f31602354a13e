/** Promises of the tap: silent and free while nobody listens, never a payload, never a danger to what it observes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import type { Behaviour, TapEvent } from '../../runtime/index.ts'
import { limits, machine, reducer } from '../../runtime/index.ts'
import { Tap } from '../../runtime/tap.ts'
import { createWorld, listen, puppet, recorder } from './world.ts'

test('nothing is built or read while nobody listens', () => {
  const { simulation } = createWorld()
  let clockReads = 0
  const env = simulation.env('node')
  const tap = new Tap({
    ...env,
    now() {
      clockReads++
      return env.now()
    },
  })
  let detailReads = 0
  const details = Object.defineProperty({}, 'a', { enumerable: true, get: () => ++detailReads })
  let described = 0
  const describe = (): { hash: string; definition: unknown } => ({ hash: `${++described}`, definition: {} })

  tap.emit('event', '/a', 1, details)
  tap.define({}, describe)
  assert.equal([tap.active, clockReads, detailReads, described], [false, 0, 0, 0])

  const stop = tap.subscribe(() => {})
  tap.emit('event', '/a', 1, details)
  assert.equal([tap.active, clockReads, detailReads, described], [true, 2, 1, 1])
  stop()
  tap.emit('event', '/a', 1, details)
  assert.equal([tap.active, clockReads, detailReads, described], [false, 2, 1, 1])
})

test('a cell does not even look at the details of an event while nobody listens', async () => {
  const { system, settle } = createWorld()
  let reads = 0
  const details = Object.defineProperty({}, 'a', { enumerable: true, get: () => ++reads })
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => ctx.emit('quiet', details))
  await settle()

  assert.is(reads, 0)
})

test('events of a life: started, crashed, restarted, stopped, each versioned JSON', async () => {
  const { system, simulation } = createWorld()
  const events = listen(system)
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })

  cell.tell('boom')
  await simulation.pass(200)
  void cell.stop()
  await simulation.pass(1)

  assert.equal(
    events.map((event) => event.type),
    ['cell.started', 'cell.crashed', 'message.quarantined', 'cell.restarted', 'cell.stopped'],
  )
  for (const event of events) {
    assert.is(event.v, 1)
    assert.is(event.path, '/a')
    assert.is(event.id, cell.id)
    assert.equal(JSON.parse(JSON.stringify(event)), event)
  }
})

test('payloads are redacted: only the type of a message and plain short details are shown', async () => {
  const { system, settle } = createWorld()
  const events = listen(system)
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) =>
    ctx.emit('sent', {
      count: 3,
      peer: 'p1',
      record: { secret: 'secret' },
      bytes: new TextEncoder().encode('secret'),
      list: ['secret'],
      long: `${'x'.repeat(300)}secret`,
    }),
  )
  await settle()

  const sent = events.find((event) => event.details['event'] === 'sent')
  assert.is(sent?.details['count'], 3)
  assert.is(sent?.details['peer'], 'p1')
  assert.is(sent?.details['record'], '[redacted]')
  assert.is(sent?.details['bytes'], '[redacted]')
  assert.is(sent?.details['list'], '[redacted]')
  assert.not.match(JSON.stringify(events), 'secret')
})

test('a crash shows the type of its message and not the message', async () => {
  const { system, settle } = createWorld()
  const events = listen(system)
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })

  cell.tell('boom')
  await settle()

  const crash = events.find((event) => event.type === 'cell.crashed')
  assert.is(crash?.details['message'], 'string')
})

test('crossing high and low water is an event each, once per crossing', async () => {
  const { system, settle } = createWorld()
  const events = listen(system)
  const cell = system.spawn({ name: 'a', behaviour: recorder([]), mailboxMax: 100 })
  const water = (): unknown[] =>
    events
      .filter((event) => event.type.startsWith('mailbox.'))
      .map((event) => [event.type, event.details['depth']])

  for (let i = 0; i < 100; i++) cell.tell('x')
  assert.equal(water(), [['mailbox.high', 75]])
  await settle()

  assert.equal(water(), [
    ['mailbox.high', 75],
    ['mailbox.low', 25],
  ])
})

test('a listener that throws is removed and counted, and nothing else notices', async () => {
  const { system, settle } = createWorld()
  system.tap.subscribe(() => {
    throw new Error('observer')
  })
  const events = listen(system)
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })
  cell.tell('x')
  await settle()

  assert.is(system.tap.dropped, 1)
  assert.equal(heard, ['x'])
  assert.equal(
    events.map((event) => event.type),
    ['cell.started'],
  )
})

test('the tree shows every cell with its parent, mailbox and restarts', async () => {
  const { system, settle } = createWorld()
  const parent = system.spawn({
    name: 'parent',
    behaviour: puppet((ctx) => ctx.spawn({ name: 'child', behaviour: recorder([]), mailboxMax: 5 })),
  })
  await settle()

  const tree = system.tree()

  assert.equal(
    tree.map((info) => [info.path, info.kind, info.parent, info.state, info.mailbox]),
    [
      ['/parent', 'puppet', null, 'running', { depth: 0, max: 1024 }],
      ['/parent/child', 'recorder', parent.id, 'running', { depth: 0, max: 5 }],
    ],
  )
  assert.ok(tree.every((info) => info.since > 1_700_000_000_000))
})

test('a message is not even looked at while no listener asked for messages', async () => {
  const { system, settle } = createWorld()
  let reads = 0
  const message = Object.defineProperty({}, 'type', { get: () => `read ${++reads}` })
  const events = listen(system)
  const cell = system.spawn({ name: 'a', behaviour: sink() })

  cell.tell(message)
  await settle()
  assert.equal([system.tap.messages, reads], [false, 0])
  assert.equal(typesOf(events), ['cell.started'])

  const stop = system.tap.subscribe(() => {}, { messages: true })
  cell.tell(message)
  await settle()
  assert.equal([system.tap.messages, reads > 0], [true, true])
  stop()
  const before = reads
  cell.tell(message)
  await settle()
  assert.equal([system.tap.messages, reads], [false, before])
})

test('a tap builds nothing of a message that no listener asked for', () => {
  const { simulation } = createWorld()
  const tap = new Tap(simulation.env('node'))
  let reads = 0
  tap.subscribe(() => {})

  tap.emit('message', '/a', 1, Object.defineProperty({}, 'a', { enumerable: true, get: () => ++reads }))

  assert.is(reads, 0)
})

test('messages are shown to the listeners that asked and to no others: type and lane, before they are handled', async () => {
  const { system, simulation } = createWorld()
  const plain = listen(system)
  const asked: TapEvent[] = []
  system.tap.subscribe((event) => asked.push(event), { messages: true })
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => {
    ctx.emit('handled')
    ctx.after(1, (again) => again.emit('later'))
  })
  await simulation.pass(10)

  assert.equal(typesOf(plain), ['cell.started', 'event', 'event'])
  assert.equal(asked.map((event) => [event.type, event.details]).slice(1), [
    ['message', { message: 'function', lane: 'user' }],
    ['event', { event: 'handled' }],
    ['message', { message: 'function', lane: 'system' }],
    ['event', { event: 'later' }],
  ])
})

test('a message shows its type and nothing else of it', async () => {
  const { system, settle } = createWorld()
  const events: TapEvent[] = []
  system.tap.subscribe((event) => events.push(event), { messages: true })
  const cell = system.spawn({ name: 'a', behaviour: sink() })

  cell.tell({ type: 'put', lane: 'secret', record: 'secret' })
  cell.tell('secret')
  cell.ask(() => ({ type: 'get', id: 'secret' }), 1).catch(() => {})
  await settle()

  assert.equal(
    events.filter((event) => event.type === 'message').map((event) => event.details['message']),
    ['put', 'string', 'get'],
  )
  assert.not.match(JSON.stringify(events), 'secret')
})

test('all listeners hear the same order, also of what a listener causes', () => {
  const { system } = createWorld()
  const first: string[] = []
  const second: string[] = []
  system.tap.subscribe((event) => {
    first.push(event.path)
    if (event.path === '/a') system.spawn({ name: 'b', behaviour: sink() })
  })
  system.tap.subscribe((event) => second.push(event.path))

  system.spawn({ name: 'a', behaviour: sink() })

  assert.equal(first, ['/a', '/b'])
  assert.equal(second, first)
})

test('a listener that answers every event with another one comes to an end, and what is left out is counted', () => {
  const { tap } = createTap()
  let heard = 0
  tap.subscribe(() => {
    heard++
    tap.emit('event', '/a', 1)
  })

  tap.emit('event', '/a', 1)

  assert.is(heard, limits.tapCausedMax + 1)
  assert.is(tap.dropped, 1)
  tap.emit('event', '/a', 1)
  assert.is(tap.dropped, 2)
})

test('an event stays small and plain JSON, whatever it was made of', () => {
  const { tap } = createTap()
  const events: TapEvent[] = []
  tap.subscribe((event) => events.push(event))
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field ${i}`, i]))

  tap.emit('event', '/a', 1, { nan: Number.NaN, big: 1n, name: 'x'.repeat(1000), none: undefined })
  tap.emit('event', '/a', 1, many)
  tap.emit('event', '/a', 1, { ['x'.repeat(1000)]: 1 })

  const [odd, wide, long] = events
  assert.equal(odd?.details, {
    nan: null,
    big: '[redacted]',
    name: `${'x'.repeat(limits.tapTextCharsMax)}…`,
    none: '[redacted]',
  })
  assert.is(Object.keys(wide?.details ?? {}).length, limits.tapFieldsMax)
  assert.is(Object.keys(long?.details ?? {})[0]?.length, limits.tapTextCharsMax + 1)
  assert.equal(JSON.parse(JSON.stringify(events)), events)
})

test('a machine that JSON cannot hold runs, and is shown by its id only', () => {
  const { system } = createWorld()
  const events = listen(system)
  const odd = setup({}).createMachine({ id: 'odd', meta: { big: 1n }, initial: 'a', states: { a: {} } })

  system.spawn({ name: 'a', behaviour: machine({ kind: 'odd', definition: odd }) })

  assert.equal(events[0]?.details['definition'], { id: 'odd' })
  assert.equal([system.tree()[0]?.state, system.tree()[0]?.restarts], ['a', 0])
})

test('a cell that rests says so, and its next life says that it was woken', async () => {
  const { system, settle } = createWorld()
  const events = listen(system)
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => ctx.passivate())
  await settle()
  cell.tell(() => {})
  await settle()

  assert.equal(
    events.map((event) => [event.type, event.details]),
    [
      ['cell.started', { kind: 'puppet', parent: null }],
      ['cell.passive', {}],
      ['cell.started', { kind: 'puppet', parent: null, woken: true }],
    ],
  )
})

/** A tap without a system. */
function createTap(): { readonly tap: Tap } {
  return { tap: new Tap(createWorld().simulation.env('node')) }
}

function typesOf(events: readonly TapEvent[]): string[] {
  return events.map((event) => event.type)
}

/** Takes anything and does nothing. */
function sink(): Behaviour<unknown> {
  return reducer<null, unknown>({ kind: 'sink', init: () => null, receive: () => null })
}

test.run()

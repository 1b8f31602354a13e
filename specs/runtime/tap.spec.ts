/** Promises of the tap: silent and free while nobody listens, never a payload, never a danger to what it observes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
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
    ['cell.started', 'cell.crashed', 'cell.restarted', 'cell.stopped'],
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

test.run()

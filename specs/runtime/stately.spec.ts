/**
 * What the Stately inspector is sent. The shapes are those of specs/vectors/stately-inspect.json, which `@statelyai/inspect` 0.7.2
 * itself sent.
 */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Ref, StatelyEvent } from '../../runtime/index.ts'
import { createStatelyExporter, createSystem, machine, spawnUnder, supervisor } from '../../runtime/index.ts'
import { doorIn, exported, house } from './stately-world.ts'
import { createWorld, puppet, recorder } from './world.ts'

type Fields = Readonly<Record<string, unknown>>

const recorded = JSON.parse(
  readFileSync(new URL('../vectors/stately-inspect.json', import.meta.url), 'utf8'),
) as { readonly events: readonly Fields[] }

/** `type name or session value` of each. */
function brief(events: readonly StatelyEvent[]): unknown[] {
  return events.map((event) => {
    if (event.type === '@xstate.event') return [event.sessionId, event.event.type]
    const { status, value } = event.snapshot
    return event.type === '@xstate.actor'
      ? [event.sessionId, 'actor', event.name, event.parentId, status, value]
      : [event.sessionId, 'snapshot', event.event.type, status, value]
  })
}

test('a system becomes a root with its cells below it: first those that live, parents first, then what happens', async () => {
  const { system, simulation } = createWorld()
  const room = system.spawn({
    name: 'room',
    behaviour: puppet((ctx) => ctx.spawn({ name: 'table', behaviour: recorder([]) })),
  })
  const first = doorIn(system, 'first')
  first.tell({ type: 'open' })
  await simulation.pass(1)
  const { events } = exported(system)
  const announced = events.length

  first.tell({ type: 'push' })
  doorIn(system, 'second')
  room.tell((ctx) => ctx.passivate())
  await simulation.pass(1)
  void first.stop()
  await simulation.pass(1)

  assert.equal(brief(events.slice(0, announced)), [
    ['blazedb:0', 'actor', 'blazedb', undefined, 'active', 'running'],
    ['blazedb:1', 'actor', '/room', 'blazedb:0', 'active', 'running'],
    ['blazedb:2', 'actor', '/room/table', 'blazedb:1', 'active', 'running'],
    ['blazedb:3', 'actor', '/first', 'blazedb:0', 'active', { open: 'ajar' }],
  ])
  assert.equal(brief(events.slice(announced)), [
    ['blazedb:4', 'actor', '/second', 'blazedb:0', 'active', 'closed'],
    ['blazedb:4', 'snapshot', 'machine.start', 'active', 'closed'],
    ['blazedb:3', 'push'],
    ['blazedb:3', 'snapshot', 'push', 'active', { open: 'wide' }],
    ['blazedb:1', 'function'],
    ['blazedb:2', 'snapshot', 'cell.stopped', 'stopped', 'running'],
    ['blazedb:1', 'snapshot', 'cell.passive', 'active', 'passive'],
    ['blazedb:3', 'snapshot', 'cell.stopped', 'stopped', { open: 'wide' }],
  ])
})

test('a crash shows as an error with its code, and the next life as active again, in the same session', async () => {
  const { system, simulation } = createWorld()
  const { events } = exported(system)
  const cell = doorIn(system, 'a')
  for (const type of ['open', 'push', 'burn'] as const) cell.tell({ type })
  await simulation.pass(500)

  const after = events.findIndex((event) => event.type === '@xstate.event' && event.event.type === 'burn')
  assert.equal(brief(events.slice(after + 1)), [
    ['blazedb:1', 'snapshot', 'burn', 'error', { open: 'wide' }],
    ['blazedb:1', 'snapshot', 'cell.restarted', 'active', 'closed'],
    ['blazedb:1', 'snapshot', 'machine.start', 'active', 'closed'],
  ])
  const [crash] = events.slice(after + 1)
  assert.is(crash?.type === '@xstate.snapshot' && crash.snapshot.error, 'OVERLOADED')
  assert.is(events.filter((event) => event.type === '@xstate.actor').length, 2)
})

test('what is found down is announced as it is: crashed, resting, given up', async () => {
  const { simulation } = createWorld()
  const system = createSystem({ env: simulation.env('node') })
  const crashed = system.spawn({ name: 'crashed', behaviour: recorder([]) })
  const machineCell = doorIn(system, 'machine')
  const resting = system.spawn({ name: 'resting', behaviour: puppet() })
  const hasty = supervisor({
    kind: 'hasty',
    strategy: 'one_for_one',
    intensity: 0,
    children: [{ name: 'child', behaviour: puppet((ctx) => ctx.crash(new Error('secret'))) }],
  })
  system.spawn({ name: 'hopeless', behaviour: hasty })
  await simulation.pass(60_000)
  crashed.tell('boom')
  for (const type of ['open', 'push', 'burn'] as const) machineCell.tell({ type })
  resting.tell((ctx) => ctx.passivate())
  await simulation.pass(1)

  const { events } = exported(system)

  assert.equal(
    events.slice(1).map((event) => {
      if (event.type !== '@xstate.actor') return event.type
      const { status, value, error } = event.snapshot
      return [event.name, status, value, error]
    }),
    [
      ['/crashed', 'error', 'restarting', 'Error'],
      ['/machine', 'error', 'closed', 'OVERLOADED'],
      ['/resting', 'active', 'passive', undefined],
      ['/hopeless', 'stopped', 'stopped', undefined],
    ],
  )
})

test('every event has the shape that the inspector’s own package gives to it', async () => {
  const events = await dayOfAHouse()
  for (const type of ['@xstate.actor', '@xstate.event', '@xstate.snapshot']) {
    const models = recorded.events.filter((event) => event['type'] === type)
    const ours = events.filter((event) => event.type === type)
    assert.ok(ours.length > 0 && models.length > 0)
    for (const event of ours) checkShape(type, { ...event }, models)
    const snapshots = ours.flatMap((event) => ('snapshot' in event ? [{ ...event.snapshot }] : []))
    const modelSnapshots = recorded.events.flatMap(({ snapshot }) => (isFields(snapshot) ? [snapshot] : []))
    for (const snapshot of snapshots) checkShape('snapshot', snapshot, modelSnapshots)
  }
})

test('every event is JSON of a numbered stream with the wall clock as text', async () => {
  const events = await dayOfAHouse()

  assert.equal(
    events.map((event) => event.id),
    events.map((_, index) => String(index + 1)),
  )
  for (const event of events) {
    assert.match(event.createdAt, /^17356896\d{5}$/)
    assert.is(event.rootId, 'blazedb:0')
    assert.equal(JSON.parse(JSON.stringify(event)), withoutUndefined(event))
  }
})

test('definitions are those of XState as JSON text, and other cells are named by their kind', () => {
  const { system } = createWorld()
  const { events } = exported(system)
  doorIn(system, 'a')
  system.spawn({ name: 'b', behaviour: recorder([]) })
  const definitionOf = (name: string): unknown => {
    const found = events.find((event) => event.type === '@xstate.actor' && event.name === name)
    return found?.type === '@xstate.actor' ? JSON.parse(found.definition) : undefined
  }

  const model = recorded.events.find(({ name, definition }) => name === 'door' && definition !== undefined)
  const { invoke, ...written } = JSON.parse(String(model?.['definition'])) as Fields
  assert.ok(invoke)
  assert.equal(definitionOf('/a'), written)
  assert.equal(definitionOf('/b'), { id: 'recorder' })
})

test('nothing of a message, of a machine’s context or of the text of an error leaves the system', async () => {
  const { system, simulation } = createWorld()
  const { events } = exported(system)
  const cell = doorIn(system, 'a')
  const other = system.spawn({ name: 'b', behaviour: recorder([]) })
  for (const type of ['open', 'push', 'burn'] as const) cell.tell(Object.assign({ type }, { by: 'secret' }))
  other.tell('secret')
  other.tell('boom')
  await simulation.pass(500)

  assert.ok(events.some((event) => event.type === '@xstate.snapshot' && event.snapshot.status === 'error'))
  assert.not.match(JSON.stringify(events), 'secret')
})

test('a stopped cell is forgotten: nothing more is said of it', async () => {
  const { system, settle } = createWorld()
  const { events } = exported(system)
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })
  void cell.stop()
  await settle()
  const before = events.length

  system.tap.emit('message', '/a', cell.id, { message: 'late', lane: 'user' })
  system.tap.emit('cell.stopped', '/a', cell.id, { kind: 'stopped' })

  assert.is(events.length, before)
})

test('after it was stopped an exporter sends nothing, and the tap is as if it had never been', async () => {
  const { system, settle } = createWorld()
  const { events, stop } = exported(system)
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })

  stop()
  const before = events.length
  cell.tell('x')
  await settle()
  stop()

  assert.is(events.length, before)
  assert.equal([system.tap.active, system.tap.messages], [false, false])
})

test('a send that throws ends the exporter and harms nobody; in the first announcement the caller hears of it', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })
  let calls = 0
  const fail = (event: StatelyEvent): void => {
    calls++
    if (event.type === '@xstate.event') throw new Error('the inspector is gone')
  }

  createStatelyExporter(system, fail)
  cell.tell('x')
  cell.tell('y')
  await settle()

  assert.equal([heard, calls, system.tap.dropped, system.tap.active], [['x', 'y'], 3, 1, false])
  assert.throws(
    () =>
      createStatelyExporter(system, () => {
        throw new Error('never there')
      }),
    'never there',
  )
  assert.is(system.tap.active, false)
})

test('a cell that a send starts while the others are announced comes after its parent', () => {
  const { system } = createWorld()
  system.spawn({ name: 'a', behaviour: puppet((ctx) => ctx.spawn({ name: 'b', behaviour: recorder([]) })) })
  const names: string[] = []
  createStatelyExporter(system, (event) => {
    if (event.type === '@xstate.actor') names.push(event.name)
    if (names.length === 1) doorIn(system, `late ${names.length}`)
  })

  assert.equal(names, ['blazedb', '/late 1', '/a', '/a/b'])
})

test('what a send does to a cell that is not announced yet waits for its announcement and that of its parents', async () => {
  const { system, settle } = createWorld()
  const inner: Ref<string>[] = []
  system.spawn({
    name: 'a',
    behaviour: puppet((ctx) => inner.push(ctx.spawn({ name: 'b', behaviour: recorder([]) }))),
  })
  const resting = system.spawn({ name: 'resting', behaviour: puppet() })
  resting.tell((ctx) => ctx.passivate())
  await settle()
  const events: StatelyEvent[] = []

  createStatelyExporter(system, (event) => {
    events.push(event)
    if (events.length > 1) return
    for (const ref of inner) spawnUnder(ref, { name: 'late', behaviour: recorder([]) })
    void resting.stop()
  })

  assert.equal(
    brief(events.slice(1)).map((line) => JSON.stringify(line)),
    [
      ['blazedb:1', 'actor', '/a', 'blazedb:0', 'active', 'running'],
      ['blazedb:2', 'actor', '/a/b', 'blazedb:1', 'active', 'running'],
      ['blazedb:4', 'actor', '/a/b/late', 'blazedb:2', 'active', 'running'],
      ['blazedb:3', 'actor', '/resting', 'blazedb:0', 'active', 'passive'],
      ['blazedb:3', 'snapshot', 'cell.stopped', 'stopped', 'passive'],
    ].map((line) => JSON.stringify(line)),
  )
})

test('an exporter that is made while the tap calls a listener knows the machines too', () => {
  const { system } = createWorld()
  doorIn(system, 'a')
  const events: StatelyEvent[] = []
  let isMade = false
  system.tap.subscribe(() => {
    if (isMade) return
    isMade = true
    createStatelyExporter(system, (event) => events.push(event))
  })

  system.spawn({ name: 'b', behaviour: recorder([]) })

  const found = events.find((event) => event.type === '@xstate.actor' && event.name === '/a')
  assert.match(JSON.stringify(found), 'ajar')
})

/** A life with every kind of event, children and crashes. */
async function dayOfAHouse(): Promise<StatelyEvent[]> {
  const { system, simulation } = createWorld()
  doorIn(system, 'early')
  const { events } = exported(system)
  const cell = doorIn(system, 'late')
  const room = system.spawn({ name: 'room', behaviour: puppet() })
  for (const type of ['open', 'push', 'burn'] as const) cell.tell({ type })
  room.tell((ctx) => ctx.spawn({ name: 'house', behaviour: machine({ kind: 'house', definition: house }) }))
  await simulation.pass(500)
  void system.stop()
  await simulation.pass(1)
  return events
}

/** No field that the package does not send, each of a type that it gives to it, and all that it always sends. */
function checkShape(what: string, event: Fields, models: readonly Fields[]): void {
  for (const [name, value] of Object.entries(event)) {
    if (value === undefined) continue
    const types = new Set(models.filter((model) => name in model).map((model) => typeName(model[name])))
    // The package's types say text, and its code sends null or text.
    if (name === 'id') types.add('text')
    // `unknown` in its types: an Error, which JSON makes an empty object of.
    if (name === 'error') types.add('text')
    assert.ok(types.size > 0 && types.has(typeName(value)), `${what}.${name} is ${typeName(value)}`)
  }
  const always = Object.keys(models[0] ?? {}).filter((name) => models.every((model) => name in model))
  for (const name of always) assert.ok(event[name] !== undefined, `${what}.${name} is missing`)
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'string' ? 'text' : typeof value
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

function withoutUndefined(value: unknown): unknown {
  if (!isFields(value) || Array.isArray(value)) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutUndefined(field)]))
}

test.run()

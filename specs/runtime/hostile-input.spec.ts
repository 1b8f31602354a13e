/** What looks like a message, an error, a behaviour or a log and is hostile: its cell pays for it, and nobody else notices. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import type { Behaviour, Instance, Log } from '../../runtime/index.ts'
import { createSimulation, createSystem, machine, reducer, supervisor } from '../../runtime/index.ts'
import { codeOf, createWorld, infoOf, puppet } from './world.ts'
import type { World } from './world.ts'

const hostile: Readonly<Record<string, () => unknown>> = {
  'whose type throws when it is read': () => ({
    get type(): never {
      throw new Error('type')
    },
  }),
  'that is a revoked proxy': revoked,
  'that refuses to show its prototype': () =>
    new Proxy(
      {},
      {
        getPrototypeOf(): never {
          throw new Error('prototype')
        },
      },
    ),
}

for (const [what, make] of Object.entries(hostile)) {
  test(`a message ${what} crashes the cell that fails on it, and everybody else goes on`, async () => {
    const world = createWorld()
    const cell = world.system.spawn({ name: 'a', behaviour: failing })

    cell.tell(make())
    await world.settle()

    assert.match(infoOf(world.system, cell)?.lastError ?? '', 'refused')
    assert.equal(
      world.system.deadLetters.list().map(({ message }) => message),
      ['object'],
    )
    assert.is(world.system.quarantine.list()[0]?.message, 'object')
    assert.is(await answerOf(world), 'ok')
    await world.simulation.pass(1000)
    assert.is(infoOf(world.system, cell)?.state, 'running')
  })

  test(`a message ${what} can be handled like any other`, async () => {
    const world = createWorld()
    const heard: unknown[] = []
    const message = make()
    const keeper = reducer<null, unknown>({
      kind: 'keeper',
      init: () => null,
      receive(state, told) {
        heard.push(told)
        return state
      },
    })

    const cell = world.system.spawn({ name: 'a', behaviour: keeper })
    cell.tell(message)
    await world.settle()

    assert.ok(heard.length === 1 && heard[0] === message)
    assert.is(infoOf(world.system, cell)?.lastError, undefined)
  })

  test(`a message ${what} that waits at a stop is a dead letter like those behind it, and the stop is over`, async () => {
    const world = createWorld()
    const cell = world.system.spawn({ name: 'a', behaviour: failing })
    let stopped = false

    cell.tell(make())
    cell.tell({ type: 'behind' })
    void cell.stop().then(() => (stopped = true))
    await world.settle()

    assert.ok(stopped)
    assert.is(world.system.tree().length, 0)
    assert.is(cell.tell(make()), 'dead')
    const letters = world.system.deadLetters.list().map(({ message, reason }) => `${message} ${reason}`)
    assert.equal(letters, ['object stopped', 'behind stopped', 'object dead'])
    assert.is(await answerOf(world), 'ok')
  })
}

test('a thrown value that throws when it is looked at is a crash like any other', async () => {
  const world = createWorld()
  const cell = world.system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell(() => {
    // oxlint-disable-next-line typescript/only-throw-error
    throw revoked()
  })
  await world.settle()

  assert.match(infoOf(world.system, cell)?.lastError ?? '', 'cannot be shown')
  assert.is(await answerOf(world), 'ok')
  await world.simulation.pass(1000)
  assert.is(infoOf(world.system, cell)?.restarts, 1)
})

test('a log that throws is not heard, and costs no cell its turn', async () => {
  const simulation = createSimulation(1)
  const refuse = (): never => {
    throw new Error('log')
  }
  const log: Log = { debug: refuse, info: refuse, warn: refuse, error: refuse }
  const system = createSystem({ env: { ...simulation.env('node'), log } })
  const world: World = { simulation, system, settle: () => simulation.pass(1) }
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell(() => {
    throw new Error('boom')
  })
  await world.settle()

  assert.match(infoOf(system, cell)?.lastError ?? '', 'boom')
  assert.is(await answerOf(world), 'ok')
  await simulation.pass(1000)
  assert.is(infoOf(system, cell)?.restarts, 1)
})

test('an inspect that throws shows its error, and hides no other cell', () => {
  const { system } = createWorld()
  const sick = reducer<null, unknown>({
    kind: 'sick',
    init: () => null,
    receive: (state) => state,
    inspect(): never {
      throw new Error('blind')
    },
  })
  const cell = system.spawn({ name: 'a', behaviour: sick })
  system.spawn({ name: 'b', behaviour: puppet() })

  assert.equal(
    system.tree().map(({ path }) => path),
    ['/a', '/b'],
  )
  assert.equal(infoOf(system, cell)?.detail, { error: 'Error: blind' })
})

test('an ask whose message is undefined is a TypeError and tells nothing', async () => {
  const { system, simulation } = createWorld()
  let handled = 0
  const counting = reducer<null, unknown>({
    kind: 'counting',
    init: () => null,
    receive(state) {
      handled++
      return state
    },
  })
  const cell = system.spawn({ name: 'a', behaviour: counting })

  const answer = codeOf(cell.ask(() => undefined, 50))
  await simulation.pass(100)

  assert.match(await answer, 'TypeError')
  assert.is(handled, 0)
})

for (const [what, instance] of Object.entries({ undefined: undefined, 'an object without receive': {} }))
  test(`a start that returns ${what} is a crash: nothing is swallowed`, async () => {
    const { system } = createWorld()
    // What a caller without types may hand in.
    const bad: Behaviour<string> = { kind: 'bad', start: () => instance as unknown as Instance<string> }

    const cell = system.spawn({ name: 'a', behaviour: bad })

    assert.is(infoOf(system, cell)?.state, 'restarting')
    assert.match(infoOf(system, cell)?.lastError ?? '', /TypeError.*receive/)
  })

for (const delay of [Number.NaN, Infinity])
  test(`a machine whose delay is ${delay} crashes, and the clock of the world stays a number`, async () => {
    const definition = setup({ delays: { odd: () => delay } }).createMachine({
      initial: 'waiting',
      states: { waiting: { after: { odd: 'over' } }, over: {} },
    })
    const { system, simulation } = createWorld()
    const began = simulation.now()

    const cell = system.spawn({ name: 'a', behaviour: machine<never>({ kind: 'm', definition }) })
    await simulation.pass(5)

    assert.is(simulation.now(), began + 5)
    assert.match(infoOf(system, cell)?.lastError ?? '', 'TypeError')
  })

test('a listener that subscribed to the tap twice hears each event twice, and each way to stop ends one', () => {
  const { system } = createWorld()
  let heard = 0
  const listener = (): void => void heard++
  const first = system.tap.subscribe(listener)
  const second = system.tap.subscribe(listener)

  system.tap.emit('event', '/a', 1)
  assert.is(heard, 2)
  first()
  first()
  system.tap.emit('event', '/a', 1)
  assert.is(heard, 3)
  second()
  system.tap.emit('event', '/a', 1)
  assert.is(heard, 3)
})

test('a supervisor cannot be told to fall asleep: passivateAfterMs is a TypeError', () => {
  const { system } = createWorld()
  const behaviour = supervisor({ kind: 's', strategy: 'one_for_one', children: [] })

  assert.throws(
    () => system.spawn({ name: 's', passivateAfterMs: 50, behaviour }),
    (error: unknown) => error instanceof TypeError && error.message.includes('passivateAfterMs'),
  )
  assert.is(system.tree().length, 0)
})

const failing = reducer<null, unknown>({
  kind: 'failing',
  init: () => null,
  receive(): never {
    throw new Error('refused')
  },
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Of a bystander in the same system. */
async function answerOf({ system, simulation }: World): Promise<unknown> {
  const bystander = system.spawn({ name: 'bystander', behaviour: puppet() })
  const answer = codeOf(bystander.ask<null>((reply) => () => reply(null), 100))
  await simulation.pass(200)
  return (await answer) === 'none' ? 'ok' : answer
}

test('an error whose text throws is a crash like any other, also when its supervisor gives up', async () => {
  const { system, simulation } = createWorld()
  const unreadable = Object.defineProperty(new Error('x'), 'message', {
    get(): string {
      throw new Error('not to be read')
    },
  })
  const top = system.spawn({
    name: 'top',
    restart: 'temporary',
    behaviour: supervisor({
      kind: 'top',
      strategy: 'one_for_one',
      intensity: 0,
      children: [
        {
          name: 'a',
          behaviour: puppet((ctx) => {
            ctx.after(10, () => {
              throw unreadable
            })
          }),
        },
      ],
    }),
  })

  await simulation.pass(1000)

  assert.is(top.alive, false)
  assert.equal(system.tree(), [])
})

test('a state that throws when it is asked for hides no cell: its status is shown', async () => {
  const { system, settle } = createWorld()
  const sick = {
    kind: 'sick',
    start: () => ({
      receive() {},
      state(): never {
        throw new Error('not now')
      },
    }),
  }
  system.spawn({ name: 'a', behaviour: sick })
  await settle()

  assert.equal(
    system.tree().map(({ path, state }) => [path, state]),
    [['/a', 'running']],
  )
})

test.run()

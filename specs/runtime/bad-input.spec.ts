/** What the kernel does with what it should never have been given. Each is defined, is seen, and harms nobody else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import type { Behaviour, ChildSpec, Ref } from '../../runtime/index.ts'
import { machine, reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { codeOf, createWorld, infoOf, puppet, recorder } from './world.ts'

interface Fault {
  readonly lastError: string
  readonly restarts: number
  readonly alive: boolean
  /** What a sibling heard after it. */
  readonly sibling: readonly string[]
}

/** What becomes of a cell that is told `message`, and of its sibling. */
async function tellTo<M>(behaviour: Behaviour<M>, message: M): Promise<Fault & { world: World }> {
  const world = createWorld()
  const heard: string[] = []
  const sibling = world.system.spawn({ name: 'sibling', behaviour: recorder(heard) })
  const cell = world.system.spawn({ name: 'faulty', behaviour })

  cell.tell(message)
  sibling.tell('still here')
  await world.simulation.pass(1000)

  const { lastError = '', restarts = 0 } = infoOf(world.system, cell) ?? {}
  return { world, lastError, restarts, alive: cell.alive, sibling: heard }
}

test('a handler that throws crashes its cell and nobody else, and the cell restarts', async () => {
  const { lastError, restarts, alive, sibling } = await tellTo(puppet(), () => {
    throw new Error('told to crash')
  })

  assert.equal([lastError, restarts, alive, sibling], ['Error: told to crash', 1, true, ['still here']])
})

test('what is thrown need not be an error', async () => {
  for (const [thrown, text] of [
    ['a word', 'a word'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
  ] as const) {
    const { lastError, restarts } = await tellTo(puppet(), () => {
      // oxlint-disable-next-line typescript/only-throw-error
      throw thrown
    })

    assert.match(lastError, text)
    assert.is(restarts, 1)
  }
})

/** They throw themselves when they are read. */
const unreadable: Readonly<Record<string, () => unknown>> = {
  'an object without a string': () => Object.create(null),
  'an error without a message': () =>
    Object.defineProperty(new Error('x'), 'message', { get: () => assert.unreachable('message was read') }),
  'an error without a stack': () =>
    Object.defineProperty(new Error('x'), 'stack', { get: () => assert.unreachable('stack was read') }),
  'a symbol': () => Symbol('x'),
}

for (const [what, create] of Object.entries(unreadable)) {
  test(`${what} crashes its cell like any other error, and stops nobody else`, async () => {
    const { lastError, restarts, sibling } = await tellTo(puppet(), () => {
      // oxlint-disable-next-line typescript/only-throw-error
      throw create()
    })

    assert.ok(lastError.length > 0)
    assert.equal([restarts, sibling], [1, ['still here']])
  })
}

test('a machine whose action throws crashes its cell, which restarts in the initial state', async () => {
  const definition = setup({ actions: { act() {} } }).createMachine({
    id: 'lamp',
    initial: 'off',
    states: { off: { on: { go: { target: 'on', actions: 'act' } } }, on: {} },
  })
  const act = (): void => {
    throw new Error('from an action')
  }

  const { world, lastError, restarts } = await tellTo(
    machine<{ type: 'go' }>({ kind: 'lamp', definition, actions: { act } }),
    { type: 'go' },
  )

  assert.equal([lastError, restarts], ['Error: from an action', 1])
  assert.is(world.system.tree().find(({ path }) => path === '/faulty')?.state, 'off')
})

/** Handlers that return a promise, which TypeScript accepts where nothing is expected. */
const asyncHandlers: Readonly<Record<string, () => Behaviour<string>>> = {
  'the receive of a reducer': () =>
    reducer<unknown, string>({ kind: 'async', init: () => null, receive: async () => null }),
  'the receive of a reducer, in a promise that rejects': () =>
    reducer<unknown, string>({
      kind: 'async',
      init: () => null,
      receive: () => Promise.reject(new Error('late')),
    }),
  'the receive of a plain behaviour': () => ({
    kind: 'async',
    start: () => ({
      receive: () => Promise.reject(new Error('late')) as unknown as undefined,
    }),
  }),
  'something that only looks like a promise': () =>
    reducer<unknown, string>({
      kind: 'async',
      init: () => null,
      // oxlint-disable-next-line unicorn/no-thenable
      receive: () => ({ then: (done: () => void) => done() }),
    }),
}

for (const [what, create] of Object.entries(asyncHandlers)) {
  test(`${what} is refused: the cell crashes with ASYNC_HANDLER, and no rejection is left unhandled`, async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    try {
      const { lastError, restarts, sibling, world } = await tellTo(create(), 'message')
      await new Promise((resolve) => setImmediate(resolve))

      assert.match(lastError, 'ASYNC_HANDLER')
      assert.match(lastError, 'ctx.run')
      assert.equal([restarts, sibling], [1, ['still here']])
      assert.equal(
        world.system.deadLetters.list().map(({ reason }) => reason),
        ['crashed'],
      )
      assert.equal(unhandled, [])
    } finally {
      process.off('unhandledRejection', note)
    }
  })
}

test('an init that returns a promise crashes the start with ASYNC_HANDLER, again and again until it is given up', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({
    name: 'faulty',
    behaviour: reducer<unknown, string>({ kind: 'async', init: async () => null, receive: () => null }),
  })

  await simulation.pass(120_000)

  assert.match(infoOf(system, cell)?.lastError ?? '', 'ASYNC_HANDLER')
  assert.is(infoOf(system, cell)?.state, 'stopped')
})

test('a plain behaviour whose start returns a promise crashes the start with ASYNC_HANDLER', async () => {
  const start = async (): Promise<{ receive(): void }> => ({ receive() {} })
  const { lastError } = await tellTo({ kind: 'async', start: start as never }, 'message')

  assert.match(lastError, 'ASYNC_HANDLER')
})

test('undefined is no message: a TypeError to the one who tells it', () => {
  const { system } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  assert.throws(() => cell.tell(undefined as never), TypeError)
})

test('a message to a dead cell answers dead, and is a dead letter of which only the type is kept', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })
  void cell.stop()
  await settle()

  assert.is(cell.tell('secret'), 'dead')

  assert.is(system.deadLetters.count, 1)
  assert.equal(
    system.deadLetters.list().map(({ path, reason, message }) => [path, reason, message]),
    [['/a', 'dead', 'string']],
  )
})

test('an ask to a dead cell is CELL_DOWN, and one that nobody answers ASK_TIMEOUT, not before its time', async () => {
  const { system, settle, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const dead = system.spawn({ name: 'b', behaviour: puppet() })
  void dead.stop()
  await settle()
  let code = ''

  void codeOf(cell.ask(() => () => {}, 100)).then((given) => void (code = given))
  assert.is(await codeOf(dead.ask(() => () => {}, 100)), 'CELL_DOWN')
  await simulation.pass(98)
  assert.is(code, '')
  await simulation.pass(3)

  assert.is(code, 'ASK_TIMEOUT')
})

test('an ask without a sensible deadline is a TypeError and tells nothing', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })

  for (const timeoutMs of [0, -1, Number.NaN, Infinity])
    assert.match(await codeOf(cell.ask(() => 'asked', timeoutMs)), 'TypeError: ask: timeoutMs')
  await settle()

  assert.equal(heard, [])
})

test('an ask whose maker throws rejects with that error and tells nothing', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })

  const made = cell.ask(() => {
    throw new Error('no question')
  }, 100)

  assert.match(await codeOf(made), 'no question')
  await settle()
  assert.equal(heard, [])
})

test('a full mailbox answers full and keeps nothing; an ask is OVERLOADED', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard), mailboxMax: 2 })

  const answers = ['1', '2', '3'].map((message) => cell.tell(message))
  const asked = await codeOf(cell.ask(() => 'asked', 100))
  await settle()

  assert.equal([answers, asked, heard], [['ok', 'ok', 'full'], 'OVERLOADED', ['1', '2']])
  assert.is(system.deadLetters.count, 0, 'what is refused is the sender’s')
})

test('a name that is taken is NAME_TAKEN below the root, below a cell and below a supervisor', async () => {
  const { system, settle } = createWorld()
  const spec: ChildSpec<Script> = { name: 'a', behaviour: puppet() }
  const parent = system.spawn(spec)
  const dynamic = supervisor({ kind: 'top', strategy: 'dynamic' })
  const top = system.spawn({ name: 'top', behaviour: dynamic })
  let below: unknown
  parent.tell((ctx) => {
    ctx.spawn(spec)
    try {
      ctx.spawn(spec)
    } catch (error) {
      below = error
    }
  })
  await settle()
  spawnUnder(top, spec)

  for (const start of [
    () => system.spawn(spec),
    () => spawnUnder(top, spec),
    () => {
      throw below
    },
  ])
    assert.throws(
      start,
      (error: unknown) => error instanceof Error && 'code' in error && error.code === 'NAME_TAKEN',
    )
})

test('more children than childrenMax are OVERLOADED, and an ended one makes room', async () => {
  const { system, settle } = createWorld()
  const behaviour = supervisor({ kind: 'top', strategy: 'dynamic', childrenMax: 2 })
  const top = system.spawn({ name: 'top', behaviour })
  const child = (name: string): Ref<Script> => spawnUnder(top, { name, behaviour: puppet() })
  const first = child('a')
  child('b')

  assert.throws(() => child('c'), /has 2 children already/)
  void first.stop()
  await settle()
  child('c')

  assert.equal(
    system.tree().map(({ path }) => path),
    ['/top', '/top/b', '/top/c'],
  )
})

test('a supervisor that gives up crashes with RESTART_LIMIT, whose cause is the last crash of the child', async () => {
  const { system, simulation, settle } = createWorld()
  const errors: unknown[] = []
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  const children = [{ name: 'broken', behaviour: puppet((ctx) => void ctx.after(1, boom)) }]
  const behaviour = supervisor({ kind: 'top', strategy: 'one_for_one', intensity: 0, children })
  const top = system.spawn({ name: 'top', restart: 'temporary', behaviour })
  watcher.tell((ctx) =>
    ctx.watch(
      top,
      ({ kind, final, error }) =>
        () =>
          errors.push(kind, final, error),
    ),
  )
  await settle()

  await simulation.pass(100)

  const [kind, final, error] = errors
  assert.equal([kind, final], ['crashed', true])
  assert.is(error instanceof Error && 'code' in error ? error.code : '', 'RESTART_LIMIT')
  assert.is(
    error instanceof Error && error.cause instanceof Error ? error.cause.message : '',
    'told to crash',
  )
})

test('what is no cell can be neither watched nor given children', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const impostor = { ...cell } as Ref<never>

  assert.throws(() => spawnUnder(impostor, { name: 'child', behaviour: puppet() }), TypeError)
  cell.tell((ctx) => ctx.watch(impostor, () => () => {}))
  await settle()

  assert.match(infoOf(system, cell)?.lastError ?? '', 'TypeError: watch: ref')
})

test('what is neither a function nor closable cannot be owned without harm to the rest', async () => {
  const { system, settle } = createWorld()
  const closed: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    ctx.own(() => closed.push('first'))
    ctx.own({} as () => void)
    ctx.own(() => {
      throw new Error('cannot close')
    })
  })
  await settle()

  void cell.stop()
  await settle()

  assert.equal([closed, system.tree()], [['first'], []])
})

function boom(): void {
  throw new Error('told to crash')
}

test.run()

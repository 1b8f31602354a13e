/** What the kernel does with what it should never have been given. Each is defined, is seen, and harms nobody else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import type { Behaviour, ChildSpec, Ref, SupervisorSpec } from '../../runtime/index.ts'
import { limits, machine, reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
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

test('a thrown thing that cannot even be shown crashes its cell all the same', async () => {
  const { lastError, restarts, sibling } = await tellTo(puppet(), () => {
    // oxlint-disable-next-line typescript/only-throw-error
    throw Object.create(null)
  })

  assert.ok(lastError.length > 0)
  assert.equal([restarts, sibling], [1, ['still here']])
})

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
      async receive() {
        await Promise.reject(new Error('late'))
      },
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

const good = { name: 'a', behaviour: puppet() }

/** What is wrong, the spec, and what the error says. */
const badChildren: readonly (readonly [string, unknown, RegExp])[] = [
  ['no spec', undefined, /expected an object/],
  ['null', null, /expected an object/],
  ['a key with a typo', { ...good, restrat: 'permanent' }, /restrat: unknown; did you mean restart\?/],
  ['a key cut short', { ...good, stopBudget: 5 }, /stopBudget: unknown; did you mean stopBudgetMs\?/],
  ['a key in other case', { ...good, mailboxmax: 5 }, /mailboxmax: unknown; did you mean mailboxMax\?/],
  [
    'a key in British spelling',
    { name: 'a', behavior: puppet() },
    /behavior: unknown; did you mean behaviour\?/,
  ],
  ['a key like no other', { ...good, colour: 'red' }, /colour: unknown; expected one of name, behaviour/],
  ['a key that every object has', { ...good, toString: 'x' }, /toString: unknown/],
  ['no behaviour', { name: 'a' }, /behaviour of a: expected what reducer\(\)/],
  ['null for a behaviour', { name: 'a', behaviour: null }, /behaviour of a: expected/],
  ['a function for a behaviour', { name: 'a', behaviour: () => {} }, /behaviour of a: expected/],
  [
    'a restart kind with a typo',
    { ...good, restart: 'permanant' },
    /restart: expected permanent, transient, temporary, got permanant/,
  ],
  ['no name', { behaviour: puppet() }, /name: expected 1 to/],
  ['an empty name', { ...good, name: '' }, /name: expected 1 to/],
  ['a name with a slash', { ...good, name: 'a/b' }, /without a slash/],
  ['a name too long', { ...good, name: 'x'.repeat(limits.cellNameCharsMax + 1) }, /name: expected 1 to/],
  ['a mailbox of no messages', { ...good, mailboxMax: 0 }, /mailboxMax: expected a whole number from 1/],
  ['half a message', { ...good, mailboxMax: 1.5 }, /mailboxMax: expected a whole number/],
  ['a mailbox without a bound', { ...good, mailboxMax: Infinity }, /mailboxMax: expected a whole number/],
  ['a bound in text', { ...good, mailboxMax: '10' }, /mailboxMax: expected a whole number/],
  ['a stop budget of 0', { ...good, stopBudgetMs: 0 }, /stopBudgetMs: expected more than 0/],
  ['a stop budget without end', { ...good, stopBudgetMs: Infinity }, /stopBudgetMs: expected/],
  ['no idle time', { ...good, passivateAfterMs: 0 }, /passivateAfterMs: expected more than 0/],
  [
    'a significant child that is permanent',
    { ...good, significant: true },
    /significant: expected a transient or temporary/,
  ],
]

for (const [what, spec, says] of badChildren) {
  test(`a child spec with ${what} is a TypeError at every door and starts nothing`, async () => {
    const { system, settle } = createWorld()
    const parent = system.spawn({ name: 'parent', behaviour: puppet() })
    const given = spec as ChildSpec<Script>
    const check = (error: unknown): boolean => error instanceof TypeError && says.test(error.message)

    assert.throws(() => system.spawn(given), check)
    assert.throws(() => spawnUnder(parent, given), check)
    assert.throws(
      () => supervisor({ kind: 'top', strategy: 'one_for_one', children: [given as ChildSpec<never>] }),
      check,
    )
    parent.tell((ctx) => void ctx.spawn(given))
    await settle()

    assert.match(infoOf(system, parent)?.lastError ?? '', 'TypeError')
    assert.is(system.tree().length, 1)
  })
}

const oneForOne = { kind: 'top', strategy: 'one_for_one', children: [] }

const badSupervisors: readonly (readonly [string, unknown, RegExp])[] = [
  ['no kind', { ...oneForOne, kind: undefined }, /kind: expected a name/],
  [
    'a strategy with a typo',
    { ...oneForOne, strategy: 'one_for_two' },
    /strategy: expected one_for_one, .*got one_for_two/,
  ],
  ['a key with a typo', { ...oneForOne, intensty: 3 }, /intensty: unknown; did you mean intensity\?/],
  ['a key cut short', { ...oneForOne, period: 3 }, /period: unknown; did you mean periodMs\?/],
  ['children under dynamic', { kind: 'top', strategy: 'dynamic', children: [] }, /children: unknown/],
  ['a bound of children that are given', { ...oneForOne, childrenMax: 5 }, /childrenMax: unknown/],
  ['no children', { kind: 'top', strategy: 'one_for_all' }, /children: expected a list/],
  ['two children of one name', { ...oneForOne, children: [good, good] }, /two are called a/],
  ['a negative intensity', { ...oneForOne, intensity: -1 }, /intensity: expected a whole number from 0/],
  ['half a restart', { ...oneForOne, intensity: 0.5 }, /intensity: expected a whole number/],
  ['endless restarts', { ...oneForOne, intensity: Infinity }, /intensity: expected a whole number/],
  ['a period of 0', { ...oneForOne, periodMs: 0 }, /periodMs: expected more than 0/],
  ['a backoff that shrinks', { ...oneForOne, backoff: { firstMs: 10, maxMs: 5 } }, /backoff: expected/],
  ['a backoff without its bounds', { ...oneForOne, backoff: { first: 10, max: 50 } }, /backoff/],
  ['a backoff without end', { ...oneForOne, backoff: { firstMs: 1, maxMs: Infinity } }, /backoff/],
  [
    'an automatic shutdown with a typo',
    { ...oneForOne, autoShutdown: 'any' },
    /autoShutdown: expected never/,
  ],
  ['no room for children', { kind: 'top', strategy: 'dynamic', childrenMax: 0 }, /childrenMax: expected/],
]

for (const [what, spec, says] of badSupervisors) {
  test(`a supervisor spec with ${what} is a TypeError when the behaviour is made`, () => {
    assert.throws(
      () => supervisor(spec as SupervisorSpec),
      (error: unknown) => error instanceof TypeError && says.test(error.message),
    )
  })
}

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

  assert.throws(() => spawnUnder(impostor, good), TypeError)
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

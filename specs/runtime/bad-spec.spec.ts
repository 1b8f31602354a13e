/** What the kernel does with specs of children and supervisors that were typed wrong: it says so at the door, and starts nothing. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ChildSpec, ReducerSpec, SupervisorSpec } from '../../runtime/index.ts'
import { limits, reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import type { Script } from './world.ts'
import { createWorld, infoOf, puppet } from './world.ts'

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
  ['a word for significant', { ...good, restart: 'transient', significant: 'yes' }, /significant: expected/],
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

for (const [what, spec, says] of [
  [
    'a key with a typo',
    { kind: 'a', init: () => null, recieve: () => null },
    /recieve: unknown; did you mean receive/,
  ],
  ['no receive', { kind: 'a', init: () => null }, /receive of a: expected a function/],
  ['no init', { kind: 'a', receive: () => null }, /init of a: expected a function/],
] as const) {
  test(`a reducer spec with ${what} is a TypeError when the behaviour is made`, () => {
    assert.throws(
      () => reducer(spec as unknown as ReducerSpec<null, string>),
      (error: unknown) => error instanceof TypeError && says.test(error.message),
    )
  })
}

test.run()

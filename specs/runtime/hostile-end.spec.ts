/** Ends under bad conditions: what hangs, leaks or comes at the wrong moment keeps nothing alive and takes nobody along. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Behaviour, Context, Ref, Timer } from '../../runtime/index.ts'
import { createSystem, reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import { limits } from '../../runtime/limits.ts'
import { createWorld, infoOf, puppet } from './world.ts'
import type { Script, World } from './world.ts'

test('a kill that cuts a farewell short leaves no timer armed', async () => {
  const { system, simulation, pending } = createCountingWorld()
  const cell = system.spawn({ name: 'a', stopBudgetMs: 600_000, behaviour: farewell(forever) })
  let killed = false

  void cell.stop()
  await simulation.pass(10)
  assert.is(pending(), 1)
  void cell.kill().then(() => (killed = true))
  await simulation.pass(10)

  assert.equal([killed, pending()], [true, 0])
})

test('a ref of a cell that has ended keeps neither its state nor its mail', async () => {
  const { system, settle } = createWorld()
  const { cell, state } = spawnHoarder(system)

  void cell.stop()
  await settle()
  await collect()

  assert.is(cell.alive, false)
  assert.is(state.deref(), undefined)
})

test('a cell that waits for its restart keeps nothing of the life before', async () => {
  const { system, settle } = createWorld()
  const { cell, state } = spawnHoarder(system)

  cell.tell(() => {
    throw new Error('boom')
  })
  await settle()
  await collect()

  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.is(state.deref(), undefined)
})

for (const how of ['stop', 'kill'] as const)
  test(`a cell that gave up and stayed in the tree is removed by a ${how} from outside`, async () => {
    const { system, simulation } = createWorld()
    const hopeless: Behaviour<never> = {
      kind: 'hopeless',
      start(): never {
        throw new Error('no')
      },
    }
    const cell = system.spawn({ name: 'a', behaviour: hopeless })
    await simulation.pass(100_000)
    assert.is(infoOf(system, cell)?.state, 'stopped')

    await cell[how]()

    assert.is(system.tree().length, 0)
  })

test('the resource that is one too many is closed like all others', async () => {
  const { system, simulation } = createWorld()
  let made = 0
  let closed = 0
  const cell = system.spawn({ name: 'a', restart: 'temporary', behaviour: puppet() })

  cell.tell((ctx) => {
    for (;;) {
      made++
      ctx.own(() => void closed++)
    }
  })
  await simulation.pass(100)

  assert.equal([cell.alive, made, closed], [false, limits.ownedMax + 1, limits.ownedMax + 1])
})

test('a crash of a parent from inside the start of its child crashes the parent, and not the child', async () => {
  const { system, settle } = createWorld()
  const parent = system.spawn({ name: 'p', behaviour: puppet() })
  let reached = false

  parent.tell((outer) => {
    const behaviour = puppet(() => {
      outer.crash(new Error('of the parent'))
      reached = true
    })
    outer.spawn({ name: 'c', behaviour })
  })
  await settle()

  assert.ok(reached, 'it does not throw in the handler of another cell')
  assert.match(infoOf(system, parent)?.lastError ?? '', 'of the parent')
})

test('a crash that the handler itself catches is a crash all the same', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => {
    try {
      ctx.crash(new Error('meant'))
    } catch {
      // A handler that guards itself against everything.
    }
  })
  await settle()

  assert.match(infoOf(system, cell)?.lastError ?? '', 'meant')
})

const leaks: Readonly<Record<string, (ctx: Context<Script>, target: Ref<Script>) => void>> = {
  runs(ctx) {
    for (let i = 0; i <= limits.runsMax; i++) ctx.run(forever, () => undefined)
  },
  watches(ctx, target) {
    for (let i = 0; i <= limits.watchesMax; i++) ctx.watch(target, () => () => {})
  },
  links(ctx) {
    for (let i = 0; i <= limits.watchesMax; i++)
      ctx.link(ctx.spawn({ name: `c${i}`, restart: 'temporary', behaviour: puppet() }))
  },
}

for (const [what, leak] of Object.entries(leaks))
  test(`a life with more ${what} than the bound crashes: it is a leak`, async () => {
    const { system, settle } = createWorld()
    const target = system.spawn({ name: 'target', behaviour: puppet() })
    const cell = system.spawn({ name: 'a', restart: 'temporary', behaviour: puppet() })
    const crashes: string[] = []
    system.tap.subscribe(({ type, path, details }) => {
      if (type === 'cell.crashed' && path === '/a') crashes.push(String(details['error']))
    })

    cell.tell((ctx) => leak(ctx, target))
    await settle()

    assert.is(crashes.length, 1)
    assert.match(crashes[0] ?? '', `OVERLOADED: /a has too many ${what}`)
  })

test('as many watches as the bound allows may all end at one moment: each is heard', async () => {
  const { system, simulation } = createWorld()
  const target = system.spawn({ name: 'target', behaviour: puppet() })
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let heard = 0

  cell.tell((ctx) => {
    for (let i = 0; i < limits.watchesMax; i++) ctx.watch(target, () => () => void heard++)
  })
  await simulation.pass(1)
  void target.stop()
  await simulation.pass(100)

  assert.is(infoOf(system, cell)?.lastError, undefined)
  assert.is(heard, limits.watchesMax)
})

for (const strategy of ['rest_for_one', 'one_for_all'] as const)
  test(`${strategy}: mail wakes a passive member only when its group is up again`, async () => {
    const { system, simulation } = createWorld()
    const log: string[] = []
    const top = system.spawn({ name: 's', behaviour: supervisor({ kind: 's', strategy, children: [] }) })
    const a = spawnUnder(top, { name: 'a', behaviour: noted(log, 'a') })
    spawnUnder(top, { name: 'b', behaviour: noted(log, 'b', 300) })
    const c = spawnUnder(top, { name: 'c', behaviour: noted(log, 'c') })
    c.tell((ctx) => ctx.passivate())
    await simulation.pass(10)
    assert.is(infoOf(system, c)?.state, 'passive')
    log.length = 0

    a.tell(() => {
      throw new Error('boom')
    })
    await simulation.pass(20)
    c.tell(() => log.push('c handles'))
    await simulation.pass(200)
    assert.equal(log, ['-b'])
    await simulation.pass(2000)

    assert.equal(log, ['-b', '+a', '+b', '+c', 'c handles'])
  })

for (const how of ['stop', 'kill'] as const)
  test(`a ${how}: all hanging resources together cost one budget, the rest is closed at once and costs one more`, async () => {
    const { system, simulation } = createWorld()
    const cell = system.spawn({ name: 'a', stopBudgetMs: 100, behaviour: puppet() })
    let begun = 0
    let ended = -1
    cell.tell((ctx) => {
      for (let i = 0; i < 50; i++) {
        ctx.own(() => {
          begun++
          return forever()
        })
      }
    })
    await simulation.pass(5)

    const asked = simulation.now()
    void cell[how]().then(() => (ended = simulation.now() - asked))
    await simulation.pass(90)
    assert.is(begun, 1, 'each before the next, while there is time')
    await simulation.pass(20)
    assert.is(begun, 50)
    await simulation.pass(60_000)

    assert.ok(ended >= 200 && ended <= 201, `took ${ended} ms`)
  })

test('a link to a cell that is falling asleep is none, and crashes nobody', async () => {
  const { system, simulation } = createWorld()
  const slow = reducer<null, Script>({
    kind: 'slow',
    init: () => null,
    receive(state, script, ctx) {
      script(ctx)
      return state
    },
    stop: (_state, ctx) => new Promise((resolve) => void ctx.env.after(100, resolve)),
  })
  const sleeper = system.spawn({ name: 'sleeper', behaviour: slow })
  const other = system.spawn({ name: 'other', behaviour: puppet() })
  sleeper.tell((ctx) => ctx.passivate())
  await simulation.pass(10)
  assert.is(infoOf(system, sleeper)?.state, 'stopping')

  other.tell((ctx) => ctx.link(sleeper))
  await simulation.pass(200)
  assert.is(infoOf(system, sleeper)?.state, 'passive')
  sleeper.tell(() => {
    throw new Error('boom')
  })
  await simulation.pass(10)

  assert.match(infoOf(system, sleeper)?.lastError ?? '', 'boom')
  assert.is(infoOf(system, other)?.lastError, undefined)
})

function forever(): Promise<never> {
  return new Promise(() => {})
}

function farewell(stop: () => Promise<void>): Behaviour<Script> {
  return reducer<null, Script>({ kind: 'farewell', init: () => null, receive: (state) => state, stop })
}

function noted(log: string[], name: string, stopMs = 0): Behaviour<Script> {
  return reducer<null, Script>({
    kind: name,
    init() {
      log.push(`+${name}`)
      return null
    },
    receive(state, script, ctx) {
      script(ctx)
      return state
    },
    stop(_state, ctx) {
      log.push(`-${name}`)
      return new Promise((resolve) => void ctx.env.after(stopMs, resolve))
    },
  })
}

/** In a function of its own, so that no variable of the test holds the state. */
function spawnHoarder(system: World['system']): { cell: Ref<Script>; state: WeakRef<object> } {
  const state = { much: new Array<number>(10_000).fill(1.5) }
  const hoarder = reducer<{ hoard: object | undefined }, Script>({
    kind: 'hoarder',
    init: () => ({ hoard: hoards.pop() }),
    receive(kept, script, ctx) {
      script(ctx)
      return kept
    },
  })
  const hoards: object[] = [state]
  return { cell: system.spawn({ name: 'hoarder', behaviour: hoarder }), state: new WeakRef(state) }
}

async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  // What a WeakRef was made of is held until the job that made it is over.
  await new Promise((resolve) => setImmediate(resolve))
  if (typeof gc === 'function') gc()
}

/** A world that counts the timers that are armed. */
function createCountingWorld(): World & { pending: () => number } {
  const { simulation } = createWorld()
  const env = simulation.env('counting')
  const armed = new Set<Timer>()
  const after = (delayMs: number, fn: () => void): Timer => {
    const native = env.after(delayMs, () => {
      armed.delete(timer)
      fn()
    })
    const timer: Timer = {
      cancel() {
        armed.delete(timer)
        native.cancel()
      },
    }
    armed.add(timer)
    return timer
  }
  const system = createSystem({ env: { ...env, after } })
  return { simulation, system, settle: () => simulation.pass(1), pending: () => armed.size }
}

test.run()

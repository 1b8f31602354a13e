/** Promises of a cell's timers: on time, never twice at once, never in another life. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context, Ref, Timer } from '../../runtime/index.ts'
import { createSimulation, createSystem, limits } from '../../runtime/index.ts'
import type { Script } from './world.ts'
import { createWorld, infoOf, puppet } from './world.ts'

test('every ticks at a fixed rate from the moment it was asked for', async () => {
  const { system, simulation } = createWorld()
  const times: number[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let since = 0
  cell.tell((ctx) => {
    since = ctx.env.monotonic()
    ctx.every(100, (inner) => times.push(Math.round((inner.env.monotonic() - since) / 10) * 10))
  })

  await simulation.pass(1050)

  assert.equal(times, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
})

test('cancel ends a timer that ticks, also from its own tick and while a tick waits in the mail', async () => {
  const { system, simulation } = createWorld()
  const heard: string[] = []
  const timers: Timer[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    timers.push(ctx.every(100, () => heard.push('outside')))
    const own = ctx.every(100, () => {
      heard.push('own')
      own.cancel()
    })
  })
  await simulation.pass(250)

  timers[0]?.cancel()
  await simulation.pass(500)

  assert.equal(heard.sort(), ['outside', 'outside', 'own'])
})

test('a cancelled tick that lies in the mail already is not handled', async () => {
  const { system, settle, fire } = createHandWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    const ticking = ctx.every(10, () => heard.push('tick'))
    ctx.after(10, () => {
      heard.push('after')
      ticking.cancel()
    })
  })
  await settle()

  // Both lie in the mail before the cell has its turn.
  fire(1)
  fire(0)
  await settle()

  assert.equal(heard, ['after'])
})

test('ticks that were missed are skipped: one of a timer waits at most, and the beat stays', async () => {
  const { system, simulation, env, burn } = createSlowWorld()
  const times: number[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let since = 0
  cell.tell((ctx) => {
    since = env.monotonic()
    ctx.every(100, () => times.push(Math.round((env.monotonic() - since) / 10) * 10))
  })
  await simulation.pass(210)

  // A handler that takes 350 ms: the ticks of 300, 400 and 500 fall into it.
  cell.tell(() => burn(350))
  await simulation.pass(300)

  assert.equal(times.slice(0, 2), [100, 200])
  const late = times[2] ?? 0
  assert.ok(late >= 560 && late < 600, `the missed ticks came once, at ${late}`)
  assert.equal(times.slice(3, 5), [600, 700])
})

test('a tick goes ahead of user mail', async () => {
  const { system, settle, fire } = createHandWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => void ctx.after(10, () => heard.push('tick')))
  await settle()

  cell.tell(() => heard.push('mail'))
  cell.tell(() => heard.push('mail'))
  fire(0)
  await settle()

  assert.equal(heard, ['tick', 'mail', 'mail'])
})

const ends: Readonly<Record<string, (cell: Ref<Script>) => void>> = {
  'a crash': (cell) => void cell.tell(boom),
  'a stop': (cell) => void cell.stop(),
  'a kill': (cell) => void cell.kill(),
  'a passivation': (cell) => void cell.tell((ctx) => ctx.passivate()),
}

for (const [end, endIt] of Object.entries(ends)) {
  test(`timers end with their life: none fires after ${end}, and none is left armed`, async () => {
    const { system, simulation, pending } = createCountingWorld()
    const heard: string[] = []
    const cell = system.spawn({ name: 'a', behaviour: puppet() })
    cell.tell((ctx) => {
      ctx.every(100, () => heard.push('every'))
      ctx.every(50_000, () => heard.push('never'))
      ctx.after(50_000, () => heard.push('never'))
    })
    await simulation.pass(120)
    assert.equal([heard, pending()], [['every'], 3])

    endIt(cell)
    await simulation.pass(1000)

    assert.equal([heard, pending()], [['every'], 0])
  })
}

test('a timer that is asked for after the death of its life never fires, and arms nothing', async () => {
  const { system, simulation, pending } = createCountingWorld()
  let kept: Context<Script> | undefined
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => void (kept = ctx))
  await simulation.pass(1)
  void cell.stop()
  await simulation.pass(1)

  kept?.after(10, () => heard.push('after'))
  kept?.every(10, () => heard.push('every')).cancel()
  assert.is(pending(), 0)
  await simulation.pass(100)

  assert.equal(heard, [])
})

test('a life with more timers than the bound crashes: it is a leak', async () => {
  const { system, settle, pending } = createHandWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    for (let i = 0; i < limits.timersMax; i++) ctx.after(60_000, () => {})
  })
  await settle()
  assert.equal([infoOf(system, cell)?.state, pending()], ['running', limits.timersMax])

  cell.tell((ctx) => void ctx.after(60_000, () => {}))
  await settle()

  assert.match(infoOf(system, cell)?.lastError ?? '', 'OVERLOADED')
  assert.is(pending(), 1, 'all of them are cancelled; what is left is the wait for the restart')
})

test('timers that fired or were cancelled do not count', async () => {
  const { system, settle, fire, pending } = createHandWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => {
    for (let i = 0; i < limits.timersMax; i++) ctx.after(60_000, () => {}).cancel()
  })
  await settle()
  for (let round = 1; round <= 2; round++) {
    cell.tell((ctx) => {
      for (let i = 0; i < limits.timersMax - 1; i++) ctx.after(60_000, () => {})
    })
    await settle()
    assert.is(pending(), limits.timersMax - 1)
    for (let i = 0; i < limits.timersMax - 1; i++)
      fire(limits.timersMax + (limits.timersMax - 1) * (round - 1) + i)
    await settle()
  }

  assert.is(infoOf(system, cell)?.lastError, undefined)
})

for (const [what, ms] of [
  ['after', -1],
  ['after', Number.NaN],
  ['after', Infinity],
  ['every', 0],
  ['every', -1],
  ['every', Number.NaN],
  ['every', Infinity],
] as const) {
  test(`${what} of ${ms} ms is a TypeError and crashes the handler`, async () => {
    const { system, settle } = createWorld()
    const cell = system.spawn({ name: 'a', behaviour: puppet() })

    cell.tell((ctx) => void ctx[what](ms, () => {}))
    await settle()

    assert.match(infoOf(system, cell)?.lastError ?? '', `TypeError: ${what}`)
  })
}

/** A world in which a handler can take time. */
function createSlowWorld(): ReturnType<typeof createWorld> & {
  env: Context<Script>['env']
  burn: (ms: number) => void
} {
  const { simulation } = createWorld()
  const node = simulation.env('slow')
  let burntMs = 0
  const env = {
    ...node,
    monotonic: () => node.monotonic() + burntMs,
    // What was burnt has passed for timers as well.
    after: (delayMs: number, fn: () => void) => {
      const dueMs = node.monotonic() + burntMs + delayMs
      let timer: Timer = { cancel() {} }
      const arm = (): void => {
        const restMs = dueMs - node.monotonic() - burntMs
        timer = node.after(Math.min(Math.max(restMs, 0), 1), () => {
          if (node.monotonic() + burntMs >= dueMs - 1e-6) fn()
          else arm()
        })
      }
      arm()
      return { cancel: () => timer.cancel() }
    },
  }
  const system = createSystem({ env })
  const burn = (ms: number): void => void (burntMs += ms)
  return { simulation, system, env, burn, settle: () => simulation.pass(1) }
}

/** A world whose timers fire by hand, by the number of their order. */
function createHandWorld(): ReturnType<typeof createWorld> & {
  fire: (timer: number) => void
  pending: () => number
} {
  const { simulation } = createWorld()
  const timers: (() => void)[] = []
  const armed = new Set<number>()
  const after = (_delayMs: number, fn: () => void): Timer => {
    const number = timers.push(fn) - 1
    armed.add(number)
    return { cancel: () => void armed.delete(number) }
  }
  const system = createSystem({ env: { ...simulation.env('by hand'), after } })
  const fire = (timer: number): void => {
    armed.delete(timer)
    timers[timer]?.()
  }
  return { simulation, system, settle: () => simulation.pass(1), fire, pending: () => armed.size }
}

/** A world that counts the timers that are armed. */
function createCountingWorld(): ReturnType<typeof createWorld> & { pending: () => number } {
  const simulation = createSimulation(1)
  const node = simulation.env('node')
  const armed = new Set<object>()
  const system = createSystem({
    env: {
      ...node,
      after(delayMs, fn) {
        const mark = {}
        armed.add(mark)
        const timer = node.after(delayMs, () => {
          armed.delete(mark)
          fn()
        })
        return {
          cancel: () => {
            armed.delete(mark)
            timer.cancel()
          },
        }
      },
    },
  })
  return { simulation, system, settle: () => simulation.pass(1), pending: () => armed.size }
}

function boom(): void {
  throw new Error('told to crash')
}

test.run()

/** Promises of the scheduler: no recursion, no starvation, fair turns. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Ref } from '../../runtime/index.ts'
import { createNodeEnv, createSimulation, createSystem, reducer } from '../../runtime/index.ts'
import { createWorld, puppet } from './world.ts'

test('a message travels a ring of 100,000 cells without recursion', async () => {
  const { system, simulation } = createWorld()
  const count = 100_000
  let arrived = 0
  let next: Ref<number> | undefined
  for (let i = 0; i < count; i++) {
    const to = next
    next = system.spawn({
      name: `${i}`,
      behaviour: reducer<null, number>({
        kind: 'hop',
        init: () => null,
        receive(state, hops) {
          if (to === undefined) arrived = hops
          else to.tell(hops + 1)
          return state
        },
      }),
    })
  }

  next?.tell(1)
  const done = await simulation.run(() => arrived > 0, { virtualMs: 10_000 })

  assert.is(done, true)
  assert.is(arrived, count)
})

test('two cells that flood each other for ever do not starve a simulated timer or a third cell', async () => {
  const { system, simulation } = createWorld()
  const counts = flood(system)
  let heard = 0
  const third = system.spawn({ name: 'third', behaviour: puppet() })
  let fired = false
  simulation.env('node').after(5, () => {
    fired = true
    third.tell(() => heard++)
  })

  const done = await simulation.run(() => heard > 0, { virtualMs: 10, steps: 1000 })

  assert.equal([done, fired], [true, true])
  assert.ok(counts.handled > 1000, 'the flood was real')
})

test('two cells that flood each other for ever do not starve a real timer', async () => {
  const env = createNodeEnv()
  const system = createSystem({ env })
  const counts = flood(system)
  let latest = 0

  // A process that gets no CPU for a moment handles little meanwhile: the flood has up to 50 timers.
  for (let i = 0; i < 50 && counts.handled <= 1000; i++) {
    const started = env.monotonic()
    await new Promise<void>((resolve) => void env.after(20, resolve))
    latest = Math.max(latest, env.monotonic() - started)
  }
  await system.stop()

  assert.ok(latest < 500, `a timer came after ${latest} ms`)
  assert.ok(counts.handled > 1000, 'the flood was real')
})

test('a cell with a full mailbox takes turns with its siblings', async () => {
  const { system, settle } = createWorld()
  const order: string[] = []
  const busy = system.spawn({ name: 'busy', behaviour: puppet() })
  const quiet = system.spawn({ name: 'quiet', behaviour: puppet() })

  for (let i = 0; i < 1000; i++) busy.tell(() => order.push('busy'))
  quiet.tell(() => order.push('quiet'))
  await settle()

  assert.is(order.length, 1001)
  assert.is(order.indexOf('quiet'), 16)
})

test('slow handlers give the thread back within a slice and a turn, however many messages wait', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('node')
  let burntMs = 0
  const slices: number[] = []
  const system = createSystem({
    env: {
      ...env,
      monotonic: () => env.monotonic() + burntMs,
      defer(fn) {
        env.defer(() => {
          const before = burntMs
          fn()
          slices.push(burntMs - before)
        })
      },
    },
  })
  const slow = system.spawn({ name: 'slow', behaviour: puppet() })

  for (let i = 0; i < 200; i++) slow.tell(() => burntMs++)
  await simulation.pass(10)

  assert.is(burntMs, 200)
  assert.ok(Math.max(...slices) <= 16, `a slice took ${Math.max(...slices)} ms`)
})

function flood(system: ReturnType<typeof createSystem>): { handled: number } {
  const counts = { handled: 0 }
  const refs: Ref<'ball'>[] = []
  for (const name of ['ping', 'pong']) {
    const other = refs.length === 0 ? 1 : 0
    refs.push(
      system.spawn({
        name,
        behaviour: reducer<null, 'ball'>({
          kind: 'player',
          init: () => null,
          receive(state) {
            counts.handled++
            refs[other]?.tell('ball')
            return state
          },
        }),
      }),
    )
  }
  for (let i = 0; i < 500; i++) refs[0]?.tell('ball')
  return counts
}

test.run()

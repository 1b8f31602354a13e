/** Promises of one life of a cell: its async work, resources and timers end with it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context, DownReason } from '../../runtime/index.ts'
import { createSimulation, createSystem, reducer } from '../../runtime/index.ts'
import type { Script } from './world.ts'
import { createWorld, puppet } from './world.ts'

test('run brings its result back into a turn of the cell', async () => {
  const { system, simulation, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    ctx.run(
      () => new Promise<string>((resolve) => void simulation.env('disk').after(5, () => resolve('value'))),
      (result) => () => heard.push(result.ok ? result.value : 'failed'),
    )
    ctx.run(
      () => Promise.reject(new Error('no')),
      (result) => () => heard.push(result.ok ? 'fine' : String(result.error)),
    )
  })

  await settle()
  assert.equal(heard, ['Error: no'])
  await simulation.pass(10)
  assert.equal(heard, ['Error: no', 'value'])
})

for (const death of ['crash', 'stop'] as const) {
  test(`run is aborted by a ${death}, and its late result is dropped`, async () => {
    const { system, simulation, settle } = createWorld()
    const heard: string[] = []
    const cell = system.spawn({ name: 'a', behaviour: puppet() })
    let signal: AbortSignal | undefined
    let finish: (value: string) => void = () => {}
    cell.tell((ctx) => {
      ctx.run(
        (given) => {
          signal = given
          return new Promise<string>((resolve) => {
            finish = resolve
          })
        },
        () => () => heard.push('result'),
      )
    })
    await settle()
    assert.is(signal?.aborted, false)

    if (death === 'crash') cell.tell(() => throwIt())
    else void cell.stop()
    await settle()
    assert.is(signal?.aborted, true)
    finish('late')
    await simulation.pass(1000)

    assert.equal(heard, [])
  })
}

test('own disposes of everything, last owned first, on a crash and on a stop, and only of its own life', async () => {
  const { system, simulation, settle } = createWorld()
  const closed: string[] = []
  let lives = 0
  const cell = system.spawn({
    name: 'a',
    behaviour: puppet((ctx) => {
      const life = ++lives
      ctx.own({ close: () => closed.push(`first of ${life}`) })
      ctx.own(() => closed.push(`second of ${life}`))
    }),
  })

  cell.tell(() => throwIt())
  await settle()
  assert.equal(closed, ['second of 1', 'first of 1'])
  await simulation.pass(200)
  void cell.stop()
  await settle()

  assert.equal(closed, ['second of 1', 'first of 1', 'second of 2', 'first of 2'])
})

test('own disposes on a kill too: a stop that overruns its budget', async () => {
  const { system, simulation } = createWorld()
  const closed: string[] = []
  const reasons: DownReason[] = []
  const cell = system.spawn({
    name: 'stuck',
    stopBudgetMs: 50,
    behaviour: reducer<null, string>({
      kind: 'stuck',
      init(ctx) {
        ctx.own(() => closed.push('deep'))
        ctx.own(() => new Promise(() => {}))
        return null
      },
      receive: (state) => state,
      stop: () => new Promise(() => {}),
    }),
  })
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  watcher.tell((ctx) => ctx.watch(cell, (reason) => () => reasons.push(reason)))
  await simulation.pass(1)

  let stopped = false
  void cell.stop().then(() => {
    stopped = true
  })
  await simulation.pass(45)
  assert.equal([closed.length, stopped], [0, false])
  await simulation.pass(100)

  assert.equal(closed, ['deep'])
  assert.is(stopped, true)
  assert.equal(reasons, [{ kind: 'killed', final: true }])
})

test('a restart waits until what was owned is closed', async () => {
  const { system, simulation } = createWorld()
  let lives = 0
  let release: () => void = () => {}
  const cell = system.spawn({
    name: 'a',
    behaviour: puppet((ctx) => {
      lives++
      ctx.own(
        () =>
          new Promise<void>((resolve) => {
            release = resolve
          }),
      )
    }),
  })
  cell.tell(() => throwIt())

  await simulation.pass(1000)
  assert.is(lives, 1)
  release()
  await simulation.pass(1000)
  assert.is(lives, 2)
})

test('what a dead life still owns late is disposed of at once', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let kept: Context<Script> | undefined
  cell.tell((ctx) => {
    kept = ctx
  })
  await settle()
  void cell.stop()
  await settle()
  let closed = false

  kept?.own(() => {
    closed = true
  })

  assert.is(closed, true)
})

test('after handles its message at the time, never once it is cancelled, and never in a later life', async () => {
  const { system, simulation, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    ctx.after(10, () => heard.push('ten'))
    ctx.after(20, () => heard.push('cancelled')).cancel()
    ctx.after(500, () => heard.push('of a life that crashed'))
  })
  await settle()

  await simulation.pass(8)
  assert.equal(heard, [])
  await simulation.pass(20)
  cell.tell(() => throwIt())
  await simulation.pass(1000)

  assert.equal(heard, ['ten'])
})

test('no timer outlives what it was for: neither a life nor an ask', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('node')
  let pending = 0
  const system = createSystem({
    env: {
      ...env,
      after(delayMs, fn) {
        pending++
        let over = false
        const end = (): boolean => {
          if (!over) pending--
          return (over = true)
        }
        const timer = env.after(delayMs, () => void (end() && fn()))
        return { cancel: () => void (end() && timer.cancel()) }
      },
    },
  })
  const cell = system.spawn({
    name: 'a',
    behaviour: reducer<null, (value: string) => void>({
      kind: 'echo',
      init(ctx) {
        ctx.after(60_000, () => {})
        return null
      },
      receive(state, reply) {
        reply('answer')
        return state
      },
    }),
  })

  const answer = cell.ask<string>((reply) => reply, 60_000)
  assert.is(pending, 2)
  await simulation.pass(1)
  assert.is(await answer, 'answer')
  assert.is(pending, 1)
  void cell.stop()
  await simulation.pass(1)

  assert.is(pending, 0)
})

function throwIt(): void {
  throw new Error('told to crash')
}

test.run()

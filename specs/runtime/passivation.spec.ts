/** Promises of passivation: a cell sleeps when it is idle and only then, and whoever tells it something does not notice. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { reducer } from '../../runtime/index.ts'
import { createSleeper } from './sleeper.ts'
import type { Script } from './world.ts'
import { codeOf, createWorld, infoOf } from './world.ts'

test('a cell that was idle for passivateAfterMs ends its life in an orderly way and stays, passive', async () => {
  const { cell, log, simulation, state } = createSleeper(1000)

  await simulation.pass(900)
  assert.is(state(), 'running')
  await simulation.pass(200)

  assert.is(state(), 'passive')
  assert.is(cell.alive, true)
  assert.equal(log, ['start', 'stop', 'close'])
})

test('every message begins the idle time anew', async () => {
  const { cell, simulation, state } = createSleeper(1000)

  for (let i = 0; i < 10; i++) {
    cell.tell(() => {})
    await simulation.pass(600)
    assert.is(state(), 'running')
  }
  await simulation.pass(1500)

  assert.is(state(), 'passive')
})

test('the next message begins a fresh life at once and is handled by it', async () => {
  const { cell, log, simulation, settle, events, system } = createSleeper(1000)
  await simulation.pass(1500)

  assert.is(
    cell.tell(() => log.push('handled')),
    'ok',
  )
  await settle()

  assert.equal(log, ['start', 'stop', 'close', 'start', 'handled'])
  const started = events.filter((event) => event.type === 'cell.started')
  assert.is(started.at(-1)?.details['woken'], true)
  assert.is(started.at(-1)?.details['kind'], 'sleeper')
  assert.is(infoOf(system, cell)?.restarts, 0, 'waking is no restart')
})

test('an ask wakes a passive cell and is answered', async () => {
  const { simulation, system } = createWorld()
  const cell = system.spawn({
    name: 'echo',
    passivateAfterMs: 50,
    behaviour: reducer<null, (value: string) => void>({
      kind: 'echo',
      init: () => null,
      receive(state, reply) {
        reply('answer')
        return state
      },
    }),
  })
  await simulation.pass(200)
  assert.is(infoOf(system, cell)?.state, 'passive')

  const answer = cell.ask<string>((reply) => reply, 100)
  await simulation.pass(5)

  assert.is(await answer, 'answer')
})

test('the tap shows a cell that goes to sleep', async () => {
  const { events, simulation } = createSleeper(1000)

  await simulation.pass(1500)

  assert.equal(
    events.filter(({ path }) => path === '/sleeper').map(({ type }) => type),
    ['cell.started', 'cell.passive'],
  )
})

test('passivate ends the life of an idle cell at once, also without passivateAfterMs', async () => {
  const { cell, log, settle, state } = createSleeper(undefined)

  cell.tell((ctx) => ctx.passivate())
  await settle()

  assert.is(state(), 'passive')
  assert.equal(log, ['start', 'stop', 'close'])
})

test('passivate waits until the mail that waits is handled', async () => {
  const { cell, log, settle, state } = createSleeper(undefined)

  cell.tell((ctx) => ctx.passivate())
  for (let i = 0; i < 100; i++) cell.tell(() => log.push('mail'))
  await settle()

  assert.is(state(), 'passive')
  assert.equal(log, ['start', ...Array.from({ length: 100 }, () => 'mail'), 'stop', 'close'])
})

test('passivate waits for work that is under way', async () => {
  const { cell, log, settle, state } = createSleeper(100)
  let finish: () => void = () => {}
  cell.tell((ctx) => {
    const work = (): Promise<void> => new Promise((resolve) => void (finish = resolve))
    ctx.run(work, () => () => log.push('result'))
    ctx.passivate()
  })
  await settle()
  assert.is(state(), 'running')

  finish()
  await settle()

  assert.is(state(), 'passive')
  assert.equal(log, ['start', 'result', 'stop', 'close'])
})

test('a cell with work under way does not fall asleep by time', async () => {
  const { cell, simulation, state } = createSleeper(100)
  let finish: () => void = () => {}
  cell.tell((ctx) => {
    ctx.run(
      () => new Promise<void>((resolve) => void (finish = resolve)),
      () => undefined,
    )
  })
  await simulation.pass(1000)
  assert.is(state(), 'running')

  finish()
  await simulation.pass(250)

  assert.is(state(), 'passive')
})

test('a cell that owes a reply does not sleep; it may once the reply is given or its time is over', async () => {
  for (const how of ['given', 'over'] as const) {
    const { cell, settle, simulation, state } = createSleeper(undefined)
    let reply: (value: string) => void = () => {}
    const answer = cell.ask<string>((given) => {
      reply = given
      return (ctx) => ctx.passivate()
    }, 100)
    const answered = codeOf(answer)
    await settle()
    assert.is(state(), 'running')

    if (how === 'given') reply('answer')
    else await simulation.pass(150)
    await settle()

    assert.is(await answered, how === 'given' ? 'none' : 'ASK_TIMEOUT')
    assert.is(state(), 'passive')
  }
})

test('mail that was put aside keeps a cell awake', async () => {
  const { cell, log, simulation, settle, state } = createSleeper(100)
  let aside = true
  cell.tell((ctx) => void (aside && ctx.stash()))
  await simulation.pass(1000)
  assert.equal([state(), log], ['running', ['start']])

  cell.tell((ctx) => {
    aside = false
    ctx.unstash()
  })
  await settle()
  await simulation.pass(300)

  assert.is(state(), 'passive')
})

test('mail that comes while a cell goes to sleep is kept, and wakes it', async () => {
  const { simulation, system } = createWorld()
  const log: string[] = []
  const cell = system.spawn({
    name: 'slow',
    behaviour: reducer<null, Script>({
      kind: 'slow',
      init() {
        log.push('start')
        return null
      },
      receive(state, script, ctx) {
        script(ctx)
        return state
      },
      stop: (_state, ctx) => new Promise<void>((resolve) => void ctx.env.after(50, resolve)),
    }),
  })
  cell.tell((ctx) => ctx.passivate())
  await simulation.pass(20)

  assert.is(
    cell.tell(() => log.push('handled')),
    'ok',
  )
  assert.equal(log, ['start'])
  await simulation.pass(100)

  assert.equal(log, ['start', 'start', 'handled'])
})

test.run()

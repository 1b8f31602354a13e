/** Promises of passivation: an idle cell gives back what its life holds, and nobody who tells it something notices. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context, Ref, TapEvent } from '../../runtime/index.ts'
import { groupKey, reducer, registryKey, spawnUnder } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { codeOf, createWorld, infoOf, listen, puppet } from './world.ts'

interface Sleeper extends World {
  readonly cell: Ref<Script>
  /** What happened to its lives: `start`, `stop`, `close`. */
  readonly log: string[]
  readonly events: TapEvent[]
  state: () => string | undefined
}

function createSleeper(
  passivateAfterMs: number | undefined,
  onStart: (ctx: Context<Script>) => void = () => {},
): Sleeper {
  const world = createWorld()
  const log: string[] = []
  const events = listen(world.system)
  const cell = world.system.spawn({
    name: 'sleeper',
    behaviour: reducer<null, Script>({
      kind: 'sleeper',
      init(ctx) {
        log.push('start')
        ctx.own(() => log.push('close'))
        onStart(ctx)
        return null
      },
      receive(state, script, ctx) {
        script(ctx)
        return state
      },
      stop() {
        log.push('stop')
      },
    }),
    ...(passivateAfterMs === undefined ? {} : { passivateAfterMs }),
  })
  return { ...world, cell, log, events, state: () => infoOf(world.system, cell)?.state }
}

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
  const { cell, simulation, settle, state } = createSleeper(100)
  let aside = true
  cell.tell((ctx) => void (aside && ctx.stash()))
  await simulation.pass(1000)
  assert.is(state(), 'running')

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

test('Ref, name, groups and mailbox stay; watchers hear nothing', async () => {
  const { cell, system, simulation, settle } = createSleeper(100)
  const [name, crew] = [registryKey<Script>('sleeper'), groupKey<Script>('crew')]
  const reasons: unknown[] = []
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  watcher.tell((ctx) => ctx.watch(cell, (reason) => () => reasons.push(reason)))
  cell.tell((ctx) => {
    ctx.register(name)
    ctx.join(crew)
  })
  await simulation.pass(500)

  assert.is(infoOf(system, cell)?.state, 'passive')
  assert.is(system.registry.lookup(name), cell)
  assert.equal(system.groups.members(crew), [cell])
  assert.equal(reasons, [])
  let woken = 0
  system.groups.broadcast(crew, () => void woken++)
  await settle()
  assert.is(woken, 1)
  assert.equal(reasons, [])
})

test('a watcher of a passive cell hears of its death', async () => {
  const { cell, system, simulation, settle } = createSleeper(100)
  const reasons: unknown[] = []
  await simulation.pass(500)
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  watcher.tell((ctx) => ctx.watch(cell, (reason) => () => reasons.push(reason)))
  await settle()
  assert.equal(reasons, [])

  void cell.stop()
  await settle()

  assert.equal(reasons, [{ kind: 'stopped', final: true }])
})

test('children and what they own go down with the life of their parent', async () => {
  const { simulation, system, log, cell } = createSleeper(100, (ctx) => {
    ctx.spawn({ name: 'child', behaviour: puppet((child) => void child.own(() => log.push('child'))) })
  })
  await simulation.pass(500)

  assert.equal(log, ['start', 'child', 'stop', 'close'])
  assert.equal(
    system.tree().map((info) => info.path),
    ['/sleeper'],
  )
  assert.is(cell.alive, true)
})

test('a passive cell can be stopped and killed, and is gone without a farewell it has no life for', async () => {
  for (const how of ['stop', 'kill'] as const) {
    const { cell, log, simulation, settle, system } = createSleeper(100)
    await simulation.pass(500)

    const down = cell[how]()
    await settle()
    await down

    assert.equal([cell.alive, system.tree().length], [false, 0])
    assert.equal(log, ['start', 'stop', 'close'])
    assert.is(
      cell.tell(() => {}),
      'dead',
    )
  }
})

test('a system that stops ends its passive cells too', async () => {
  const { simulation, system } = createSleeper(100)
  await simulation.pass(500)

  const stopped = system.stop()
  await simulation.pass(1)
  await stopped

  assert.equal(system.tree(), [])
})

test('a crash of a woken life counts and restarts as any other, and keeps the mail', async () => {
  const { cell, log, simulation, system } = createSleeper(undefined)
  cell.tell((ctx) => ctx.passivate())
  await simulation.pass(1)

  cell.tell(boom)
  cell.tell(() => log.push('handled'))
  await simulation.pass(300)

  assert.equal(log, ['start', 'stop', 'close', 'start', 'close', 'start', 'handled'])
  assert.is(infoOf(system, cell)?.restarts, 1)
})

test('a life that crashes as it wakes is restarted after a wait, with its mail', async () => {
  let failing = false
  const { cell, log, simulation, system } = createSleeper(undefined, () => {
    if (!failing) return
    failing = false
    boom()
  })
  cell.tell((ctx) => ctx.passivate())
  await simulation.pass(1)
  failing = true

  cell.tell(() => log.push('handled'))
  await simulation.pass(1)
  assert.is(infoOf(system, cell)?.state, 'restarting')
  await simulation.pass(300)

  assert.is(log.at(-1), 'handled')
})

test('the wait for passivation does not outlive the cell', async () => {
  const { cell, simulation, system, state } = createSleeper(100)
  cell.tell(boom)
  await simulation.pass(20)
  assert.is(state(), 'restarting')
  await simulation.pass(90)
  assert.is(state(), 'running', 'the idle time of the second life has just begun')

  void cell.stop()
  await simulation.pass(500)

  assert.equal(system.tree(), [])
})

test('a link to a passive cell is none: the end of its life was orderly', async () => {
  const { cell, simulation, system, settle, state } = createSleeper(100)
  const other = system.spawn({ name: 'other', behaviour: puppet() })
  await simulation.pass(500)
  assert.is(state(), 'passive')

  other.tell((ctx) => ctx.link(cell))
  await settle()

  assert.is(infoOf(system, other)?.lastError, undefined)
})

test('nothing can be started under a passive cell: it has no life that would supervise', async () => {
  const { cell, simulation } = createSleeper(100)
  await simulation.pass(500)

  assert.throws(
    () => spawnUnder(cell, { name: 'child', behaviour: puppet() }),
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'CELL_DOWN',
  )
})

function boom(): void {
  throw new Error('told to crash')
}

test.run()

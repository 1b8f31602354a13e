/** Promises of kill: no farewell, and everything that can be taken back is. And what it cannot do in JavaScript. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context, DownReason, Ref } from '../../runtime/index.ts'
import { reducer, supervisor } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { codeOf, createWorld, puppet } from './world.ts'

/** A cell with one child, both of which write down what is done to them. */
function createFamily(): World & { parent: Ref<Script>; log: string[] } {
  const world = createWorld()
  const log: string[] = []
  const node = (name: string, onStart: (ctx: Context<Script>) => void): ReturnType<typeof puppet> =>
    reducer<null, Script>({
      kind: name,
      init(ctx) {
        ctx.own(() => log.push(`close ${name}`))
        onStart(ctx)
        return null
      },
      receive(state, script, ctx) {
        script(ctx)
        return state
      },
      stop() {
        log.push(`stop ${name}`)
      },
    })
  const parent = world.system.spawn({
    name: 'parent',
    behaviour: node('parent', (ctx) => {
      ctx.spawn({ name: 'left', behaviour: node('left', () => {}) })
      ctx.spawn({ name: 'right', behaviour: node('right', () => {}) })
    }),
  })
  return { ...world, parent, log }
}

test('a kill says no farewell, ends everything below, right to left, and closes what is owned', async () => {
  const { parent, log, system, settle } = createFamily()

  const killed = parent.kill()
  await settle()
  await killed

  assert.equal(log, ['close right', 'close left', 'close parent'])
  assert.equal(system.tree(), [])
})

test('a kill makes dead letters of the mail that waits, and fails every ask', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const seen = codeOf(cell.ask(() => () => {}, 10_000))
  await settle()
  const queued = codeOf(cell.ask(() => () => {}, 10_000))
  cell.tell(() => {})

  void cell.kill()
  assert.is(
    cell.tell(() => {}),
    'dead',
  )
  await settle()

  assert.equal([await seen, await queued], ['CELL_DOWN', 'CELL_DOWN'])
  assert.equal(
    system.deadLetters.list().map(({ reason }) => reason),
    ['dead', 'stopped', 'stopped'],
  )
})

test('watchers hear killed, once and for good, whatever the restart kind', async () => {
  for (const restart of ['permanent', 'transient', 'temporary'] as const) {
    const { system, simulation } = createWorld()
    const reasons: DownReason[] = []
    let lives = 0
    const cell = system.spawn({ name: 'a', restart, behaviour: puppet(() => void lives++) })
    const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
    watcher.tell((ctx) => ctx.watch(cell, (reason) => () => reasons.push(reason)))
    await simulation.pass(1)

    void cell.kill()
    await simulation.pass(1000)

    assert.equal(reasons, [{ kind: 'killed', final: true }])
    assert.is(lives, 1)
  }
})

test('a kill ends a cell that waits for its restart', async () => {
  const { system, simulation } = createWorld()
  let lives = 0
  const cell = system.spawn({ name: 'a', behaviour: puppet(() => void lives++) })
  cell.tell(boom)
  await simulation.pass(1)

  const killed = cell.kill()
  await simulation.pass(1000)
  await killed

  assert.is(lives, 1)
  assert.equal(system.tree(), [])
})

test('a kill of a dead cell, and a second kill, do nothing', async () => {
  const { parent, log, settle } = createFamily()

  const kills = [parent.kill(), parent.kill(), parent.stop()]
  await settle()
  await Promise.all([...kills, parent.kill()])

  assert.is(log.length, 3)
})

test('a kill overtakes a stop that was asked for in the same moment', async () => {
  const { parent, log, settle } = createFamily()

  const stopped = parent.stop()
  const killed = parent.kill()
  await settle()
  await Promise.all([stopped, killed])

  assert.equal(log, ['close right', 'close left', 'close parent'])
})

test('a kill cuts a farewell short that hangs, in the cell and below it', async () => {
  const { system, simulation } = createWorld()
  const log: string[] = []
  const hanging = reducer<null, Script>({
    kind: 'hanging',
    init(ctx) {
      ctx.own(() => log.push(`close ${ctx.path}`))
      if (ctx.path === '/parent') ctx.spawn({ name: 'child', behaviour: hanging })
      return null
    },
    receive: (state) => state,
    stop: () => new Promise(() => {}),
  })
  const parent = system.spawn({ name: 'parent', behaviour: hanging, stopBudgetMs: 5000 })
  let down = false
  void parent.stop().then(() => void (down = true))
  await simulation.pass(100)
  assert.equal([down, log], [false, []])

  void parent.kill()
  await simulation.pass(10)

  assert.equal([down, log], [true, ['close /parent/child', 'close /parent']])
})

test('what is owned may take its budget, and no longer', async () => {
  const { system, simulation } = createWorld()
  const closed: string[] = []
  const cell = system.spawn({
    name: 'a',
    stopBudgetMs: 50,
    behaviour: puppet((ctx) => {
      ctx.own(() => closed.push('deep'))
      ctx.own(() => new Promise(() => {}))
    }),
  })
  let down = false

  void cell.kill().then(() => void (down = true))
  await simulation.pass(45)
  assert.equal([down, closed], [false, []])
  await simulation.pass(20)

  assert.equal([down, closed], [true, ['deep']])
})

test('a handler that is running is not interrupted: a kill takes effect when it returns', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell: Ref<Script> = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => {
    void cell.kill()
    heard.push(`aborted ${ctx.signal.aborted}`)
    heard.push('to the end')
  })
  cell.tell(() => heard.push('never'))
  await settle()

  assert.equal(heard, ['aborted false', 'to the end'])
  assert.is(cell.alive, false)
})

test('work that ignores its signal goes on after a kill; its result reaches nobody', async () => {
  const { system, simulation, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    ctx.run(
      async (signal) => {
        await new Promise<void>((resolve) => void simulation.env('disk').after(50, resolve))
        heard.push(`went on, aborted ${signal.aborted}`)
      },
      () => () => heard.push('result'),
    )
  })
  await settle()

  void cell.kill()
  await simulation.pass(100)

  assert.equal(heard, ['went on, aborted true'])
})

/** `cell` and `sibling` restart together, below `parent`. */
interface Stand {
  readonly cell: Ref<Script>
  readonly sibling: Ref<Script>
  readonly parent: Ref<Script>
  readonly system: World['system']
}

const deaths: Readonly<Record<string, (stand: Stand) => void>> = {
  crash: ({ cell }) => void cell.tell(boom),
  stop: ({ cell }) => void cell.stop(),
  'stop by itself': ({ cell }) => void cell.tell((ctx) => ctx.stopSelf()),
  kill: ({ cell }) => void cell.kill(),
  passivation: ({ cell }) => void cell.tell((ctx) => ctx.passivate()),
  'restart of its group': ({ sibling }) => void sibling.tell(boom),
  'crash of its parent': ({ parent }) => void parent.tell(boom),
  'stop of its parent': ({ parent }) => void parent.stop(),
  'kill of its parent': ({ parent }) => void parent.kill(),
  'stop of the system': ({ system }) => void system.stop(),
  'crash of a linked cell': ({ cell, parent }) => {
    parent.tell((ctx) => {
      const other = ctx.spawn({ name: 'other', behaviour: puppet((inner) => inner.link(cell)) })
      other.tell(boom)
    })
  },
}

for (const [death, end] of Object.entries(deaths)) {
  test(`signals fire, timers end and resources are closed at the ${death}`, async () => {
    const { system, simulation } = createWorld()
    const log: string[] = []
    const refs = new Map<string, Ref<Script>>()
    const remember = (ctx: Context<Script>): void => {
      if (!refs.has(ctx.path)) refs.set(ctx.path, ctx.self)
    }
    const first = puppet((ctx) => {
      if (refs.has(ctx.path)) return
      remember(ctx)
      ctx.signal.addEventListener('abort', () => log.push('aborted'))
      ctx.own(() => log.push('closed'))
      ctx.after(5000, () => log.push('after'))
      // Work under way would keep it from falling asleep.
      if (death === 'passivation') return
      const work = (signal: AbortSignal): Promise<void> => {
        signal.addEventListener('abort', () => log.push('work aborted'))
        return new Promise(() => {})
      }
      ctx.run(work, () => undefined)
    })
    const top = supervisor({
      kind: 'top',
      strategy: 'one_for_all',
      children: [
        { name: 'cell', behaviour: first },
        { name: 'sibling', behaviour: puppet(remember) },
      ],
    })
    const parent = system.spawn({
      name: 'parent',
      behaviour: puppet((ctx) => void ctx.spawn({ name: 'top', behaviour: top })),
    })
    const [cell, sibling] = [refs.get('/parent/top/cell'), refs.get('/parent/top/sibling')]
    assert.ok(cell !== undefined && sibling !== undefined)
    await simulation.pass(1)
    assert.equal(log, [])

    end({ cell, sibling, parent, system })
    await simulation.pass(10_000)

    assert.equal(log, death === 'passivation' ? ['aborted', 'closed'] : ['aborted', 'work aborted', 'closed'])
  })
}

function boom(): void {
  throw new Error('told to crash')
}

test.run()

// time limit: 120 s
// alone
/** 100,000 cells that are started, crash and end, each with all that a cell may hold, leave memory and handles where they were. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context, Ref, System } from '../../runtime/index.ts'
import {
  createNodeEnv,
  createSystem,
  groupKey,
  reducer,
  registryKey,
  spawnUnder,
  supervisor,
} from '../../runtime/index.ts'
import { puppet } from './world.ts'
import type { Script } from './world.ts'

const cycles = 100_000
const together = 250
/** Before the first measure: rings, tables and compiled code reach their size. */
const warmUpCycles = 5_000
/** A leak of the smallest object, one a cycle, is three times as much. */
const bytesPerCycleMax = 8

const crew = groupKey<Message>('crew')

type Message = 'crash' | 'stop' | 'passivate' | 'never'

interface Counts {
  lives: number
  aborted: number
  closed: number
  down: number
}

interface Soak {
  readonly system: System
  readonly counts: Counts
  /** Starts, crashes and ends so many cells. */
  cycle(count: number, leak?: (cell: number) => void): Promise<void>
}

test('100,000 cycles of start, crash and end leave memory and handles where they were', async () => {
  const soak = createSoak()
  await soak.cycle(warmUpCycles)
  const handles = process.getActiveResourcesInfo().sort()
  const before = heapUsed()

  await soak.cycle(cycles)

  const grown = (heapUsed() - before) / cycles
  assert.ok(grown < bytesPerCycleMax, `${grown} bytes a cycle are still there`)
  assert.equal(process.getActiveResourcesInfo().sort(), handles)
  const { lives, aborted, closed, down } = soak.counts
  const all = cycles + warmUpCycles
  assert.equal(
    { lives, aborted, closed, down },
    { lives: 2 * all, aborted: 2 * all, closed: 2 * all, down: 2 * all },
  )
  assert.equal(soak.system.registry.names(), [])
  assert.equal(soak.system.groups.names(), [])
  assert.equal(
    soak.system.tree().map(({ path }) => path),
    ['/nursery', '/watcher'],
  )
  await soak.system.stop()
})

test('a leak of one small object a cycle would be seen, and so would a timer', async () => {
  const soak = createSoak()
  await soak.cycle(warmUpCycles)
  const handles = process.getActiveResourcesInfo().length
  const before = heapUsed()
  const leaked: object[] = []

  await soak.cycle(warmUpCycles, (cell) => leaked.push({ cell }))
  const timer = soak.system.env.after(60_000, () => {})

  const grown = (heapUsed() - before) / leaked.length
  assert.is(leaked.length, warmUpCycles)
  assert.ok(grown > bytesPerCycleMax, `only ${grown} bytes a cycle`)
  assert.is(process.getActiveResourcesInfo().length, handles + 1)
  timer.cancel()
  await soak.system.stop()
})

function createSoak(): Soak {
  const system = createSystem({ env: createNodeEnv() })
  const counts: Counts = { lives: 0, aborted: 0, closed: 0, down: 0 }
  const nursery = system.spawn({
    name: 'nursery',
    behaviour: supervisor({ kind: 'nursery', strategy: 'dynamic', backoff: { firstMs: 0, maxMs: 0 } }),
  })
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  const cycle = async (count: number, leak: (cell: number) => void = () => {}): Promise<void> => {
    for (let first = 0; first < count; first += together) {
      const restarted = whenReached(together * 2)
      const cells: Ref<Message>[] = []
      for (let i = first; i < first + together; i++) {
        leak(i)
        const behaviour = holder(i, counts, watcher, restarted.count)
        cells.push(spawnUnder(nursery, { name: `${i}`, restart: 'transient', behaviour }))
      }
      const downs = whenReached(together * 2)
      for (const cell of cells)
        watcher.tell((ctx) =>
          ctx.watch(cell, () => () => {
            counts.down++
            downs.count()
          }),
        )
      await new Promise<void>((resolve) => void watcher.tell(() => resolve()))
      for (const cell of cells) cell.tell('crash')
      await restarted.reached
      for (const [i, cell] of cells.entries()) end(cell, i)
      await downs.reached
    }
    await turn(system)
  }
  return { system, counts, cycle }
}

/** A cell that holds one of everything. */
function holder(
  i: number,
  counts: Counts,
  watcher: Ref<Script>,
  started: () => void,
): ReturnType<typeof reducer<null, Message>> {
  return reducer<null, Message>({
    kind: 'holder',
    init(ctx) {
      counts.lives++
      hold(ctx, i, counts, watcher)
      started()
      return null
    },
    receive(state, message, ctx) {
      if (message === 'crash') throw new Error('told to crash')
      if (message === 'stop') ctx.stopSelf()
      if (message === 'passivate') ctx.passivate()
      return state
    },
  })
}

function hold(ctx: Context<Message>, i: number, counts: Counts, watcher: Ref<Script>): void {
  ctx.register(registryKey<Message>(`name ${i}`))
  ctx.join(crew)
  ctx.own(() => counts.closed++)
  ctx.after(600_000, 'never')
  ctx.every(600_000, 'never')
  ctx.watch(watcher, () => 'never')
  const child = ctx.spawn({ name: 'child', behaviour: puppet() })
  ctx.link(child)
  ctx.run(
    (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          counts.aborted++
          reject(new Error('aborted'))
        })
      }),
    () => 'never',
  )
}

/** Every way in which a cell may end. */
function end(cell: Ref<Message>, i: number): void {
  switch (i % 4) {
    case 0:
      void cell.stop()
      return
    case 1:
      void cell.kill()
      return
    case 2:
      cell.tell('stop')
      return
    default:
      // Work under way keeps it awake: the stop comes while it waits to fall asleep.
      cell.tell('passivate')
      setImmediate(() => void cell.stop())
  }
}

function whenReached(count: number): { readonly count: () => void; readonly reached: Promise<void> } {
  let left = count
  let resolve: () => void = () => {}
  const reached = new Promise<void>((settle) => void (resolve = settle))
  const once = (): void => {
    if (--left === 0) resolve()
  }
  return { reached, count: once }
}

function turn(system: System): Promise<void> {
  return new Promise((resolve) => void system.env.after(1, resolve))
}

/** Bytes that are still reachable. */
function heapUsed(): number {
  setFlagsFromString('--expose_gc')
  const collect: () => void = runInNewContext('gc')
  for (let i = 0; i < 4; i++) collect()
  return process.memoryUsage().heapUsed
}

test.run()

/** Promises of supervision: what a crash keeps and loses, when a child comes back, when its supervisor gives up. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ChildSpec, DownReason, Ref, RestartKind } from '../../runtime/index.ts'
import { BlazeError, reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import { createWorld, infoOf, listen, puppet, recorder } from './world.ts'

test('a crash loses the failing message as a dead letter and keeps the queued mail', async () => {
  const { system, simulation } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })

  for (const message of ['1', 'boom', '2', '3']) cell.tell(message)
  await simulation.pass(1)
  assert.equal(heard, ['1'])
  assert.is(cell.alive, true)
  assert.is(cell.tell('4'), 'ok')
  await simulation.pass(200)

  assert.equal(heard, ['1', '2', '3', '4'])
  const letters = system.deadLetters.list()
  assert.equal(
    letters.map((letter) => [letter.path, letter.reason]),
    [['/a', 'crashed']],
  )
})

test('a crashed cell starts over from its initial state, after a wait', async () => {
  const { system, simulation } = createWorld()
  const seen: number[] = []
  const cell = system.spawn({
    name: 'counter',
    behaviour: reducer<number, string>({
      kind: 'counter',
      init: () => 0,
      receive(count, message) {
        if (message === 'boom') throw new Error('boom')
        seen.push(count + 1)
        return count + 1
      },
    }),
  })

  for (const message of ['x', 'x', 'boom', 'x']) cell.tell(message)
  await simulation.pass(40)
  assert.equal(seen, [1, 2], 'the first wait is at least 50 ms')
  assert.is(infoOf(system, cell)?.state, 'restarting')
  await simulation.pass(70)

  assert.equal(seen, [1, 2, 1])
  assert.is(infoOf(system, cell)?.state, 'running')
  assert.is(infoOf(system, cell)?.restarts, 1)
})

test('waits double from 100 ms to 5 s with jitter, and start over after a quiet period', async () => {
  const { system, simulation } = createWorld()
  const starts: number[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet(() => starts.push(simulation.now())) })
  const waits: number[] = []
  const crashOnce = async (): Promise<void> => {
    const lives = starts.length
    const crashed = simulation.now()
    cell.tell(() => boom())
    assert.is(await simulation.run(() => starts.length > lives, { virtualMs: 6000 }), true)
    waits.push((starts.at(-1) ?? 0) - crashed)
  }

  for (let i = 0; i < 8; i++) await crashOnce()
  await simulation.pass(60_000)
  await crashOnce()

  const full = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 100]
  for (const [i, expected] of full.entries()) {
    const wait = waits[i] ?? 0
    assert.ok(
      wait >= expected / 2 && wait <= expected + 1,
      `wait ${i} is ${wait}, expected up to ${expected}`,
    )
  }
  const shares = waits.map((wait, i) => wait / (full[i] ?? 1))
  assert.ok(Math.max(...shares) - Math.min(...shares) > 0.1, 'jitter spreads the waits')
})

test('a child of the root that crashes too often stays in the tree, stopped, with an event; its siblings go on', async () => {
  const { system, simulation } = createWorld()
  const events = listen(system)
  const heard: string[] = []
  const sibling = system.spawn({ name: 'sibling', behaviour: recorder(heard) })
  let starts = 0
  const broken = system.spawn({
    name: 'broken',
    behaviour: puppet(() => {
      starts++
      boom()
    }),
  })

  await simulation.pass(120_000)
  sibling.tell('still here')
  await simulation.pass(1)

  assert.is(starts, 11, 'one start and ten restarts')
  assert.is(infoOf(system, broken)?.state, 'stopped')
  assert.match(infoOf(system, broken)?.lastError ?? '', 'told to crash')
  assert.is(broken.alive, false)
  assert.equal(heard, ['still here'])
  const gaveUp = events.filter((event) => event.details['event'] === 'supervision.gave-up')
  assert.equal(
    gaveUp.map((event) => event.path),
    ['/broken'],
  )
})

test('a child that crashes too often crashes its supervisor, which starts all its children anew', async () => {
  const { system, simulation } = createWorld()
  const starts = { left: 0, right: 0 }
  const refs: Ref<never>[] = []
  const child = (name: 'left' | 'right'): ChildSpec<never> => ({
    name,
    behaviour: puppet((ctx) => {
      starts[name]++
      refs.push(ctx.self)
      if (name === 'left') ctx.after(10, () => boom())
    }),
  })
  const parent = system.spawn({
    name: 'parent',
    behaviour: supervisor({
      kind: 'parent',
      strategy: 'one_for_one',
      intensity: 2,
      periodMs: 60_000,
      backoff: { firstMs: 10, maxMs: 10 },
      children: [child('left'), child('right')],
    }),
  })

  const done = await simulation.run(() => starts.right === 2, { virtualMs: 1000 })

  assert.is(done, true)
  assert.is(starts.left, 4, 'three lives under the first supervisor, one under the second')
  assert.is(infoOf(system, parent)?.restarts, 1)
  assert.match(infoOf(system, parent)?.lastError ?? '', 'RESTART_LIMIT')
  assert.is(refs[0]?.alive, false, 'the children of the crashed supervisor are gone')
})

test('one for one: the siblings of a crashed child do not notice, and a child added later is supervised alike', async () => {
  const { system, simulation } = createWorld()
  const starts: string[] = []
  const named = (name: string): ChildSpec<never> => ({ name, behaviour: puppet(() => starts.push(name)) })
  const parent = system.spawn({
    name: 'parent',
    behaviour: supervisor({ kind: 'parent', strategy: 'one_for_one', children: [named('a'), named('b')] }),
  })
  const added = spawnUnder(parent, { name: 'c', behaviour: puppet(() => starts.push('c')) })

  added.tell(() => boom())
  await simulation.pass(500)

  assert.equal(starts, ['a', 'b', 'c', 'c'])
  assert.is(added.path, '/parent/c')
  assert.equal(
    system.tree().map((info) => [info.path, info.restarts]),
    [
      ['/parent', 0],
      ['/parent/a', 0],
      ['/parent/b', 0],
      ['/parent/c', 1],
    ],
  )
})

const exits: [RestartKind, 'crash' | 'stop-self', boolean][] = [
  ['permanent', 'crash', true],
  ['permanent', 'stop-self', true],
  ['transient', 'crash', true],
  ['transient', 'stop-self', false],
  ['temporary', 'crash', false],
  ['temporary', 'stop-self', false],
]
for (const [restart, exit, back] of exits) {
  test(`a ${restart} child ${back ? 'comes back' : 'is gone'} after ${exit}`, async () => {
    const { system, simulation } = createWorld()
    let starts = 0
    const cell = system.spawn({ name: 'a', restart, behaviour: puppet(() => starts++) })

    cell.tell((ctx) => (exit === 'crash' ? boom() : ctx.stopSelf()))
    await simulation.pass(500)

    assert.is(starts, back ? 2 : 1)
    assert.is(cell.alive, back)
    assert.is(system.tree().length, back ? 1 : 0)
  })
}

test('a stop from outside is final, also for a permanent child, also while it waits for its restart', async () => {
  const { system, simulation } = createWorld()
  let starts = 0
  const cell = system.spawn({ name: 'a', behaviour: puppet(() => starts++) })
  cell.tell(() => boom())
  await simulation.pass(1)

  await cell.stop()
  await simulation.pass(10_000)

  assert.is(starts, 1)
  assert.equal(system.tree(), [])
})

test('of two wishes for the end of a cell the more final one wins, whichever came first', async () => {
  type Wish = 'stopSelf' | 'stop' | 'kill'
  const outcomes: [Wish, Wish, string][] = [
    ['stopSelf', 'stop', 'stopped for good'],
    ['stop', 'stopSelf', 'stopped for good'],
    ['stopSelf', 'kill', 'killed for good'],
    ['stop', 'kill', 'killed for good'],
    ['kill', 'stop', 'killed for good'],
  ]
  for (const [first, second, expected] of outcomes) {
    const { system, simulation } = createWorld()
    const heard: string[] = []
    const cell = system.spawn({ name: 'a', behaviour: puppet() })
    const note = (reason: DownReason) => (): void =>
      void heard.push(`${reason.kind}${reason.final ? ' for good' : ''}`)
    system.spawn({ name: 'watcher', behaviour: puppet((ctx) => ctx.watch(cell, note)) })
    cell.tell((ctx) => {
      for (const wish of [first, second]) {
        if (wish === 'stopSelf') ctx.stopSelf()
        else void cell[wish]()
      }
    })

    await simulation.pass(500)

    assert.equal(heard, [expected], `${first}, then ${second}`)
    assert.is(cell.alive, false)
  }
})

test('a crash stops the children of the crashed cell before it comes back', async () => {
  const { system, simulation } = createWorld()
  const order: string[] = []
  const cell = system.spawn({
    name: 'parent',
    behaviour: puppet((ctx) => {
      order.push('parent starts')
      ctx.spawn({
        name: 'child',
        behaviour: reducer<null, never>({
          kind: 'child',
          init: () => null,
          receive: (state) => state,
          stop: () => void order.push('child stops'),
        }),
      })
    }),
  })

  cell.tell(() => boom())
  await simulation.pass(500)

  assert.equal(order, ['parent starts', 'child stops', 'parent starts'])
  assert.is(system.tree().length, 2)
})

test('a cell that will not come back answers dead while it is still closing', async () => {
  const { system, simulation } = createWorld()
  let release: () => void = () => {}
  const cell = system.spawn({
    name: 'a',
    restart: 'temporary',
    behaviour: puppet((ctx) => {
      ctx.own(() => new Promise<void>((resolve) => void (release = resolve)))
    }),
  })
  cell.tell(() => boom())
  cell.tell(() => {})
  await simulation.pass(1)

  assert.is(infoOf(system, cell)?.state, 'stopping')
  assert.is(
    cell.tell(() => {}),
    'dead',
  )
  release()
  await simulation.pass(1)

  assert.equal(
    system.deadLetters.list().map((letter) => letter.reason),
    ['crashed', 'stopped', 'dead'],
  )
})

test('nothing can be started under a cell that is down', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell(() => boom())
  await simulation.pass(1)

  assert.throws(
    () => spawnUnder(cell, { name: 'b', behaviour: puppet() }),
    (error: unknown) => error instanceof BlazeError && error.code === 'CELL_DOWN',
  )
})

function boom(): never {
  throw new Error('told to crash')
}

test.run()

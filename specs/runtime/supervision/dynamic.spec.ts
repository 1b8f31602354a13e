/** Promises of dynamic: children come and go at run time, restart alone, and each has an allowance of its own. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError, spawnUnder } from '../../../runtime/index.ts'
import { puppet } from '../world.ts'
import { Stage, waitMs } from './stage.ts'

function stageOf(rules: { intensity?: number; childrenMax?: number; names?: string[] } = {}): Stage {
  const { names = ['a', 'b', 'c'], ...limits } = rules
  const stage = new Stage()
  const top = stage.supervise({ strategy: 'dynamic', ...limits })
  for (const worker of stage.workers(...names)) spawnUnder(top, worker)
  stage.take()
  return stage
}

test('dynamic: only the crashed child restarts, and all are stopped right to left', async () => {
  const stage = stageOf()

  await stage.crash('b')
  await stage.restarted()
  assert.is(stage.take(), '+b')
  void stage.ref('top').stop()
  await stage.settle()

  assert.is(stage.take(), '-c -b -a -top')
})

test('dynamic: restarts are counted per child, and a child that crashes too often crashes its supervisor', async () => {
  const stage = stageOf({ intensity: 2 })

  for (let round = 0; round < 2; round++) {
    for (const name of ['a', 'b', 'c']) await stage.crash(name)
    await stage.restarted()
  }
  assert.is(stage.restarts('top'), 0, 'six crashes, two of each')
  await stage.crash('a')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1)
  assert.equal(stage.tree(), ['/top running'], 'what was added does not come back')
})

test('dynamic: intensity 0: the first crash of any child crashes the supervisor', async () => {
  const stage = stageOf({ intensity: 0 })

  await stage.crash('b')
  assert.is(stage.take(), '-c -a')
  await stage.restarted()

  assert.is(stage.take(), '+top')
})

test('dynamic: the waits of one child do not grow with the crashes of another', async () => {
  const stage = new Stage()
  const top = stage.supervise({ strategy: 'dynamic', backoff: { firstMs: 100, maxMs: 10_000 } })
  for (const worker of stage.workers('a', 'b')) spawnUnder(top, worker)
  for (let i = 0; i < 3; i++) {
    await stage.crash('a')
    await stage.simulation.pass(500)
  }
  stage.take()

  await stage.crash('b')
  await stage.simulation.pass(100)

  assert.is(stage.take(), '+b')
})

test('dynamic: a child more than childrenMax is OVERLOADED, until another has gone', async () => {
  const stage = stageOf({ childrenMax: 3 })
  const add = (): unknown => spawnUnder(stage.ref('top'), stage.worker('d'))

  assert.throws(add, (error: unknown) => error instanceof BlazeError && error.code === 'OVERLOADED')
  await stage.crash('b')
  assert.throws(add, (error: unknown) => error instanceof BlazeError && error.code === 'OVERLOADED')
  void stage.ref('b').stop()
  await stage.settle()
  add()

  assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/c running', '/top/d running'])
})

test('dynamic: a transient child that ended normally and a temporary one that crashed leave the tree', async () => {
  const stage = stageOf({ names: [] })
  spawnUnder(stage.ref('top'), stage.worker('a', { restart: 'transient' }))
  spawnUnder(stage.ref('top'), stage.worker('b', { restart: 'temporary' }))

  await stage.end('a')
  await stage.crash('b')
  await stage.restarted()

  assert.is(stage.take(), '+a +b -a')
  assert.equal(stage.tree(), ['/top running'])
})

test('dynamic: ten thousand children that come and go leave nothing behind', async () => {
  const stage = stageOf({ names: [], childrenMax: 10 })
  const top = stage.ref('top')

  for (let i = 0; i < 1000; i++) {
    for (let j = 0; j < 10; j++)
      spawnUnder(top, { name: `${i}-${j}`, restart: 'temporary', behaviour: puppet((ctx) => ctx.stopSelf()) })
    await stage.simulation.run(() => stage.system.tree().length === 1, { virtualMs: 100 })
  }

  assert.equal(stage.tree(), ['/top running'])
})

test('a plain cell supervises the children of its context as dynamic: each alone, with an allowance of its own', async () => {
  const stage = new Stage()
  const parent = stage.system.spawn({
    name: 'top',
    behaviour: puppet((ctx) => {
      for (const worker of stage.workers('a', 'b')) ctx.spawn(worker)
    }),
  })
  stage.take()

  for (let i = 0; i < 10; i++) {
    await stage.crash('a')
    await stage.crash('b')
    await stage.simulation.pass(5_000)
  }
  assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/b running'])
  await stage.crash('b')
  await stage.simulation.pass(200)

  assert.is(parent.alive, true)
  assert.is(stage.restarts('top'), 1, 'eleven crashes of one child within a minute')
})

test('spawnUnder: a name that lives is NAME_TAKEN, also while its cell waits for its restart', async () => {
  for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'] as const) {
    const stage = new Stage()
    const top = stage.supervise(strategy === 'dynamic' ? { strategy } : { strategy, children: [] })
    const add = (name: string): unknown => spawnUnder(top, stage.worker(name))
    for (const name of ['a', 'b']) add(name)
    const taken = (error: unknown): boolean => error instanceof BlazeError && error.code === 'NAME_TAKEN'

    assert.throws(() => add('b'), taken)
    await stage.crash('b')
    assert.throws(() => add('b'), taken)
    await stage.simulation.pass(2 * waitMs)

    const restart = strategy === 'one_for_all' ? '-a +a +b' : '+b'
    assert.is(stage.take(), `+top +a +b ${restart}`, strategy)
  }
})

test('spawnUnder: a transient child that ended normally gives up its name, and its place', async () => {
  for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one'] as const) {
    const stage = new Stage()
    const children = [stage.worker('a'), stage.worker('b', { restart: 'transient' }), stage.worker('c')]
    const top = stage.supervise({ strategy, children })
    await stage.end('b')
    spawnUnder(top, stage.worker('b'))
    stage.take()

    void top.stop()
    await stage.settle()

    assert.is(stage.take(), '-b -c -a -top', strategy)
  }
})

test.run()

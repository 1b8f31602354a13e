/** Promises of rest_for_one: a crash restarts the crashed child and those that were started after it; those before it do not notice. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ChildSpec } from '../../../runtime/index.ts'
import { BlazeError, limits, spawnUnder, supervisor } from '../../../runtime/index.ts'
import { createWorld, puppet } from '../world.ts'
import { Stage } from './stage.ts'

test('rest_for_one: the crashed child and those after it restart, those before it do not notice', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b', 'c', 'd') })
  assert.is(stage.take(), '+top +a +b +c +d')

  await stage.crash('b')
  assert.is(stage.take(), '-d -c')
  await stage.restarted()

  assert.is(stage.take(), '+b +c +d')
  assert.equal(
    ['a', 'b', 'c', 'd'].map((name) => stage.restarts(name)),
    [0, 1, 1, 1],
  )
})

test('rest_for_one: the last child restarts alone, the first one takes all along', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b', 'c') })
  stage.take()

  await stage.crash('c')
  await stage.restarted()
  assert.is(stage.take(), '+c')
  await stage.crash('a')
  await stage.restarted()

  assert.is(stage.take(), '-c -b +a +b +c')
})

test('rest_for_one: one crash counts as one restart, and those of all children are summed', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', intensity: 2, children: stage.workers('a', 'b', 'c') })

  for (const name of ['a', 'c']) {
    await stage.crash(name)
    await stage.restarted()
  }
  assert.is(stage.restarts('top'), 0)
  await stage.crash('b')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1)
})

test('rest_for_one: a crash further left while a group waits widens the group', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b', 'c', 'd') })
  stage.take()

  await stage.crash('c')
  assert.is(stage.take(), '-d')
  await stage.crash('b')
  assert.is(stage.take(), '')
  await stage.simulation.pass(500)

  assert.is(stage.take(), '+b +c +d')
  assert.equal(
    ['a', 'b', 'c', 'd'].map((name) => stage.restarts(name)),
    [0, 1, 1, 1],
  )
})

test('rest_for_one: a crash further left while a group is still being stopped widens it too, and nobody is stopped twice', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b', 'c', 'd') })
  stage.slowStops.set('d', 50)
  stage.take()

  await stage.crash('c')
  await stage.crash('a')
  assert.is(stage.take(), '-d')
  await stage.simulation.pass(50)
  assert.is(stage.take(), '-b')
  await stage.simulation.pass(500)

  assert.is(stage.take(), '+a +b +c +d')
  assert.equal(
    ['a', 'b', 'c', 'd'].map((name) => stage.restarts(name)),
    [1, 1, 1, 1],
  )
})

test('rest_for_one: a crash further left while a group waits is counted', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', intensity: 1, children: stage.workers('a', 'b') })

  await stage.crash('b')
  await stage.crash('a')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1)
})

test('rest_for_one: a child that fails in its first start holds up those after it; those before it stay up', async () => {
  const stage = new Stage()
  stage.failing.set('b', 2)

  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b', 'c') })
  assert.is(stage.take(), '+top +a +b')
  await stage.restarted()
  assert.is(stage.take(), '+b')
  await stage.restarted()

  assert.is(stage.take(), '+b +c')
  assert.equal(
    ['a', 'b', 'c'].map((name) => stage.restarts(name)),
    [0, 2, 0],
  )
})

test('rest_for_one: a child that fails in a group restart restarts it and those after it, not those that are up again', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b', 'c') })
  stage.failing.set('b', 1)
  stage.take()

  await stage.crash('a')
  await stage.restarted()
  assert.is(stage.take(), '-c -b +a +b')
  await stage.restarted()

  assert.is(stage.take(), '+b +c')
  assert.equal(
    ['a', 'b', 'c'].map((name) => stage.restarts(name)),
    [1, 2, 1],
  )
})

test('rest_for_one: a transient child that had ended comes back with a crash to its left, not to its right', async () => {
  const stage = new Stage()
  const children = [stage.worker('a'), stage.worker('b', { restart: 'transient' }), stage.worker('c')]
  stage.supervise({ strategy: 'rest_for_one', children })
  await stage.end('b')
  stage.take()

  await stage.crash('c')
  await stage.restarted()
  assert.is(stage.take(), '+c')
  await stage.crash('a')
  await stage.restarted()

  assert.is(stage.take(), '-c +a +b +c')
})

test('rest_for_one: temporary children to the right of a crash end for good, those to its left stay', async () => {
  const stage = new Stage()
  const temporary = (name: string): ReturnType<Stage['worker']> =>
    stage.worker(name, { restart: 'temporary' })
  const children = [temporary('a'), stage.worker('b'), temporary('c'), stage.worker('d')]
  stage.supervise({ strategy: 'rest_for_one', children })
  stage.take()

  await stage.crash('b')
  await stage.restarted()

  assert.is(stage.take(), '-d -c +b +d')
  assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/b running', '/top/d running'])
})

test('rest_for_one: a child added later stands at the right end', async () => {
  const stage = new Stage()
  const top = stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a', 'b') })
  spawnUnder(top, stage.worker('c'))
  stage.take()

  await stage.crash('b')
  await stage.restarted()

  assert.is(stage.take(), '-c +b +c')
})

test('rest_for_one: a supervisor below that gives up takes those after it along', async () => {
  const stage = new Stage()
  const low = stage.supervisor('b', {
    strategy: 'one_for_all',
    intensity: 0,
    children: stage.workers('b1', 'b2'),
  })
  stage.supervise({ strategy: 'rest_for_one', children: [stage.worker('a'), low, stage.worker('c')] })
  stage.take()

  await stage.crash('b1')
  assert.equal(stage.take().split(' ').toSorted(), ['-b2', '-c'])
  await stage.restarted()

  assert.is(stage.take(), '+b +b1 +b2 +c')
})

test('rest_for_one: places of children are bounded, those of ended ones included', async () => {
  const { system, settle } = createWorld()
  const child = (name: string): ChildSpec<never> => ({
    name,
    restart: 'transient',
    behaviour: puppet((ctx) => ctx.stopSelf()),
  })
  const children = Array.from({ length: limits.siblingsMax }, (_, i) => child(`c${i}`))
  const top = system.spawn({
    name: 'top',
    behaviour: supervisor({ kind: 'top', strategy: 'rest_for_one', children }),
  })
  await settle()

  assert.is(system.tree().length, 1, 'all have ended')
  assert.throws(
    () => spawnUnder(top, child('one-more')),
    (error: unknown) => error instanceof BlazeError && error.code === 'OVERLOADED',
  )
})

test.run()

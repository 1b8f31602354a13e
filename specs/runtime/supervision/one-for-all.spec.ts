/** Promises of one_for_all: when one child crashes, all are stopped right to left and started again left to right. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stage, waitMs } from './stage.ts'

test('one_for_all: a crash stops the siblings right to left, and after the wait all start left to right', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b', 'c') })
  assert.is(stage.take(), '+top +a +b +c')

  await stage.crash('b')
  assert.is(stage.take(), '-c -a')
  assert.equal(stage.tree(), ['/top running', '/top/a restarting', '/top/b restarting', '/top/c restarting'])
  await stage.restarted()

  assert.is(stage.take(), '+a +b +c')
  assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/b running', '/top/c running'])
  assert.equal(
    ['top', 'a', 'b', 'c'].map((name) => stage.restarts(name)),
    [0, 1, 1, 1],
  )
})

test('one_for_all: a permanent child that ends itself takes the others along', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b') })
  stage.take()

  await stage.end('a')
  await stage.restarted()

  assert.equal(stage.take().split(' ').toSorted(), ['+a', '+b', '-a', '-b'])
})

test('one_for_all: one crash counts as one restart, however many restart with it', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', intensity: 2, children: stage.workers('a', 'b', 'c') })

  for (const name of ['a', 'c']) {
    await stage.crash(name)
    await stage.restarted()
  }
  assert.is(stage.restarts('top'), 0)
  await stage.crash('b')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1)
})

test('one_for_all: the end of a temporary child, and the normal end of a transient one, concern nobody else', async () => {
  const stage = new Stage()
  const children = [
    stage.worker('a'),
    stage.worker('b', { restart: 'temporary' }),
    stage.worker('c', { restart: 'transient' }),
  ]
  stage.supervise({ strategy: 'one_for_all', children })
  stage.take()

  await stage.crash('b')
  await stage.end('c')
  await stage.restarted()

  assert.is(stage.take(), '-c')
  assert.equal(stage.tree(), ['/top running', '/top/a running'])
})

test('one_for_all: a child that fails in its first start holds up those after it, and stops those before it', async () => {
  const stage = new Stage()
  stage.failing.set('b', 2)

  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b', 'c') })
  await stage.settle()
  assert.is(stage.take(), '+top +a +b -a')
  await stage.restarted()
  assert.is(stage.take(), '+a +b -a')
  await stage.restarted()

  assert.is(stage.take(), '+a +b +c')
  assert.equal(
    ['a', 'b', 'c'].map((name) => stage.restarts(name)),
    [2, 2, 0],
  )
})

test('one_for_all: each failing start in a group restart is a crash, and one too many crashes the supervisor', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', intensity: 3, children: stage.workers('a', 'b', 'c') })
  stage.failing.set('b', 3)
  stage.take()

  await stage.crash('c')
  await stage.simulation.pass(5 * waitMs)

  // The crash of c and the two first failures are granted; the third failure is not.
  assert.is(stage.take(), '-b -a +a +b -a +a +b -a +a +b -a +top +a +b +c')
  assert.is(stage.restarts('top'), 1)
})

test('one_for_all: a sibling is down with everything below it before the next one to its left is stopped', async () => {
  const stage = new Stage()
  const tree = (name: string): ReturnType<Stage['supervisor']> =>
    stage.supervisor(name, { strategy: 'one_for_one', children: stage.workers(`${name}1`, `${name}2`) })
  stage.supervise({ strategy: 'one_for_all', children: [tree('a'), stage.worker('b'), tree('c')] })
  const refs = ['a', 'c', 'a1', 'c1'].map((name) => stage.ref(name))
  stage.slowStops.set('c1', 50)
  stage.take()

  await stage.crash('b')
  assert.is(stage.take(), '-c2 -c1')
  await stage.simulation.pass(60)
  assert.is(stage.take(), '-c -a2 -a1 -a')
  await stage.restarted()

  assert.is(stage.take(), '+a +a1 +a2 +b +c +c1 +c2')
  assert.equal(
    refs.map((ref) => ref.alive),
    [true, true, false, false],
    'supervisors keep their refs; what was below them is new',
  )
})

test('one_for_all: the others do not start before what the crashed child owned is closed', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b') })
  let close: () => void = () => {}
  stage.ref('a').tell((ctx) => void ctx.own(() => new Promise<void>((resolve) => void (close = resolve))))
  await stage.settle()
  stage.take()

  await stage.crash('a')
  await stage.simulation.pass(1000)
  assert.is(stage.take(), '-b')
  close()
  await stage.restarted()

  assert.is(stage.take(), '+a +b')
})

test('one_for_all: a crash of a child that is about to be stopped with its group is not counted again', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', intensity: 1, children: stage.workers('a', 'b', 'c') })
  stage.slowStops.set('c', 50)
  stage.take()

  await stage.crash('b')
  assert.is(stage.take(), '-c', 'c takes its time, a still runs')
  await stage.crash('a')
  await stage.simulation.pass(60)
  stage.slowStops.clear()
  await stage.restarted()

  assert.is(stage.take(), '+a +b +c')
  assert.equal(
    ['top', 'a', 'b', 'c'].map((name) => stage.restarts(name)),
    [0, 1, 1, 1],
  )
})

test('one_for_all: a member that hangs in its stop costs its budget and is started with the others', async () => {
  const stage = new Stage()
  const hanging = stage.worker('b', { stopBudgetMs: 300 })
  stage.supervise({ strategy: 'one_for_all', children: [stage.worker('a'), hanging, stage.worker('c')] })
  stage.slowStops.set('b', 10_000)
  stage.take()

  await stage.crash('c')
  await stage.simulation.pass(280)
  assert.is(stage.take(), '-b')
  await stage.simulation.pass(20)
  assert.is(stage.take(), '-a')
  await stage.restarted()

  assert.is(stage.take(), '+a +b +c')
})

test.run()

/** Promises of one_for_one: a crash concerns the crashed child alone; the restarts of all children are counted together. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { RestartKind } from '../../../runtime/index.ts'
import { spawnUnder } from '../../../runtime/index.ts'
import { Stage, waitMs } from './stage.ts'

test('one_for_one: only the crashed child restarts', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_one', children: stage.workers('a', 'b', 'c') })
  stage.take()

  await stage.crash('b')
  assert.is(stage.take(), '')
  assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/b restarting', '/top/c running'])
  await stage.restarted()

  assert.is(stage.take(), '+b')
  assert.equal(
    ['a', 'b', 'c'].map((name) => stage.restarts(name)),
    [0, 1, 0],
  )
})

test('children start left to right and stop right to left, each with everything below it', async () => {
  const stage = new Stage()
  const inner = stage.supervisor('b', { strategy: 'one_for_one', children: stage.workers('b1', 'b2') })
  const top = stage.supervise({
    strategy: 'one_for_one',
    children: [stage.worker('a'), inner, stage.worker('c')],
  })
  assert.is(stage.take(), '+top +a +b +b1 +b2 +c')

  void top.stop()
  await stage.settle()

  assert.is(stage.take(), '-c -b2 -b1 -b -a -top')
  assert.equal(stage.system.tree(), [])
})

test('one_for_one: the crashes of all children together use up the intensity', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_one', intensity: 2, children: stage.workers('a', 'b', 'c') })

  await stage.crash('a')
  await stage.crash('b')
  await stage.restarted()
  stage.take()
  await stage.crash('c')

  assert.is(stage.take(), '-b -a', 'the third crash is one too many; the supervisor has crashed')
  assert.match(String(stage.system.tree()[0]?.lastError), 'RESTART_LIMIT')
  await stage.restarted()
  assert.is(stage.take(), '+top +a +b +c')
})

test('a crash that is older than the period does not count any more', async () => {
  const stage = new Stage()
  const children = stage.workers('a', 'b')
  stage.supervise({ strategy: 'one_for_one', intensity: 1, periodMs: 1000, children })

  for (const name of ['a', 'b', 'a']) {
    await stage.crash(name)
    await stage.simulation.pass(1000)
  }
  assert.is(stage.restarts('top'), 0)
  await stage.crash('a')
  await stage.restarted()
  assert.is(stage.restarts('top'), 0)
  await stage.crash('b')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1, 'the second crash within a period')
})

test('intensity 0: the first crash of a child crashes its supervisor', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_one', intensity: 0, children: stage.workers('a', 'b') })
  stage.take()

  await stage.crash('a')
  assert.is(stage.take(), '-b')
  await stage.restarted()

  assert.is(stage.take(), '+top +a +b')
  assert.is(stage.restarts('a'), 0, 'it is another child')
})

test('the count of a supervisor begins anew with its restart', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_one', intensity: 1, children: stage.workers('a') })
  await stage.crash('a')
  await stage.restarted()
  await stage.crash('a')
  await stage.restarted()
  assert.is(stage.restarts('top'), 1)

  await stage.crash('a')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1)
  assert.is(stage.restarts('a'), 1)
})

test('one_for_one: waits grow with the crashes of all children, and start over after a period without one', async () => {
  const stage = new Stage()
  const backoff = { firstMs: 100, maxMs: 400 }
  const children = stage.workers('a', 'b')
  stage.supervise({ strategy: 'one_for_one', periodMs: 5000, backoff, children })
  const waitOf = async (name: string): Promise<number> => {
    const begin = stage.simulation.now()
    stage.take()
    await stage.crash(name)
    await stage.simulation.run(() => stage.take() === `+${name}`, { virtualMs: 1000 })
    return stage.simulation.now() - begin
  }

  const waits = [await waitOf('a'), await waitOf('b'), await waitOf('a'), await waitOf('b')]
  await stage.simulation.pass(5000)
  waits.push(await waitOf('b'))

  for (const [i, full] of [100, 200, 400, 400, 100].entries()) {
    const wait = waits[i] ?? 0
    assert.ok(wait >= full / 2 && wait <= full + 5, `wait ${i} was ${wait}, expected ${full / 2} to ${full}`)
  }
})

test('one_for_one: a child that fails in its first start holds up nobody', async () => {
  const stage = new Stage()
  stage.failing.set('a', 2)
  stage.supervise({ strategy: 'one_for_one', children: stage.workers('a', 'b') })

  assert.is(stage.take(), '+top +a +b')
  await stage.restarted()
  await stage.restarted()

  assert.is(stage.take(), '+a +a')
  assert.equal([stage.restarts('a'), stage.restarts('b')], [2, 0])
})

test('one_for_one: a transient child that ended normally comes back only when its supervisor restarts', async () => {
  const stage = new Stage()
  const children = [stage.worker('a', { restart: 'transient' }), stage.worker('b')]
  stage.supervise({ strategy: 'one_for_one', children })
  await stage.end('a')
  await stage.crash('b')
  await stage.restarted()
  assert.equal(stage.tree(), ['/top running', '/top/b running'])

  await stage.crash('top')
  await stage.restarted()

  assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/b running'])
})

test('one_for_one: a child stopped from outside is gone for good, and its name is free', async () => {
  const stage = new Stage()
  const top = stage.supervise({ strategy: 'one_for_one', children: stage.workers('a', 'b') })
  void stage.ref('a').stop()
  await stage.settle()
  stage.take()

  spawnUnder(top, stage.worker('a'))
  assert.equal(stage.tree(), ['/top running', '/top/b running', '/top/a running'], 'at the right end')
  void top.stop()
  await stage.settle()

  assert.is(stage.take(), '+a -a -b -top')
})

test('children added later are supervised alike, and are gone after a restart of their supervisor', async () => {
  const stage = new Stage()
  const top = stage.supervise({ strategy: 'one_for_one', children: stage.workers('a') })
  const added = spawnUnder(top, stage.worker('b'))
  await stage.crash('b')
  await stage.restarted()
  assert.is(stage.take(), '+top +a +b +b')

  await stage.crash('top')
  await stage.restarted()

  assert.is(stage.take(), '-b -a +top +a')
  assert.is(added.alive, false)
})

test('a failure that no restart heals climbs level by level to the root, where it stays visible', async () => {
  const stage = new Stage()
  const low = stage.supervisor('low', { strategy: 'one_for_one', intensity: 1, children: stage.workers('a') })
  const high = stage.supervisor('high', { strategy: 'one_for_one', intensity: 1, children: [low] })
  stage.failing.set('a', Infinity)
  stage.system.spawn(stage.worker('beside'))
  stage.supervise({ strategy: 'one_for_one', intensity: 1, children: [high] })

  await stage.simulation.pass(60_000)

  const lives = stage.take().split(' ')
  const count = (name: string): number => lives.filter((line) => line === `+${name}`).length
  // Each level restarts its child once before it gives up; the root restarts ten times.
  assert.equal(['top', 'high', 'low', 'a'].map(count), [11, 22, 44, 88])
  assert.equal(stage.tree(), ['/beside running', '/top stopped'])
  const gaveUp = stage.events.filter((event) => event.details['event'] === 'supervision.gave-up')
  assert.equal(
    gaveUp.map((event) => event.path),
    ['/top'],
  )
  assert.is(stage.ref('top').alive, false)
})

const fates: [RestartKind, boolean][] = [
  ['permanent', true],
  ['transient', true],
  ['temporary', false],
]
for (const [restart, back] of fates) {
  test(`a ${restart} supervisor that gives up ${back ? 'is restarted' : 'is gone'}`, async () => {
    const stage = new Stage()
    const low = stage.supervisor(
      'low',
      { strategy: 'one_for_one', intensity: 0, children: stage.workers('a') },
      { restart },
    )
    stage.supervise({ strategy: 'one_for_one', children: [low, stage.worker('b')] })
    const heard = stage.watch('low')
    await stage.settle()
    stage.take()

    await stage.crash('a')
    await stage.restarted()

    assert.is(stage.take(), back ? '+low +a' : '')
    assert.equal(heard.slice(0, 1), [back ? 'crashed' : 'crashed for good'])
    assert.is(stage.restarts('top'), 0)
  })
}

test('a child that hangs in its stop costs its own budget, is killed, and the others are stopped as ever', async () => {
  const stage = new Stage()
  const slow = stage.worker('b', { stopBudgetMs: 300 })
  stage.slowStops.set('b', 10_000)
  stage.slowStops.set('a', 200)
  const children = [stage.worker('a'), slow, stage.worker('c')]
  const top = stage.supervise({ strategy: 'one_for_one', children })
  const heard = ['a', 'b', 'c'].map((name) => stage.watch(name))
  await stage.settle()
  stage.take()

  let stopped = false
  void top.stop().then(() => (stopped = true))
  await stage.simulation.pass(290)
  assert.is(stage.take(), '-c -b')
  await stage.simulation.pass(20)
  assert.is(stage.take(), '-a')
  assert.is(stopped, false)
  await stage.simulation.pass(200)

  assert.is(stopped, true)
  assert.is(stage.take(), '-top')
  assert.equal(heard, [['stopped for good'], ['killed for good'], ['stopped for good']])
})

test('a child that crashes while its supervisor stops or crashes is not started again below it', async () => {
  for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'] as const) {
    for (const how of ['stop', 'end', 'crash'] as const) {
      const stage = new Stage()
      const children = stage.workers('a', 'b', 'c')
      const top = stage.supervise(strategy === 'dynamic' ? { strategy } : { strategy, children }, {
        restart: 'temporary',
      })
      if (strategy === 'dynamic') for (const child of children) spawnUnder(top, child)
      stage.slowStops.set('c', 300)
      stage.take()

      if (how === 'stop') void top.stop()
      else await stage[how]('top')
      await stage.settle()
      await stage.crash('a')
      await stage.simulation.pass(1000)

      assert.is(stage.take(), how === 'crash' ? '-c -b' : '-c -b -top', `${strategy}, ${how}`)
      assert.equal(stage.tree(), [], `${strategy}, ${how}`)
    }
  }
})

test('a supervisor that crashes while a child waits for its restart starts each child once', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_one', children: stage.workers('a', 'b') })
  await stage.crash('a')
  await stage.crash('top')
  stage.take()

  await stage.simulation.pass(3 * waitMs)

  assert.is(stage.take(), '+top +a +b')
})

test.run()

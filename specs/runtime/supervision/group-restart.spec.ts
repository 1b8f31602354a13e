/** What a group restart keeps and loses, and what may happen in its middle. The group is that of one_for_all, or the rest of rest_for_one. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeError } from '../../../runtime/index.ts'
import { spawnUnder } from '../../../runtime/index.ts'
import { codeOf } from '../world.ts'
import { Stage, waitMs } from './stage.ts'

for (const strategy of ['one_for_all', 'rest_for_one'] as const) {
  const stageOf = (): Stage => {
    const stage = new Stage()
    stage.supervise({ strategy, children: stage.workers('a', 'b', 'c') })
    stage.take()
    return stage
  }

  test(`${strategy}: siblings keep their refs and the mail that waits, also what comes while they are down`, async () => {
    const stage = stageOf()
    const heard: string[] = []
    const sibling = stage.ref('b')
    const say = (text: string): string => sibling.tell(() => void heard.push(text))
    stage.slowStops.set('c', 50)

    await stage.crash('a')
    say('while another is stopped')
    await stage.simulation.pass(50)
    assert.is(say('while it is down'), 'ok')
    assert.is(sibling.alive, true)
    await stage.restarted()
    say('once it is up')
    await stage.settle()

    assert.is(stage.ref('b'), sibling)
    assert.equal(heard, ['while another is stopped', 'while it is down', 'once it is up'])
    assert.equal(
      stage.system.deadLetters.list().map((letter) => [letter.path, letter.reason]),
      [['/top/a', 'crashed']],
    )
  })

  test(`${strategy}: asks that a sibling had seen fail with CELL_DOWN, those that wait are answered by its next life`, async () => {
    const stage = stageOf()
    const sibling = stage.ref('b')
    const seen = codeOf(sibling.ask<string>(() => () => {}, 60_000))
    await stage.settle()

    await stage.crash('a')
    const waiting = sibling.ask<string>((reply) => () => reply('answer'), 60_000)
    assert.is(await seen, 'CELL_DOWN')
    await stage.restarted()

    assert.is(await waiting, 'answer')
  })

  test(`${strategy}: those who watch a sibling hear that it stopped, not for good; a temporary one for good`, async () => {
    const stage = new Stage()
    const children = [stage.worker('a'), stage.worker('b'), stage.worker('c', { restart: 'temporary' })]
    stage.supervise({ strategy, children })
    const heard = ['a', 'b', 'c'].map((name) => stage.watch(name))
    const temporary = stage.ref('c')
    await stage.settle()

    await stage.crash('a')
    assert.is(temporary.alive, false)
    await stage.simulation.pass(500)

    assert.equal(heard, [['crashed'], ['stopped'], ['stopped for good']])
    assert.equal(
      stage.tree().filter((line) => line.startsWith('/top/')),
      ['/top/a running', '/top/b running'],
    )
  })

  test(`${strategy}: a transient child that had ended comes back under a new ref, in its old place`, async () => {
    const stage = new Stage()
    const children = [stage.worker('a'), stage.worker('b', { restart: 'transient' }), stage.worker('c')]
    const top = stage.supervise({ strategy, children })
    const before = stage.ref('b')
    await stage.end('b')
    stage.take()

    await stage.crash('a')
    await stage.restarted()

    assert.is(stage.take(), '-c +a +b +c')
    assert.is(before.alive, false)
    assert.is(
      before.tell(() => {}),
      'dead',
    )
    assert.is(stage.ref('b').alive, true)
    assert.is(stage.restarts('b'), 0)
    void top.stop()
    await stage.settle()
    assert.is(stage.take(), '-c -b -a -top')
  })

  test(`${strategy}: a transient child that crashes is restarted with its group, and only normally ended it stays down`, async () => {
    const stage = new Stage()
    const children = [stage.worker('a', { restart: 'transient' }), stage.worker('b')]
    stage.supervise({ strategy, children })
    stage.take()

    await stage.crash('a')
    await stage.restarted()
    assert.is(stage.take(), '-b +a +b')
    await stage.end('a')
    await stage.restarted()

    assert.is(stage.take(), '-a')
  })

  test(`${strategy}: a child stopped from outside does not come back with its group, whatever its restart kind`, async () => {
    for (const restart of ['permanent', 'transient', 'temporary'] as const) {
      const stage = new Stage()
      stage.supervise({
        strategy,
        children: [stage.worker('a'), stage.worker('b', { restart }), stage.worker('c')],
      })
      void stage.ref('b').stop()
      await stage.settle()
      stage.take()

      await stage.crash('a')
      await stage.restarted()

      assert.is(stage.take(), '-c +a +c', restart)
    }
  })

  test(`${strategy}: a killed child does not come back, and takes nobody along`, async () => {
    const stage = stageOf()
    const heard = stage.watch('b')
    await stage.settle()

    void stage.ref('b').kill()
    await stage.settle()
    assert.is(stage.take(), '')
    await stage.crash('a')
    await stage.restarted()

    assert.equal(heard, ['killed for good'])
    assert.is(stage.take(), '-c +a +c')
  })

  test(`${strategy}: a member stopped from outside while its group waits is left out, also the one that crashed`, async () => {
    for (const gone of ['a', 'b']) {
      const stage = stageOf()
      await stage.crash('a')
      stage.take()

      let stopped = false
      void stage
        .ref(gone)
        .stop()
        .then(() => (stopped = true))
      await stage.settle()
      assert.is(stopped, true)
      await stage.restarted()

      assert.is(stage.take(), gone === 'a' ? '+b +c' : '+a +c')
    }
  })

  test(`${strategy}: a member stopped from outside while its group is being stopped is left out, and stopped once`, async () => {
    const stage = stageOf()
    stage.slowStops.set('c', 50)
    const heard = stage.watch('c')
    await stage.settle()
    await stage.crash('a')

    void stage.ref('c').stop()
    void stage.ref('b').stop()
    await stage.simulation.pass(500)

    assert.equal(stage.take().split(' ').toSorted(), ['+a', '-b', '-c'])
    assert.equal(heard, ['stopped for good'])
    assert.equal(
      stage.tree().filter((line) => line.startsWith('/top/')),
      ['/top/a running'],
    )
  })

  test(`${strategy}: a transient member stopped from outside while its life is being ended is gone for good`, async () => {
    // Both while it is stopped with its group, and while what is below it is stopped after its own crash.
    for (const gone of ['a', 'c']) {
      const stage = new Stage()
      const below = stage.worker('below')
      const transient = { restart: 'transient', significant: true } as const
      const children = [
        stage.supervisor('a', { strategy: 'one_for_one', children: [below] }, transient),
        stage.worker('b'),
        stage.worker('c', transient),
      ]
      stage.supervise({ strategy, autoShutdown: 'any_significant', children })
      stage.slowStops.set('below', 50).set('c', 50)
      const heard = stage.watch(gone)
      await stage.settle()
      stage.take()

      await stage.crash('a')
      void stage.ref(gone).stop()
      await stage.simulation.pass(1000)

      assert.is(stage.take().split(' ').includes(`+${gone}`), false, `${gone} came back`)
      assert.is(heard.at(-1), 'stopped for good')
      assert.is(stage.ref('top').alive, true)
      assert.is(stage.restarts('top'), 0, 'it did not end by itself')
      assert.is(stage.tree().includes('/top/b running'), true)
    }
  })

  test(`${strategy}: stopping the supervisor while a group waits starts nobody`, async () => {
    const stage = stageOf()
    await stage.crash('a')
    stage.take()

    void stage.ref('top').stop()
    await stage.simulation.pass(500)

    assert.is(stage.take(), '-top')
    assert.equal(stage.tree(), [])
  })

  test(`${strategy}: stopping the supervisor while a group is being stopped stops each child once, right to left`, async () => {
    const stage = stageOf()
    stage.slowStops.set('c', 50)
    const heard = ['a', 'b', 'c'].map((name) => stage.watch(name))
    await stage.settle()
    await stage.crash('a')

    let stopped = false
    void stage
      .ref('top')
      .stop()
      .then(() => (stopped = true))
    await stage.settle()
    assert.is(stage.take(), '-c')
    await stage.simulation.pass(500)

    assert.is(stage.take(), '-b -top')
    assert.is(stopped, true)
    assert.equal(heard, [['crashed', 'stopped for good'], ['stopped for good'], ['stopped for good']])
    assert.equal(
      stage.tree().filter((line) => line.startsWith('/top')),
      [],
    )
  })

  test(`${strategy}: killing the supervisor in the middle of a group restart ends all of it without a farewell`, async () => {
    for (const afterMs of [0, 60]) {
      const stage = stageOf()
      stage.slowStops.set('c', 50)
      const heard = ['b', 'top'].map((name) => stage.watch(name))
      await stage.settle()
      await stage.crash('a')
      await stage.simulation.pass(afterMs)
      stage.take()

      void stage.ref('top').kill()
      await stage.simulation.pass(1000)

      assert.is(stage.take(), '')
      assert.equal(
        heard.map((deaths) => deaths.at(-1)),
        ['killed for good', 'killed for good'],
      )
      assert.equal(
        stage.tree().filter((line) => line.startsWith('/top')),
        [],
      )
    }
  })

  test(`${strategy}: stopping the system in the middle of a group restart ends everything`, async () => {
    for (const afterMs of [0, 30, 70, 200]) {
      const stage = stageOf()
      stage.slowStops.set('c', 50)
      await stage.crash('a')
      await stage.simulation.pass(afterMs)

      await Promise.all([stage.system.stop(), stage.simulation.pass(1000)])

      assert.equal(stage.system.tree(), [])
      assert.is(
        stage.ref('b').tell(() => {}),
        'dead',
      )
      const starts = stage
        .take()
        .split(' ')
        .filter((line) => line.startsWith('+'))
      assert.ok(starts.length === 0 || afterMs === 200, `started after the stop: ${starts.join(' ')}`)
    }
  })

  test(`${strategy}: a crash of the supervisor while its group waits starts each child once`, async () => {
    const stage = stageOf()
    await stage.crash('a')
    await stage.crash('top')
    stage.take()

    await stage.simulation.pass(3 * waitMs)

    assert.is(stage.take(), '+top +a +b +c')
  })

  for (const restart of ['permanent', 'temporary'] as const) {
    test(`${strategy}: a ${restart} child added while a group waits starts with it, as the last`, async () => {
      const stage = stageOf()
      await stage.crash('a')
      stage.take()

      const heard: string[] = []
      const added = spawnUnder(stage.ref('top'), stage.worker('d', { restart }))
      assert.is(
        added.tell(() => void heard.push('told')),
        'ok',
      )
      await stage.simulation.pass(3 * waitMs)

      assert.is(stage.take(), '+a +b +c +d')
      assert.equal(heard, ['told'])
      void stage.ref('top').stop()
      await stage.settle()
      assert.is(stage.take(), '-d -c -b -a -top')
    })
  }

  test(`${strategy}: once the limit is exceeded nothing more is started`, async () => {
    const stage = new Stage()
    stage.supervise({ strategy, intensity: 1, children: stage.workers('a', 'b') })
    stage.failing.set('a', 1)
    await stage.crash('a')
    spawnUnder(stage.ref('top'), stage.worker('c'))
    stage.take()

    await stage.restarted()

    assert.is(stage.take(), '+a')
    assert.is(stage.restarts('top'), 0)
    await stage.restarted()
    assert.is(stage.take(), '+top +a +b')
  })

  test(`${strategy}: once the limit is exceeded nothing can be added either, while the crash is on its way`, async () => {
    const stage = new Stage()
    stage.failing.set('a', 1)
    const top = stage.supervise({ strategy, intensity: 0, children: stage.workers('a', 'b') })
    assert.is(top.alive, true)

    assert.throws(
      () => spawnUnder(top, stage.worker('c')),
      (error: BlazeError) => error.code === 'CELL_DOWN',
    )

    assert.is(stage.take(), '+top +a')
    await stage.restarted()
    assert.is(stage.take(), '+top +a +b')
  })

  test(`${strategy}: a temporary child that fails in its start is gone, and those after it are started`, async () => {
    const stage = new Stage()
    stage.failing.set('b', 1)
    const children = [stage.worker('a'), stage.worker('b', { restart: 'temporary' }), stage.worker('c')]
    stage.supervise({ strategy, children })
    await stage.restarted()

    assert.is(stage.take(), '+top +a +b +c')
    assert.equal(stage.tree(), ['/top running', '/top/a running', '/top/c running'])
  })

  test(`${strategy}: a passive member stays passive through a group restart, and keeps its mail`, async () => {
    const stage = new Stage()
    const children = [stage.worker('a'), stage.worker('b', { passivateAfterMs: 50 }), stage.worker('c')]
    stage.supervise({ strategy, children })
    await stage.simulation.pass(100)
    assert.ok(stage.tree().includes('/top/b passive'))
    stage.take()

    await stage.crash('a')
    await stage.restarted()
    assert.is(stage.take(), '-c +a +c')
    assert.ok(stage.tree().includes('/top/b passive'))
    const answer = stage.ref('b').ask<string>((reply) => () => reply('awake'), 1000)
    await stage.settle()

    assert.is(await answer, 'awake')
    assert.is(stage.take(), '+b')
  })
}

test.run()

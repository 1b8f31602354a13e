/** Promises of significant children: when they have ended by themselves for good, their supervisor ends itself. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { RestartKind } from '../../../runtime/index.ts'
import { spawnUnder } from '../../../runtime/index.ts'
import { Stage } from './stage.ts'

type AutoShutdown = 'never' | 'any_significant' | 'all_significant'
const strategies = ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'] as const

/** A supervisor that is gone once it has ended itself, with two significant children, `a` and `b`, and a plain one, `c`. */
function stageOf(
  autoShutdown: AutoShutdown,
  options: { strategy?: (typeof strategies)[number]; restart?: 'transient' | 'temporary' } = {},
): Stage {
  const { strategy = 'one_for_one', restart = 'transient' } = options
  const stage = new Stage()
  const children = [
    stage.worker('a', { restart, significant: true }),
    stage.worker('b', { restart, significant: true }),
    stage.worker('c', { restart }),
  ]
  const rules = { autoShutdown, ...(strategy === 'dynamic' ? { strategy } : { strategy, children }) }
  const top = stage.supervise(rules, { restart: 'transient' })
  if (strategy === 'dynamic') for (const child of children) spawnUnder(top, child)
  stage.take()
  return stage
}

for (const strategy of strategies) {
  test(`any_significant, ${strategy}: the first significant child that ended by itself ends the supervisor, in order`, async () => {
    const stage = stageOf('any_significant', { strategy })
    const heard = stage.watch('top')
    await stage.settle()

    await stage.end('a')

    assert.is(stage.take(), '-a -c -b -top')
    assert.equal(heard, ['stopped for good'])
    assert.is(stage.ref('top').alive, false)
  })

  test(`all_significant, ${strategy}: the last significant child that lived ends the supervisor`, async () => {
    const stage = stageOf('all_significant', { strategy })

    await stage.end('a')
    assert.is(stage.take(), '-a')
    await stage.end('b')

    assert.is(stage.take(), '-b -c -top')
  })

  test(`never, ${strategy}: significant children are children like others`, async () => {
    const stage = stageOf('never', { strategy })

    await stage.end('a')
    await stage.end('b')

    assert.is(stage.take(), '-a -b')
    assert.is(stage.ref('top').alive, true)
  })
}

const ends: ['transient' | 'temporary', 'crash' | 'end', boolean][] = [
  ['transient', 'end', true],
  ['transient', 'crash', false],
  ['temporary', 'end', true],
  ['temporary', 'crash', true],
]
for (const [restart, how, shuts] of ends) {
  const what = how === 'end' ? 'ends normally' : 'crashes'
  test(`a significant ${restart} child that ${what} ${shuts ? 'ends its supervisor' : 'is restarted'}`, async () => {
    const stage = stageOf('any_significant', { restart })

    await stage[how]('a')
    await stage.restarted()

    assert.is(stage.ref('top').alive, !shuts)
    if (!shuts) assert.is(stage.take(), '+a')
  })
}

test('the end of a child that is not significant ends nothing', async () => {
  const stage = stageOf('any_significant')

  await stage.end('c')

  assert.is(stage.take(), '-c')
})

test('a significant child that waits for its restart still counts as living', async () => {
  const stage = stageOf('all_significant')

  await stage.crash('a')
  await stage.end('b')
  assert.is(stage.take(), '-b')
  await stage.restarted()
  assert.is(stage.take(), '+a')
  await stage.end('a')

  assert.is(stage.take(), '-a -c -top')
})

test('a significant child that is stopped or killed from outside ends nothing, and lives no more', async () => {
  for (const how of ['stop', 'kill'] as const) {
    for (const rule of ['any_significant', 'all_significant'] as const) {
      const stage = stageOf(rule)
      for (const name of ['a', 'b']) {
        void stage.ref(name)[how]()
        await stage.settle()
      }
      assert.is(stage.ref('top').alive, true)
    }

    const stage = stageOf('all_significant')
    void stage.ref('a')[how]()
    await stage.settle()
    await stage.end('b')
    assert.is(stage.ref('top').alive, false, 'b was the last one that lived')
  }
})

test('a significant child that ends with its group restart ends nothing', async () => {
  const stage = new Stage()
  const significant = { significant: true, restart: 'temporary' } as const
  const children = [stage.worker('a'), stage.worker('b', significant), stage.worker('c', significant)]
  stage.supervise({ strategy: 'one_for_all', autoShutdown: 'any_significant', children })
  stage.take()

  await stage.crash('a')
  await stage.restarted()

  assert.is(stage.take(), '-c -b +a')
})

const fates: [RestartKind, boolean][] = [
  ['permanent', true],
  ['transient', false],
  ['temporary', false],
]
for (const [restart, back] of fates) {
  test(`a ${restart} supervisor that its significant children ended ${back ? 'is restarted with all its children' : 'is gone'}`, async () => {
    const stage = new Stage()
    const child = stage.worker('a', { restart: 'transient', significant: true })
    const low = stage.supervisor(
      'low',
      { strategy: 'one_for_one', autoShutdown: 'any_significant', children: [child, stage.worker('b')] },
      { restart },
    )
    stage.supervise({ strategy: 'one_for_one', children: [low, stage.worker('beside')] })
    stage.take()

    await stage.end('a')
    await stage.restarted()

    assert.is(stage.take(), back ? '-a -b -low +low +a +b' : '-a -b -low')
    assert.is(stage.restarts('top'), 0)
  })
}

test('a restart after automatic shutdown counts towards the intensity of the level above', async () => {
  const stage = new Stage()
  const child = stage.worker('a', { restart: 'transient', significant: true })
  const low = stage.supervisor('low', {
    strategy: 'one_for_one',
    autoShutdown: 'any_significant',
    children: [child],
  })
  stage.supervise({ strategy: 'one_for_one', intensity: 1, children: [low] })

  await stage.end('a')
  await stage.restarted()
  assert.equal([stage.restarts('low'), stage.restarts('top')], [1, 0])
  await stage.end('a')
  await stage.restarted()

  assert.is(stage.restarts('top'), 1)
})

test('automatic shutdown climbs: a significant supervisor that ended itself ends the one above', async () => {
  const stage = new Stage()
  const significant = { significant: true, restart: 'transient' } as const
  const rules = { strategy: 'one_for_one', autoShutdown: 'any_significant' } as const
  const low = stage.supervisor('low', { ...rules, children: [stage.worker('a', significant)] }, significant)
  stage.supervise({ ...rules, children: [stage.worker('b'), low] }, { restart: 'transient' })
  stage.take()

  await stage.end('a')

  assert.is(stage.take(), '-a -low -b -top')
  assert.equal(stage.system.tree(), [])
})

test('a permanent child cannot be significant', () => {
  const stage = new Stage()
  const bad = { name: 'a', significant: true, behaviour: stage.worker('a').behaviour }
  for (const restart of [{}, { restart: 'permanent' }] as const) {
    const child = { ...bad, ...restart }
    const isMeant = (error: unknown): boolean =>
      error instanceof TypeError && error.message.includes('significant')

    assert.throws(() => stage.system.spawn(child), isMeant)
    assert.throws(() => stage.supervisor('top', { strategy: 'one_for_one', children: [child] }), isMeant)
  }
})

test.run()

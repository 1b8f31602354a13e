/** Promises of quarantine under supervision: the message on which a cell crashed does not come back by itself, whoever restarts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { QuarantinedMessage } from '../../../runtime/index.ts'
import { limits } from '../../../runtime/index.ts'
import { Stage } from './stage.ts'

const strategies = ['one_for_one', 'one_for_all', 'rest_for_one'] as const

test('a poison message is tried once, and its cell goes on with the mail behind it, whatever the strategy', async () => {
  for (const strategy of strategies) {
    const stage = new Stage()
    stage.supervise({ strategy, children: stage.workers('a', 'b') })
    const heard: string[] = []
    let tries = 0
    stage.ref('a').tell(() => {
      tries++
      throw new Error('poison')
    })
    stage.ref('a').tell(() => void heard.push('after'))

    await stage.simulation.pass(1000)

    assert.equal([tries, heard], [1, ['after']], strategy)
    assert.equal(
      stage.system.quarantine
        .list()
        .map(({ path, cell, message, error }) => ({ path, cell, message, error })),
      [{ path: '/top/a', cell: stage.ref('a').id, message: 'function', error: 'Error: poison' }],
      strategy,
    )
  }
})

test('a crash that no message caused leaves nothing in quarantine: a start, a timer, a group restart', async () => {
  const stage = new Stage()
  stage.failing.set('b', 1)
  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b') })
  await stage.simulation.pass(500)
  stage.ref('a').tell((ctx) => {
    ctx.after(10, () => {
      throw new Error('of a timer')
    })
  })

  await stage.simulation.pass(500)

  assert.equal([stage.restarts('a'), stage.restarts('b')], [2, 2])
  assert.is(stage.system.quarantine.count, 0)
  assert.is(infoOf(stage, 'a')?.quarantined, undefined)
})

test('mail that waits in a sibling through a group restart is not in quarantine', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b') })
  await stage.crash('a')
  const heard: string[] = []
  stage.ref('b').tell(() => void heard.push('told'))

  await stage.restarted()

  assert.equal(heard, ['told'])
  assert.is(stage.system.quarantine.count, 1)
})

test('a released message is told to the restarted cell once more; a second crash puts it back', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'one_for_all', children: stage.workers('a', 'b') })
  const { quarantine } = stage.system
  let mended = false
  let handled = 0
  stage.ref('a').tell(() => {
    if (!mended) throw new Error('not yet')
    handled++
  })
  await stage.simulation.pass(500)
  const [first] = idsOf(quarantine.list())

  assert.is(quarantine.release(first ?? 0), 'ok')
  assert.equal(quarantine.list(), [])
  await stage.simulation.pass(500)
  const [second] = idsOf(quarantine.list())
  mended = true
  assert.is(quarantine.release(second ?? 0), 'ok')
  await stage.settle()

  assert.is.not(first, second)
  assert.equal([handled, quarantine.list(), quarantine.count], [1, [], 2])
  assert.is(infoOf(stage, 'a')?.quarantined, 2)
  assert.is(quarantine.release(second ?? 0), undefined)
})

test('a message released to a cell that waits for its restart is kept for its next life', async () => {
  const stage = new Stage()
  stage.supervise({ strategy: 'rest_for_one', children: stage.workers('a') })
  const { quarantine } = stage.system
  let tries = 0
  stage.ref('a').tell(() => {
    if (++tries === 1) throw new Error('once')
  })
  await stage.settle()

  assert.is(quarantine.release(idsOf(quarantine.list())[0] ?? 0), 'ok')
  await stage.settle()
  assert.is(tries, 1)
  await stage.restarted()

  assert.is(tries, 2)
})

test('a message of a cell that is gone for good is released as dead, and can be discarded', async () => {
  const stage = new Stage()
  const children = [stage.worker('a', { restart: 'temporary' }), stage.worker('b', { restart: 'temporary' })]
  stage.supervise({ strategy: 'one_for_one', children })
  const { quarantine } = stage.system
  await stage.crash('a')
  await stage.crash('b')
  const [first = 0, second = 0] = idsOf(quarantine.list())

  assert.is(quarantine.release(first), 'dead')
  assert.is(quarantine.discard(second), true)
  assert.is(quarantine.discard(second), false)

  assert.equal(quarantine.list(), [])
  assert.is(stage.system.deadLetters.list().at(-1)?.reason, 'dead')
})

test('a cell that gives up on its poison is stopped at the root, and the poison is still there to be seen', async () => {
  const stage = new Stage()
  stage.supervise(
    { strategy: 'one_for_one', intensity: 0, children: stage.workers('a') },
    { restart: 'temporary' },
  )

  await stage.crash('a')
  await stage.simulation.pass(500)

  assert.equal(stage.system.tree(), [])
  assert.equal(
    stage.system.quarantine.list().map((entry) => entry.path),
    ['/top/a'],
  )
})

test('quarantine keeps the latest messages up to its bound, and counts all', async () => {
  const stage = new Stage()
  const all = limits.quarantineMax + 10
  stage.supervise({ strategy: 'one_for_one', intensity: all, children: stage.workers('a') })
  const seen: number[] = []
  stage.system.tap.subscribe((event) => {
    if (event.type === 'message.quarantined') seen.push(Number(event.details['entry']))
  })

  for (let i = 0; i < all; i++) {
    await stage.crash('a')
    await stage.restarted()
  }

  const { quarantine } = stage.system
  assert.is(quarantine.count, all)
  assert.equal(idsOf(quarantine.list()), seen.slice(-limits.quarantineMax))
  assert.is(infoOf(stage, 'a')?.quarantined, all)
})

function idsOf(entries: readonly QuarantinedMessage[]): number[] {
  return entries.map((entry) => entry.id)
}

function infoOf(stage: Stage, name: string): ReturnType<Stage['system']['tree']>[number] | undefined {
  return stage.system.tree().find((info) => info.path === `/top/${name}`)
}

test.run()

/** A supervised resource: opened, quarantined when it fails, opened again, closed once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError, createSystem, limits } from '../../../runtime/index.ts'
import type { System } from '../../../runtime/index.ts'
import { createResource } from '../../../server/resource/index.ts'
import type { Resource } from '../../../server/resource/index.ts'
import { codeOf, createWorld } from '../world.ts'
import type { SpecWorld } from '../world.ts'

interface Thing {
  readonly n: number
  fail(error: unknown): void
}

interface Stage {
  readonly world: SpecWorld
  readonly system: System
  readonly resource: Resource<Thing>
  readonly events: string[]
  /** What the next openings do. */
  next: 'open' | 'refuse'
}

function stage(openMs = 5): Stage {
  const world = createWorld()
  const system = createSystem({ env: world.env })
  const events: string[] = []
  let n = 0
  const made: Stage = {
    world,
    system,
    events,
    next: 'open',
    resource: createResource<Thing>({
      name: 'thing',
      kind: 'thing',
      async open() {
        n++
        events.push(`open ${n}`)
        await new Promise<void>((resolve) => void world.env.after(openMs, resolve))
        if (made.next === 'refuse') throw new BlazeError('DISK_FULL', 'no space')
        return { n, fail: () => {} }
      },
      close: (thing) => void events.push(`close ${thing.n}`),
      watch: (thing, failed) => {
        thing.fail = failed
      },
      inspect: (thing) => ({ n: thing?.n ?? 0 }),
    }),
  }
  return made
}

function stateOf(system: System): string {
  return system
    .tree()
    .map(({ state }) => state)
    .join()
}

test('callers wait while it opens and share what was opened', async () => {
  const { world, system, resource, events } = stage()
  system.spawn(resource.spec)
  assert.is(stateOf(system), 'opening')

  const [first, second] = await world.settle(Promise.all([resource.ready(), resource.ready()]))

  assert.is(first, second)
  assert.is(stateOf(system), 'open')
  assert.is(resource.current(), first)
  assert.equal(events, ['open 1'])
  await world.settle(system.stop())
  assert.equal(events, ['open 1', 'close 1'])
})

test('1,024 callers wait while it opens, one more is BUSY, and afterwards nobody waits', async () => {
  const { world, system, resource } = stage()
  system.spawn(resource.spec)
  const waiting = Array.from({ length: limits.resourceWaitersMax }, () => resource.ready())

  assert.is(await codeOf(resource.ready()), 'BUSY')
  assert.is(new Set(await world.settle(Promise.all(waiting))).size, 1)
  assert.is((await resource.ready()).n, 1)
})

test('the waits between openings double from half a second to a minute', async () => {
  const made = stage(0)
  made.next = 'refuse'
  const { world, system, resource, events } = made
  system.spawn(resource.spec)
  await codeOf(world.settle(resource.ready()))
  const waits: number[] = []
  for (let n = 0; n < 9; n++) {
    const [tries, sinceMs] = [events.length, world.env.monotonic()]
    await world.simulation.run(() => events.length > tries, { virtualMs: 2 * limits.resourceRetryMaxMs })
    waits.push(world.env.monotonic() - sinceMs)
  }

  for (const [n, ms] of waits.entries()) {
    const full = Math.min(limits.resourceRetryFirstMs * 2 ** n, limits.resourceRetryMaxMs)
    assert.ok(ms >= full / 2 - 5 && ms <= full + 5, `wait ${n + 1}: ${ms} ms`)
  }
})

test('one that breaks is closed, shown as failed with its error, and opened again by itself', async () => {
  const { world, system, resource, events } = stage()
  system.spawn(resource.spec)
  const thing = await world.settle(resource.ready())

  thing.fail(new BlazeError('POISONED', 'the disk refused'))
  thing.fail(new BlazeError('POISONED', 'a second report of the same'))
  await world.simulation.run(() => stateOf(system) === 'failed', { virtualMs: 10 })

  assert.is(stateOf(system), 'failed')
  assert.is(await codeOf(resource.ready()), 'POISONED')
  assert.match(JSON.stringify(system.tree()[0]?.detail), 'POISONED: the disk refused')

  await world.simulation.pass(limits.resourceRetryFirstMs + 100)
  assert.is(stateOf(system), 'open')
  assert.is(resource.error(), undefined)
  assert.equal(events, ['open 1', 'close 1', 'open 2'])

  thing.fail(new Error('a late report about the first one'))
  await world.simulation.pass(100)
  assert.is(stateOf(system), 'open')
})

test('while it keeps failing it is tried ever less often, and never given up', async () => {
  const made = stage()
  made.next = 'refuse'
  const { world, system, resource, events } = made
  system.spawn(resource.spec)
  assert.is(await codeOf(world.settle(resource.ready())), 'DISK_FULL')

  await world.simulation.pass(600_000)
  const tries = events.length
  assert.ok(tries > 10 && tries < 30, `${tries} tries in ten minutes`)

  made.next = 'open'
  await world.simulation.pass(limits.resourceRetryMaxMs + 100)
  assert.is(stateOf(system), 'open')
})

test('a stop during the opening waits for it and closes what was opened', async () => {
  const { world, system, resource, events } = stage(50)
  const ref = system.spawn(resource.spec)
  const waiting = codeOf(resource.ready())
  await world.simulation.pass(1)

  await world.settle(ref.stop())

  assert.is(await waiting, 'CLOSED')
  assert.equal(events, ['open 1', 'close 1'])
  assert.is(await codeOf(resource.ready()), 'CLOSED')
})

test.run()

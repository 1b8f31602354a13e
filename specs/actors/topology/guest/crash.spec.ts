// time limit: 240 s
/** A guest that loses its power at any moment comes to show exactly what its host shows, and nothing wrong meanwhile. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { GuestDatabase } from '../../../../actors/topology/guest/index.ts'
import { createChance } from '../../../../runtime/index.ts'
import { all, GuestWorld } from './guest-world.ts'
import { ModelHost } from './model-host.ts'

async function contents(world: GuestWorld, guest: GuestDatabase): Promise<Map<string, unknown>> {
  const docs = await world.settle(all(guest))
  return new Map(docs.map(({ id, n }) => [id, n] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sorted(map: ReadonlyMap<string, unknown>): Map<string, unknown> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function converges(
  world: GuestWorld,
  guest: GuestDatabase,
  host: ModelHost,
  what: string,
): Promise<void> {
  const expected = sorted(host.expected)
  await world.until(() => guest.report().state === 'live' && guest.status().records === expected.size)
  await world.quiet()
  assert.equal(await contents(world, guest), expected, what)
  assert.ok(guest.complete, what)
}

/** A pass, live changes, then a pass under a narrower policy, all within about 60 ms. */
function history(world: GuestWorld, host: ModelHost): void {
  const { env } = world.host
  for (let n = 1; n <= 30; n += 1) host.put(`a${n}`, n, n % 10 === 0)
  for (let n = 1; n <= 10; n += 1) {
    env.after(15 + n, () => {
      host.put(`b${n}`, n)
      host.delete(`a${n * 2}`)
    })
  }
  env.after(32, () => host.setPolicy(3))
}

test('a power cut at any moment of a pass, of live changes and of the pass after a policy change heals', async () => {
  for (let cutMs = 0; cutMs < 70; cutMs += 0.7) {
    const what = `cut after ${cutMs} ms`
    const world = await GuestWorld.create(Math.round(cutMs * 10) + 1)
    const host = new ModelHost(world)
    const guest = await world.guest()
    history(world, host)
    await world.simulation.pass(cutMs)
    assert.ok(guest.report().state !== 'refused')
    world.powerCut()

    const again = await world.guest()
    assert.not.ok(world.warnings.includes('guest.copy.dropped'), `${what}: the copy is whole`)
    for (const [id, n] of await contents(world, again)) assert.ok(host.had(id, n), what)
    await world.simulation.pass(100)
    await converges(world, again, host, what)
    await world.settle(again.close())

    const third = await world.guest()
    await converges(world, third, host, `${what}, opened again`)
    await world.settle(third.close())
  }
})

test('random histories of writes, policies, restarts, broken links and power cuts converge', async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    console.log(`seed ${seed}`)
    const chance = createChance(seed)
    const world = await GuestWorld.create(seed)
    const host = new ModelHost(world)
    let guest = await world.guest()
    for (let step = 0; step < 60; step += 1) {
      const dice = chance()
      const id = `r${Math.floor(chance() * 40)}`
      if (dice < 0.55) host.put(id, 1 + Math.floor(chance() * 50), chance() < 0.2)
      else if (dice < 0.7) host.delete(id)
      else if (dice < 0.76) host.setPolicy([2, 3, 5, 97][Math.floor(chance() * 4)] as number)
      else if (dice < 0.82) host.reboot()
      else if (dice < 0.88) world.network.cut('app')
      else if (dice < 0.94) {
        world.powerCut()
        guest = await world.guest()
      } else {
        await world.settle(guest.close())
        guest = await world.guest()
      }
      if (chance() < 0.5) await world.simulation.pass(chance() * 20)
    }
    await world.simulation.pass(6_000)
    await converges(world, guest, host, `seed ${seed}`)
    assert.not.ok(world.warnings.includes('guest.copy.dropped'), `seed ${seed}`)
    await world.settle(guest.close())
  }
})

test.run()

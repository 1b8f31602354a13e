/** Writes that the host stores and does not show: no host brings them again, so they are acknowledged once the disk here has them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { GuestDatabase } from '../../../../actors/topology/guest/index.ts'
import { BlazeError } from '../../../../runtime/index.ts'
import { follow, get, GuestWorld, insert } from './guest-world.ts'
import { tagOf } from './mirror-record.ts'

/** A guest of a host that hides what is written. */
async function live(seed: number, diskMsMax = 2): Promise<{ world: GuestWorld; guest: GuestDatabase }> {
  const world = await GuestWorld.create(seed)
  world.diskMsMax = diskMsMax
  world.host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    link.changes([], { upTo: cursor?.arrival ?? 1 })
  }
  world.host.onRequest = (link, { id }) => {
    link.answer(id, { arrival: 1, hidden: [{ index: 0, tag: tagOf('bugs/a'), life: 1 }] })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  await world.simulation.pass(2 * diskMsMax)
  return { world, guest }
}

test('what the host hides of a write is on the disk here when the write resolves, whenever the power goes', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { world, guest } = await live(seed)
    await world.settle(insert(guest, 'a', { n: seed }))
    world.powerCut()

    const again = await world.guest()
    assert.equal(await world.settle(get(again, 'a')), { id: 'a', n: seed }, `seed ${seed}`)
    await world.settle(again.close())
  }
})

test('it is shown while it is being written, kept once, and other writes are not held up', async () => {
  const { world, guest } = await live(1, 5_000)
  const told = await follow(world, guest)
  let settled = false
  const write = insert(guest, 'a', { n: 1 })
  write.then(
    () => (settled = true),
    () => undefined,
  )
  await world.until(() => guest.status().records === 1)
  world.host.onRequest = (link, { id }) => link.answer(id, { arrival: 2 })
  const other = insert(guest, 'b')
  await world.until(() => world.host.link.requests.length === 2)
  world.host.link.changes([], { upTo: 2 })
  await world.settle(other)
  assert.not.ok(settled)
  await world.quiet()
  assert.equal(
    told.deltas.flatMap(({ added, changed }) => [...added, ...changed]),
    [{ id: 'a', n: 1 }],
  )

  await world.settle(write)
  await world.settle(guest.close())
})

test('one whose copy fails or is closed before it is written says so', async () => {
  const broken = await live(1, 5_000)
  broken.world.copy().failNextBatch()
  let refusal: unknown
  insert(broken.guest, 'a').catch((error: unknown) => (refusal = error))
  await broken.world.until(() => refusal !== undefined)
  assert.is(refusal instanceof BlazeError && refusal.code, 'POISONED')
  assert.match(String(refusal), 'the host stored it, but not the copy here')
  await broken.world.state(broken.guest, 'live')
  await broken.world.settle(broken.guest.close())

  const { world, guest } = await live(2, 5_000)
  const closed = world.code(insert(guest, 'a'))
  await world.until(() => guest.status().records === 1)
  await world.settle(guest.close())
  assert.is(await closed, 'CLOSED')
})

test.run()

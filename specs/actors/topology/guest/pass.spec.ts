/** Passes: what they remove at their end, what they never remove, and how they go on after they were interrupted. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../../runtime/index.ts'
import type { MirrorItem } from '../../../../actors/topology/mirror/index.ts'
import { gone, HOME, shown } from './bare-host.ts'
import { follow, get, GuestWorld, ids } from './guest-world.ts'
import { recordOf } from './mirror-record.ts'

const bug = (id: string, n = 1): MirrorItem => shown(recordOf('bugs', id, { n }))
const mine = (id: string, n = 1): MirrorItem => shown(recordOf('bugs', id, { n }, HOME))
const OTHER_POLICY = new Uint8Array(16).fill(7)

async function liveWith(items: readonly MirrorItem[]): Promise<{
  world: GuestWorld
  guest: Awaited<ReturnType<GuestWorld['guest']>>
}> {
  const world = await GuestWorld.create()
  world.host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    if (cursor === undefined) link.changes(items, { upTo: 10 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  return { world, guest }
}

test('a retraction removes a record unless it is at home here, a delete removes it wherever it is at home', async () => {
  const { world, guest } = await liveWith([bug('a'), mine('b'), mine('c')])

  world.host.link.changes([gone('retracted', 'a'), gone('retracted', 'b'), gone('deleted', 'c')], {
    upTo: 11,
  })
  await world.quiet()

  assert.equal(await ids(world, guest), ['b'])
  await world.settle(guest.close())
})

test('a full pass removes at its end what it did not name, but what is at home here', async () => {
  const { world, guest } = await liveWith([bug('a'), bug('b'), mine('c'), bug('d')])
  const { deltas } = await follow(world, guest)

  world.host.onAttach = (link) => link.attached({ policy: OTHER_POLICY })
  world.host.link.reset('CLOSED')
  await world.state(guest, 'passing')
  assert.not.ok(guest.complete)
  world.host.link.changes([bug('b', 2)], { upTo: 8, caughtUp: false })
  await world.quiet()
  assert.equal(await ids(world, guest), ['a', 'b', 'c', 'd'])
  world.host.link.changes([bug('e')], { upTo: 12 })
  await world.state(guest, 'live')

  assert.equal(await ids(world, guest), ['b', 'c', 'e'])
  assert.equal(deltas.at(-1)?.removed, ['a', 'd'])
  assert.ok(guest.complete)
  assert.is(guest.report().policyVersion, '07'.repeat(16))
  assert.is(guest.report().passes, 2)
  await world.settle(guest.close())
})

test('a record that was retracted and is at home stays through full passes, and comes anew when it is shown again', async () => {
  const { world, guest } = await liveWith([mine('a', 1)])
  world.host.onAttach = (link) => {
    link.attached()
    link.changes([gone('retracted', 'a')], { upTo: 12 })
  }
  for (let round = 0; round < 3; round += 1) {
    world.network.cut('app')
    await world.state(guest, 'failover')
    await world.state(guest, 'live')
    assert.equal(await world.settle(get(guest, 'a')), { id: 'a', n: 1 })
  }

  world.host.link.changes([mine('a', 2)], { upTo: 13 })
  await world.quiet()

  assert.equal(await world.settle(get(guest, 'a')), { id: 'a', n: 2 })
  await world.settle(guest.close())
})

test('a pass that is full under the same policy leaves the copy complete, one under another policy does not', async () => {
  const { world, guest } = await liveWith([bug('a')])
  world.host.onAttach = (link) => link.attached()
  world.network.cut('app')
  await world.state(guest, 'failover')
  await world.state(guest, 'passing')
  assert.ok(guest.complete)

  world.host.onAttach = (link) => link.attached({ policy: OTHER_POLICY })
  world.host.link.reset('CLOSED')
  await world.until(() => guest.report().policyVersion === '07'.repeat(16))

  assert.not.ok(guest.complete)
  assert.equal(await ids(world, guest), ['a'])
  await world.settle(guest.close())
})

test('an interrupted pass goes on from its cursor, also in another process, and removes at its end what neither half named', async () => {
  const { world, guest } = await liveWith([bug('a'), bug('b'), bug('c'), mine('d')])
  world.host.onAttach = (link, { cursor }) =>
    link.attached({ policy: OTHER_POLICY, full: cursor?.arrival === 10 })
  world.host.link.reset('CLOSED')
  await world.state(guest, 'passing')
  world.host.link.changes([bug('b', 2)], { upTo: 5, caughtUp: false })
  await world.quiet()
  await world.settle(guest.close())

  const again = await world.guest()
  await world.state(again, 'passing')
  assert.equal(await ids(world, again), ['a', 'b', 'c', 'd'])
  assert.equal(world.host.attaches.at(-1)?.cursor?.arrival, 5)
  world.host.link.changes([bug('c', 2)], { upTo: 12 })
  await world.state(again, 'live')

  assert.equal(await ids(world, again), ['b', 'c', 'd'])
  await world.settle(again.close())
})

test('a large sweep takes several turns, during which changes are applied', async () => {
  const many = Array.from({ length: limits.scanSliceRecords * 3 }, (_, n) => `old-${n}`)
  const world = await GuestWorld.create()
  world.host.onAttach = (link) => {
    link.attached()
    for (let at = 0; at < many.length; at += 256) {
      const items = many.slice(at, at + 256).map((id) => bug(id))
      link.changes(items, { upTo: at + 1, caughtUp: at + 256 >= many.length })
    }
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  assert.is(guest.status().records, many.length)

  world.host.onAttach = (link) => {
    link.attached({ policy: OTHER_POLICY })
    link.changes([bug('new')], { upTo: 10_000 })
    link.changes([bug('old-1500', 2)], { upTo: 10_001, caughtUp: false })
  }
  world.host.link.reset('CLOSED')
  await world.until(() => guest.report().passes === 2)
  assert.is(guest.report().state, 'passing')
  world.host.link.changes([], { upTo: 10_001 })
  await world.state(guest, 'live')

  const left = await ids(world, guest)
  assert.ok(left.includes('new'))
  assert.ok(left.length <= 2)
  await world.settle(guest.close())
  await world.host.deaf()
  const again = await world.guest()
  assert.equal(await ids(world, again), left)
  await world.settle(again.close())
})

test('a guest is live only when everything that the pass did not name is gone', async () => {
  const many = Array.from({ length: limits.scanSliceRecords * 3 }, (_, n) => bug(`old-${n}`))
  const world = await GuestWorld.create()
  world.host.onAttach = (link) => {
    link.attached()
    for (let at = 0; at < many.length; at += 256)
      link.changes(many.slice(at, at + 256), { upTo: at, caughtUp: false })
    link.changes([], { upTo: many.length })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  world.host.onAttach = (link) => {
    link.attached({ policy: OTHER_POLICY })
    link.changes([bug('new')], { upTo: 9_999 })
    link.changes([bug('newer')], { upTo: 9_999 })
  }
  const seen: (readonly [string, number])[] = []
  guest.onReport(() => seen.push([guest.report().state, guest.status().records]))
  world.host.link.reset('CLOSED')
  await world.until(() => guest.report().passes === 2)
  await world.quiet()

  assert.equal(
    seen.map(([state]) => state),
    ['attaching', 'passing', 'live'],
  )
  assert.ok((seen[1]?.[1] ?? 0) > 2, 'the sweep was under way')
  assert.is(seen[2]?.[1], 2)
  await world.settle(guest.close())
})

test('the cursor carries the incarnation of the host that told it', async () => {
  const { world, guest } = await liveWith([bug('a')])
  const incarnation = new Uint8Array(16).fill(6)
  world.host.onAttach = (link) => link.attached({ full: false, incarnation })
  world.network.cut('app')
  await world.state(guest, 'failover')
  await world.state(guest, 'passing')
  world.network.cut('app')
  await world.state(guest, 'failover')
  await world.state(guest, 'passing')
  world.host.link.changes([], { upTo: 11 })
  await world.state(guest, 'live')
  world.network.cut('app')
  await world.state(guest, 'failover')
  await world.state(guest, 'passing')

  const told = world.host.attaches.map(({ cursor }) => [cursor?.incarnation[0], cursor?.arrival])
  assert.equal(told.slice(1), [
    [4, 10],
    [4, 10],
    [6, 11],
  ])
  await world.settle(guest.close())
})

test.run()

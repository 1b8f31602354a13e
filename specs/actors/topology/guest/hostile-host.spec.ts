/** A host that breaks the protocol is left with `PROTOCOL_VIOLATION`, and nothing of what it said wrong is kept. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MirrorItem } from '../../../../actors/topology/mirror/index.ts'
import {
  encodeAttached,
  encodeChanges,
  encodeItem,
  mirrorFrame,
} from '../../../../actors/topology/mirror/index.ts'
import { createChance } from '../../../../runtime/index.ts'
import { ATTACHED, gone, shown } from './bare-host.ts'
import type { HostLink } from './bare-host.ts'
import { GuestWorld, ids, insert } from './guest-world.ts'
import { recordOf, tagOf } from './mirror-record.ts'

const bug = (id: string, n = 1): MirrorItem => shown(recordOf('bugs', id, { n }))
const head = { caughtUp: true, upTo: 9, cursor: 9 }
const changes = (items: readonly MirrorItem[], over: object = {}): Uint8Array =>
  encodeChanges({ ...head, ...over }, items.map(encodeItem))

interface Case {
  /** After an honest answer and the records a and b, up to 8. */
  readonly say: (link: HostLink) => void
}

const afterAttach: Readonly<Record<string, Case['say']>> = {
  'a second answer to the attach': (link) => link.attached(),
  'a frame that only a guest sends': (link) => link.send(mirrorFrame.attach, new Uint8Array(40)),
  'a frame of a relay': (link) => link.send(16, new Uint8Array(40)),
  'changes that do not parse': (link) => link.send(mirrorFrame.changes, new Uint8Array(12)),
  'changes with a byte too many': (link) =>
    link.send(mirrorFrame.changes, Uint8Array.of(...changes([bug('c')]), 0)),
  'a cursor ahead of what was sent': (link) => {
    const bytes = changes([bug('c')])
    bytes[12] = 10
    link.send(mirrorFrame.changes, bytes)
  },
  'changes that reach less than those before': (link) =>
    link.send(mirrorFrame.changes, changes([bug('c')], { upTo: 7, cursor: 7 })),
  'a record of a collection that is not exported': (link) =>
    link.send(mirrorFrame.changes, changes([bug('c'), shown(recordOf('secrets', 's', {}))])),
  'a known record under another tag': (link) =>
    link.send(mirrorFrame.changes, changes([bug('c'), { ...bug('a'), tag: tagOf('another') }])),
  'the tag of one record for another': (link) =>
    link.send(mirrorFrame.changes, changes([bug('c'), { ...bug('d'), tag: tagOf('bugs/a') }])),
  'one record under two tags in one message': (link) =>
    link.send(mirrorFrame.changes, changes([bug('c'), { ...bug('c'), tag: tagOf('another') }])),
  'two records under one tag in one message': (link) =>
    link.send(mirrorFrame.changes, changes([bug('c'), { ...bug('d'), tag: tagOf('bugs/c') }])),
  'a request of its own': (link) =>
    void link.session.request(16, new Uint8Array(0), 1_000).catch(() => undefined),
  'an answer to a write that is none': (link) => link.session.answer(1, new Uint8Array(3)),
}

const instead: Readonly<Record<string, Case['say']>> = {
  'changes before the answer to the attach': (link) => link.send(mirrorFrame.changes, changes([bug('c')])),
  'no full pass for a guest that has nothing': (link) => link.attached({ full: false }),
  'an answer that does not parse': (link) => link.send(mirrorFrame.attached, new Uint8Array(20)),
  'an answer with a byte too many': (link) =>
    link.send(mirrorFrame.attached, Uint8Array.of(...encodeAttached(ATTACHED), 0)),
}

const onResume: Readonly<Record<string, Case['say']>> = {
  'no full pass under another policy': (link) => link.attached({ full: false, policy: new Uint8Array(16) }),
  'no full pass of another space': (link) => link.attached({ full: false, space: new Uint8Array(16) }),
}

async function isLeft(world: GuestWorld, link: HostLink, name: string): Promise<void> {
  await world.until(() => link.ended !== undefined)
  assert.is(link.ended, 'PROTOCOL_VIOLATION', name)
}

for (const [name, say] of Object.entries(afterAttach)) {
  test(`${name} ends the link`, async () => {
    const world = await GuestWorld.create()
    world.host.onAttach = (link, { cursor }) => {
      link.attached({ full: cursor === undefined })
      if (cursor === undefined) link.changes([bug('a'), bug('b')], { upTo: 8 })
    }
    const guest = await world.guest()
    await world.state(guest, 'live')
    const { link } = world.host
    const write = world.code(insert(guest, 'mine'))
    await world.until(() => link.requests.length === 1)

    say(link)
    await isLeft(world, link, name)

    assert.ok(['LINK_CLOSED', 'PROTOCOL_VIOLATION'].includes(await write))
    assert.equal(await ids(world, guest), ['a', 'b'])
    // It was only this link: an honest host is taken again, and asked for what comes after what was good.
    await world.state(guest, 'passing')
    assert.is(world.host.attaches.at(-1)?.cursor?.arrival, 8)
    world.host.link.changes([gone('deleted', 'a')], { upTo: 9 })
    await world.state(guest, 'live')
    assert.equal(await ids(world, guest), ['b'])
    await world.settle(guest.close())
  })
}

for (const [name, say] of Object.entries(instead)) {
  test(`${name} ends the link`, async () => {
    const world = await GuestWorld.create()
    world.host.onAttach = say
    const guest = await world.guest()
    await world.until(() => world.host.links.length > 0)
    await isLeft(world, world.host.link, name)
    assert.equal(await ids(world, guest), [])
    assert.is(guest.report().passes, 0)
    await world.settle(guest.close())
  })
}

for (const [name, say] of Object.entries(onResume)) {
  test(`${name} ends the link`, async () => {
    const world = await GuestWorld.create()
    world.host.onAttach = (link, { cursor }) => {
      if (cursor !== undefined) return say(link)
      link.attached()
      return link.changes([bug('a')], { upTo: 8 })
    }
    const guest = await world.guest()
    await world.state(guest, 'live')
    world.network.cut('app')
    await world.until(() => world.host.links.length === 2)
    await isLeft(world, world.host.link, name)
    assert.equal(await ids(world, guest), ['a'])
    await world.settle(guest.close())
  })
}

test('random damage of an honest message either changes nothing of its meaning or ends the link', async () => {
  const seed = 20
  console.log(`seed ${seed}`)
  const chance = createChance(seed)
  const honest = [encodeAttached(ATTACHED), changes([bug('a'), bug('b'), gone('deleted', 'c')])]
  for (let round = 0; round < 150; round += 1) {
    const world = await GuestWorld.create(round + 1)
    const at = Math.floor(chance() * 2)
    const bytes = (honest[at] as Uint8Array).slice()
    const place = Math.floor(chance() * bytes.length)
    bytes[place] = (bytes[place] as number) ^ (1 << Math.floor(chance() * 8))
    world.host.onAttach = (link) => {
      link.send(mirrorFrame.attached, at === 0 ? bytes : (honest[0] as Uint8Array))
      link.send(mirrorFrame.changes, at === 1 ? bytes : (honest[1] as Uint8Array))
    }
    const guest = await world.guest()
    await world.until(() => world.host.links.length > 0)
    const { link } = world.host
    await world.quiet()
    const shownIds = await ids(world, guest)
    if (link.ended !== undefined) {
      assert.is(link.ended, 'PROTOCOL_VIOLATION', `seed ${seed} round ${round}`)
      assert.equal(shownIds, [], `seed ${seed} round ${round}`)
    } else {
      assert.ok(shownIds.length <= 2, `seed ${seed} round ${round}`)
    }
    await world.settle(guest.close())
  }
})

test.run()

/** What a guest does when it is turned away for good, and what is left of the copy then. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MirrorItem } from '../../../../actors/topology/mirror/index.ts'
import { BlazeError, limits, nodeCrypto } from '../../../../runtime/index.ts'
import type { ErrorCode } from '../../../../runtime/index.ts'
import { HOME, shown } from './bare-host.ts'
import { follow, GuestWorld, ids, insert } from './guest-world.ts'
import { recordOf } from './mirror-record.ts'
import type { GuestOptions } from '../../../../actors/topology/guest/index.ts'

const items: readonly MirrorItem[] = [
  shown(recordOf('bugs', 'theirs', {})),
  shown(recordOf('bugs', 'mine', {}, HOME)),
]

/** A copy with two records, which no guest has open. */
async function worldWithCopy(): Promise<GuestWorld> {
  const world = await GuestWorld.create()
  world.host.onAttach = (link) => {
    link.attached()
    link.changes(items, { upTo: 3 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  await world.settle(guest.close())
  world.host.onAttach = () => {}
  return world
}

/** It stays refused, and dials no more. */
async function staysRefused(world: GuestWorld, over: Partial<GuestOptions> = {}): Promise<string[]> {
  const guest = await world.guest(over)
  await world.state(guest, 'refused')
  const { error, state } = guest.report()
  const links = world.host.links.length + world.host.failures.length
  await world.simulation.pass(60_000)
  assert.is(guest.report().state, state)
  assert.is(world.host.links.length + world.host.failures.length, links)
  const left = await ids(world, guest)
  const write = await world.code(insert(guest, 'new'))
  await world.settle(guest.close())
  return [error?.code ?? 'none', left.join(' '), write]
}

test('what no retry heals ends in `refused`: at the attach, and at the end of the link', async () => {
  const codes: readonly [ErrorCode, string, string][] = [
    ['READ_ONLY', 'mine', 'READ_ONLY'],
    ['UNKNOWN_SPACE', 'mine theirs', 'OFFLINE'],
    ['NOT_SUPPORTED', 'mine theirs', 'OFFLINE'],
    ['FORBIDDEN', 'mine', 'OFFLINE'],
  ]
  for (const [code, left, write] of codes) {
    for (const way of ['reset', 'close'] as const) {
      const world = await worldWithCopy()
      world.host.onAttach = (link) => link[way](code)
      assert.equal(await staysRefused(world), [code, left, write], `${code} ${way}`)
    }
  }
})

test('without a grant the handshake is refused: what was imported goes, what is at home here stays', async () => {
  const world = await worldWithCopy()
  world.host.authorize = () => ({ ok: false, code: 'FORBIDDEN', message: 'no grant' })

  assert.equal(await staysRefused(world), ['FORBIDDEN', 'mine', 'OFFLINE'])

  await world.host.deaf()
  const again = await world.guest()
  assert.equal(await ids(world, again), ['mine'])
  assert.not.ok(again.complete)
  await world.settle(again.close())
})

test('a grant that is withdrawn while the guest is live takes effect at once, for live queries too', async () => {
  const world = await worldWithCopy()
  world.host.onAttach = (link) => {
    link.attached({ full: false })
    link.changes([], { upTo: 3 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  const { deltas } = await follow(world, guest)

  world.host.link.close('FORBIDDEN')
  await world.state(guest, 'refused')
  await world.quiet()

  assert.equal(await ids(world, guest), ['mine'])
  assert.equal(deltas.at(-1)?.removed, ['theirs'])
  assert.not.ok(guest.complete)
  await world.settle(guest.close())
})

test('a purge of many records takes several turns, and a guest that is let in again asks for a full pass', async () => {
  const world = await worldWithCopy()
  const many = Array.from({ length: limits.scanSliceRecords * 2 }, (_, n) => n)
  world.host.onAttach = (link) => {
    link.attached({ full: false })
    for (let at = 0; at < many.length; at += 256) {
      const page = many.slice(at, at + 256).map((n) => shown(recordOf('bugs', `b${n}`, { n })))
      link.changes(page, { upTo: 4 + at })
    }
  }
  const guest = await world.guest()
  await world.until(() => guest.status().records === many.length + 2)
  world.host.link.close('FORBIDDEN')
  await world.state(guest, 'refused')
  await world.until(() => guest.status().records === 1)
  await world.settle(guest.close())

  world.host.onAttach = (link) => {
    link.attached()
    link.changes([shown(recordOf('bugs', 'theirs', {}))], { upTo: 9 })
  }
  const again = await world.guest()
  await world.state(again, 'live')

  assert.is(world.host.attaches.at(-1)?.cursor, undefined)
  assert.equal(await ids(world, again), ['mine', 'theirs'])
  await world.settle(again.close())
})

test('a host with another group key is no host of this group, and the copy stays', async () => {
  const world = await worldWithCopy()
  world.host.psk = new Uint8Array(32).fill(1)

  assert.equal(await staysRefused(world), ['GROUP_KEY_INVALID', 'mine theirs', 'OFFLINE'])
})

test('a host whose own key is not registered in the group is none, even when it has the group key', async () => {
  const world = await worldWithCopy()
  await world.host.deaf()
  world.host.app = {
    id: 'stranger',
    staticKey: nodeCrypto.sha256(Uint8Array.of(1)),
    device: nodeCrypto.createSigner(nodeCrypto.sha256(Uint8Array.of(2))),
  }
  await world.host.listen()

  const [code] = await staysRefused(world)

  assert.is(code, 'GROUP_KEY_INVALID')
  assert.is(world.host.attaches.length, 1, 'nothing was asked of the stranger')
})

test('a socket in a directory that others may change is not dialled again', async () => {
  const world = await worldWithCopy()
  const env = world.simulation.env('app')
  const unsafe = new BlazeError('UNSAFE_DIRECTORY', 'mode 0777')
  const local = { ...world.network.transport('app'), dial: () => Promise.reject(unsafe) }
  const { createSystem } = await import('../../../../runtime/index.ts')
  const system = createSystem({ env })

  const over = { world: { system, env, crypto: nodeCrypto, local, volume: (at: string) => world.volume(at) } }

  assert.equal(await staysRefused(world, over), ['UNSAFE_DIRECTORY', 'mine theirs', 'OFFLINE'])
})

test('anything else is tried again', async () => {
  for (const code of ['QUOTA', 'POISONED', 'REFUSED', 'OVERLOADED', 'CLOSED'] as const) {
    const world = await worldWithCopy()
    world.host.onAttach = (link) => link.close(code)
    const guest = await world.guest()
    await world.until(() => world.host.links.length >= 4)
    assert.ok(guest.report().state !== 'refused', code)
    assert.equal(await ids(world, guest), ['mine', 'theirs'])
    await world.settle(guest.close())
  }
})

test.run()

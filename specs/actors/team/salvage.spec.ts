/** Rows of a team that were lost or changed, and what a replica id says that its device has left. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTeam, encodeAnnouncement, openSpace } from '../../../actors/team/index.ts'
import { nodeCrypto, toHex } from '../../../runtime/index.ts'
import { connect, ExchangeWorld, log, shown } from '../relay/exchange-world.ts'
import type { Member } from '../relay/exchange-world.ts'
import { announcement, device, replicaId, spaceId } from './roster.ts'

const teamRows = [
  { gte: Uint8Array.of(0x6d), lt: Uint8Array.of(0x6e), limit: 100 },
  { gte: Uint8Array.of(0x72), lt: Uint8Array.of(0x73), limit: 100 },
]

/** An announcement of `next` by a device that leaves another id of whomever. */
function leaving(by: string, next: string, left: { of: string; forkPoint: number }): Uint8Array {
  const predecessor = { replicaId: replicaId(left.of), forkPoint: left.forkPoint }
  return encodeAnnouncement({
    spaceId,
    replicaId: replicaId(next),
    n: 2,
    predecessor,
    signer: device(by).signer,
  })
}

async function healed(world: ExchangeWorld, member: Member): Promise<Member> {
  const store = await member.volume.openStore('store')
  const options = { store, spaceId, env: member.env, crypto: nodeCrypto, heals: true }
  return { ...member, space: await world.settle(openSpace(options)) }
}

test('an id is closed past the lowest fork point that its own device announced, whatever came first', () => {
  for (const order of [0, 1]) {
    const team = createTeam({ spaceId, crypto: nodeCrypto })
    const news = [announcement('a'), leaving('a', 'a2', { of: 'a', forkPoint: 9 })]
    team.add({ entries: log, announcements: order === 0 ? news : [...news].reverse() })
    assert.is(team.device(replicaId('a'))?.closedAfter, 9)

    team.add({ announcements: [leaving('a', 'a3', { of: 'a', forkPoint: 4 })] })
    assert.is(team.device(replicaId('a'))?.closedAfter, 4)
    assert.is(team.device(replicaId('a2'))?.closedAfter, undefined)
  }
})

test('nobody closes an id of another device', () => {
  const team = createTeam({ spaceId, crypto: nodeCrypto })
  team.add({ entries: log, announcements: [announcement('a'), announcement('b')] })

  team.add({ announcements: [leaving('b', 'b2', { of: 'a', forkPoint: 0 })] })

  assert.is(team.device(replicaId('a'))?.closedAfter, undefined)
  assert.is(toHex(team.device(replicaId('b2'))?.signKey ?? new Uint8Array()), toHex(device('b').keys.signKey))
})

test('whatever row of the team is lost or changed, a supervisor opens it, and has all of it back after one exchange', async () => {
  const probe = new ExchangeWorld(1)
  const rows = (
    await Promise.all(
      teamRows.map((range) => probe.member('pi').then((pi) => pi.volume.rows('store').range(range))),
    )
  ).flat()
  assert.ok(rows.length > 6)
  for (const [index, [key, value]] of rows.entries()) {
    for (const kind of ['lost', 'flipped']) {
      const world = new ExchangeWorld(2)
      const [pi, a] = [await world.member('pi'), await world.member('a')]
      await world.write(a, 1, 'of a')
      connect(a, pi)
      await world.rest()
      await world.settle(pi.space.close())
      const flipped = value.slice()
      flipped[20] = (flipped[20] ?? 0) ^ 1
      pi.volume.damage('store', [
        kind === 'lost' ? { type: 'del', key } : { type: 'put', key, value: flipped },
      ])

      const again = await healed(world, pi)
      const [atPi] = connect(again, a)
      await world.rest()

      assert.equal(again.space.team.digest, a.space.team.digest, `${kind} row ${index}`)
      assert.equal(shown(again, 1), ['of a'])
      assert.is(again.space.replica.misfit.rebase, undefined)
      assert.is(atPi.ended, undefined)
      await world.settle(again.space.close())
      const third = await world.member('pi', pi.volume)
      assert.equal(third.space.team.digest, a.space.team.digest, 'its rows are in order')
    }
  }
})

test('a supervisor that is damaged once more while it rebases begins anew', async () => {
  const world = new ExchangeWorld(3)
  const [pi, a] = [await world.member('pi'), await world.member('a')]
  for (const n of [1, 2, 3]) await world.write(a, n, `${n}`)
  connect(a, pi)
  await world.rest()
  await world.settle(pi.space.close())
  const tags = { gte: Uint8Array.of(0x74), lt: Uint8Array.of(0x75), limit: 9 }
  const lose = async (at: number): Promise<void> => {
    const [key] = (await pi.volume.rows('store').range(tags))[at] ?? []
    assert.ok(key)
    pi.volume.damage('store', [{ type: 'del', key }])
  }
  await lose(2)

  const first = await healed(world, pi)
  assert.equal([first.space.replica.tags, first.space.replica.misfit.rebase?.step], [2, 'round'])
  await world.settle(first.space.close())
  await lose(1)
  const second = await healed(world, pi)
  assert.equal([second.space.replica.tags, second.space.replica.misfit.rebase?.step], [1, 'round'])
  connect(second, a)
  await world.rest()

  assert.equal(
    [1, 2, 3].map((n) => shown(second, n)),
    [['1'], ['2'], ['3']],
  )
})

test('a store of another space is not healed', async () => {
  const world = new ExchangeWorld(4)
  const pi = await world.member('pi')
  await world.settle(pi.space.close())
  const store = await pi.volume.openStore('store')
  const options = { store, spaceId: new Uint8Array(16).fill(9), env: pi.env, crypto: nodeCrypto, heals: true }

  const error: unknown = await world.settle(openSpace(options).catch((reason: unknown) => reason))

  assert.match(String(error), /belongs to space/)
  await world.settle(store.close())
  assert.equal((await world.member('pi', pi.volume)).space.team.digest, pi.space.team.digest)
})

test.run()

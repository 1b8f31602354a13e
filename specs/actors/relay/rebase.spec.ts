/** What an exchange does for a misfit, with a misfit, and about a fork of others (REPLICATION rules 21 to 23, PROTOCOL §10). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeHello,
  encodeVector,
  parseAck,
  parseHello,
  RELAY_ACK,
  RELAY_DATA,
  RELAY_HELLO,
  RELAY_READY,
  RELAY_VECTOR,
} from '../../../actors/relay/message.ts'
import { openSpace } from '../../../actors/team/index.ts'
import type { RebaseOrder } from '../../../actors/replica/index.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import { derive, device, replicaId, spaceId } from '../team/roster.ts'
import { connect, ExchangeWorld, shown, Side, strangeHello } from './exchange-world.ts'
import type { Member } from './exchange-world.ts'

/** Opens a closed member again as a misfit; `next` names its new replica id, which a relay has not. */
async function reopened(
  world: ExchangeWorld,
  member: Member,
  order: RebaseOrder,
  next?: string,
): Promise<Member> {
  const store = await member.volume.openStore('store')
  const own = next && { own: { replicaId: replicaId(next), signer: device(member.name).signer } }
  const space = await world.settle(
    openSpace({ store, spaceId, env: member.env, crypto: nodeCrypto, rebase: order, ...own }),
  )
  if (own !== undefined) await world.settle(space.replica.misfit.reissued({ alone: false }))
  return { ...member, space }
}

async function pair(seed: number): Promise<{ world: ExchangeWorld; pi: Member; a: Member }> {
  const world = new ExchangeWorld(seed)
  return { world, pi: await world.member('pi'), a: await world.member('a') }
}

test('a misfit takes a round, sends and acknowledges nothing before its end, and is like others afterwards', async () => {
  const { world, pi, a } = await pair(1)
  for (const n of [1, 2, 3]) await world.write(a, n, 'x'.repeat(60_000))
  await world.write(a, 4, 'of a')
  await world.settle(pi.space.close())
  const misfit = await reopened(world, pi, { reason: 'damaged' })
  const atPi = new Side(misfit, 'a')
  const atA = new Side(a, 'pi')
  atPi.exchange.start()
  atA.exchange.start()
  const hello = parseHello(atPi.sent[0]?.body ?? new Uint8Array(0))
  const rebasingAtFirst = atPi.exchange.rebasing

  atPi.join(atA)
  atA.join(atPi)
  await world.rest()

  assert.is(hello.rebasing, true)
  assert.is(rebasingAtFirst, true)
  assert.not(atPi.exchange.rebasing)
  const types = atPi.sent.map(({ type }) => type)
  const firstAck = types.indexOf(RELAY_ACK)
  assert.ok(
    firstAck > 0 && !types.slice(0, firstAck).includes(RELAY_DATA),
    'nothing is sent before the round',
  )
  const acks = atPi.sent.filter(({ type }) => type === RELAY_ACK).map(({ body }) => parseAck(body))
  assert.ok(acks.slice(0, -1).every(({ vector }) => vector.length === 0))
  assert.is(atA.exchange.ackedSeq(replicaId('a')), 4)
  assert.equal(shown(misfit, 4), ['of a'])
})

test('two misfits help each other: otherwise they would wait for ever', async () => {
  const { world, pi, a } = await pair(2)
  await world.write(a, 1, 'of a')
  connect(a, pi)
  await world.rest()
  await world.settle(pi.space.close())
  await world.settle(a.space.close())
  const misfit = await reopened(world, pi, { reason: 'damaged' })
  const left = { replicaId: replicaId('a'), forkPoint: 1 }
  const other = await reopened(world, a, { reason: 'damaged', left }, 'a2')

  const [atPi, atA] = connect(misfit, other)
  await world.rest()

  assert.equal([atPi.exchange.rebasing, atA.exchange.rebasing], [false, false])
  assert.ok(atPi.exchange.caughtUp && atA.exchange.caughtUp)
  assert.equal([shown(misfit, 1), shown(other, 1)], [['of a'], ['of a']])
})

test('the wait for a round survives the end of the link in the middle of it', async () => {
  const { world, pi, a } = await pair(3)
  for (let n = 1; n <= 120; n += 1) await world.write(a, n, 'x'.repeat(60_000))
  await world.settle(pi.space.close())
  const misfit = await reopened(world, pi, { reason: 'damaged' })

  const [first] = connect(misfit, a)
  await world.simulation.run(() => first.count(RELAY_ACK) > 0, { virtualMs: 1_000 })
  first.exchange.end()
  const stillRebasing = misfit.space.replica.misfit.rebase?.step
  const [second] = connect(misfit, a)
  await world.rest()

  assert.is(stillRebasing, 'round')
  assert.is(misfit.space.replica.misfit.rebase, undefined)
  assert.ok(second.exchange.caughtUp)
  assert.is(misfit.space.replica.tags, 120)
})

test('a head of the own id that is not ours says which id to leave, and from where', async () => {
  const { world, pi, a } = await pair(4)
  await world.write(a, 1, 'one')
  connect(a, pi)
  await world.rest()
  const forks: unknown[] = []
  a.space.onForked((left) => forks.push(left))
  const head = { replicaId: replicaId('a'), seq: 9, commitHash: derive('another history') }
  const side = new Side(a, 'pi')
  side.exchange.start()
  side.frame(RELAY_HELLO, encodeHello(strangeHello()))

  side.frame(RELAY_VECTOR, encodeVector([head])[0])
  side.frame(RELAY_READY)
  await world.rest()

  assert.equal(forks, [{ replicaId: replicaId('a'), forkPoint: 1 }])
  assert.is(side.ended?.code, 'FORKED')
  assert.is(side.count(RELAY_DATA), 0)
})

test('a peer that shows a head of ours beside another makes nothing of the old id certain', async () => {
  const { world, pi, a } = await pair(5)
  await world.write(a, 1, 'one')
  connect(a, pi)
  await world.rest()
  const own = [...a.space.replica.vector().values()].find(({ seq }) => seq === 1)
  assert.ok(own)
  const forks: unknown[] = []
  a.space.onForked((left) => forks.push(left))
  const side = new Side(a, 'pi')
  side.exchange.start()
  side.frame(RELAY_HELLO, encodeHello(strangeHello()))

  const other = { ...own, seq: 9, commitHash: derive('another history') }
  side.frame(RELAY_VECTOR, encodeVector([own, other])[0])
  await world.rest()

  assert.equal(forks, [{ replicaId: replicaId('a'), forkPoint: 0 }])
})

test('a device hears from its supervisor that a third one holds another history of it', async () => {
  const world = new ExchangeWorld(6)
  const [pi, a, clone, b] = [
    await world.member('pi'),
    await world.member('a'),
    await world.member('a'),
    await world.member('b'),
  ]
  // One branch reached b, and the supervisor knows of the other only.
  for (const n of [1, 2]) await world.write(clone, n, 'clone')
  connect(clone, b)
  await world.rest()
  await world.write(a, 3, 'a')
  const [atA, atPi] = connect(a, pi)
  await world.rest()
  const forks: unknown[] = []
  a.space.onForked((left) => forks.push(left))

  const [atB] = connect(b, pi)
  await world.rest()
  // What the cell of the relay does when it is woken.
  atPi.exchange.contested()
  await world.rest()
  const told = atA.ended?.code
  connect(a, pi)
  await world.rest()

  assert.is(atB.ended?.code, 'FORKED')
  assert.is(told, 'FORKED')
  assert.equal(forks, [{ replicaId: replicaId('a'), forkPoint: 0 }])
})

test('a peer that cannot verify what it was sent makes the sender verify itself', async () => {
  const { world, a } = await pair(7)
  for (const n of [1, 2]) await world.write(a, n, `${n}`)
  await world.settle(a.space.close())
  // The newest commit is looked at by every opening.
  const [row] = await a.volume
    .rows('store')
    .range({ gte: Uint8Array.of(0x63), lt: Uint8Array.of(0x64), limit: 1 })
  assert.ok(row)
  const [key, value] = row
  // In the signature: behind a record of 104 bytes.
  value[110] = (value[110] ?? 0) ^ 1
  a.volume.damage('store', [{ type: 'put', key, value }])
  const again = await world.member('a', a.volume)
  const failures: string[] = []
  again.space.replica.onPoisoned((error) => failures.push(error.code))

  const pi = await world.member('pi')
  const [atA, atPi] = connect(again, pi)
  await world.rest()

  assert.equal([atA.ended?.code, atPi.ended?.code], ['BAD_SIGNATURE', 'BAD_SIGNATURE'])
  assert.equal(failures, ['DAMAGED'])
})

test.run()

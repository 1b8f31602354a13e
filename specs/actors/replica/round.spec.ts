/** Specs of rounds between replicas: parts, cursors, vectors, refusals, forks (REPLICATION rules 6, 8–17, 23). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeCommitItem, parseCommitItem } from '../../../actors/replica/commit.ts'
import { dotOf } from '../../../actors/replica/index.ts'
import type { OfferedPart, PartItem, Vector } from '../../../actors/replica/index.ts'
import { commitKey, rowsOf } from '../../../actors/replica/row.ts'
import { bytesKey, createSimulation, limits, nodeCrypto } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { codeOf, device, draft, partsOf, put, settle, startNode, sync, tag, texts } from './replica-world.ts'
import type { Node } from './replica-world.ts'

const nobody: Vector = new Map()

/** The whole of `from` as one part for `to`. */
async function offerOf(simulation: Simulation, from: Node): Promise<OfferedPart> {
  const parts = await settle(simulation, partsOf(from.replica, { peerVector: nobody }, 1e9))
  const items = parts.flatMap((part) => part.items)
  const { incarnation } = from.replica
  return { peer: from.device.peer, incarnation, upTo: parts.at(-1)?.upTo ?? 0, items, roundEnd: true }
}

function tagsIn(parts: readonly { items: readonly PartItem[] }[]): number[] {
  return parts.flatMap(({ items }) =>
    items.flatMap((item) => (item.kind === 'envelope' ? [item.bytes[2] ?? -1] : [])),
  )
}

async function writer(simulation: Simulation, n: number, tags: number): Promise<Node> {
  const node = await startNode(simulation, n)
  for (let at = 1; at <= tags; at += 1) await settle(simulation, put(node.replica, tag(at), `${n}/${at}`))
  return node
}

test('a round brings everything, moves cursor and vector, and a second one brings nothing', async () => {
  const simulation = createSimulation(1)
  const from = await writer(simulation, 1, 5)
  const to = await startNode(simulation, 2, 'blind')

  assert.is(await settle(simulation, sync(from, to)), 5)

  assert.equal(texts(to.replica.committed(tag(3))), ['1/3'])
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
  assert.equal(to.replica.cursor(from.device.peer), { incarnation: from.replica.incarnation, arrival: 5 })
  assert.is(to.replica.lastArrival, 5)
  assert.is(await settle(simulation, sync(from, to)), 0)
  assert.is(to.replica.lastArrival, 5, 'what changes nothing is no arrival')
})

test('small parts come in order of arrival, and only the last one moves the vector', async () => {
  const simulation = createSimulation(2)
  const from = await writer(simulation, 1, 6)
  await settle(simulation, put(from.replica, tag(2), 'again'))
  const to = await startNode(simulation, 2, 'blind')

  const parts = await settle(simulation, partsOf(from.replica, { peerVector: nobody }, 1))

  assert.equal(tagsIn(parts), [1, 3, 4, 5, 6, 2])
  assert.equal(
    parts.map(({ last }) => last),
    [false, false, false, false, false, false, true],
  )
  for (const { items, upTo, last } of parts) {
    assert.is(to.replica.vector().size, 0)
    const { incarnation } = from.replica
    const part = { peer: from.device.peer, incarnation, upTo, items, roundEnd: last }
    await settle(simulation, to.replica.applyPart(part))
    assert.is(to.replica.cursor(from.device.peer)?.arrival, upTo)
  }
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
})

test('a cut round goes on from its cursor', async () => {
  const simulation = createSimulation(3)
  const from = await writer(simulation, 1, 6)
  const to = await startNode(simulation, 2, 'blind')
  const parts = await settle(simulation, partsOf(from.replica, { peerVector: nobody }, 1))
  const { incarnation } = from.replica
  for (const { items, upTo } of parts.slice(0, 4)) {
    await settle(
      simulation,
      to.replica.applyPart({ peer: from.device.peer, incarnation, upTo, items, roundEnd: false }),
    )
  }

  const cursor = to.replica.cursor(from.device.peer)
  assert.ok(cursor)
  const rest = await settle(simulation, partsOf(from.replica, { cursor, peerVector: to.replica.vector() }))

  assert.equal(tagsIn(rest), [5, 6])
})

test('a cursor of an unknown incarnation, or past its end, falls back to vectors', async () => {
  const simulation = createSimulation(4)
  const from = await writer(simulation, 1, 3)
  const first = from.replica.incarnation
  await from.replica.close()
  await from.reopen()
  await settle(simulation, put(from.replica, tag(4), 'later'))
  const sent = async (incarnation: Uint8Array, arrival: number): Promise<number[]> => {
    const cursor = { incarnation, arrival }
    return tagsIn(await settle(simulation, partsOf(from.replica, { cursor, peerVector: nobody })))
  }

  assert.equal(await sent(first, 2), [3, 4])
  assert.equal(await sent(first, 3), [4])
  assert.equal(await sent(first, 4), [1, 2, 3, 4], 'past its last arrival')
  assert.equal(await sent(from.replica.incarnation, 4), [])
  assert.equal(await sent(from.replica.incarnation, 5), [1, 2, 3, 4], 'from the future')
  assert.equal(await sent(new Uint8Array(16), 1), [1, 2, 3, 4], 'never heard of')
})

test('vectors choose the tags that have a live dot which the peer has not seen', async () => {
  const simulation = createSimulation(5)
  const [one, two] = [await writer(simulation, 1, 3), await startNode(simulation, 2)]
  await settle(simulation, sync(one, two))
  const seen = new Map(two.replica.vector())
  await settle(simulation, put(one.replica, tag(2), 'new'))

  assert.equal(tagsIn(await settle(simulation, partsOf(one.replica, { peerVector: seen }))), [2])
})

test('what a peer sent is not sent back to it', async () => {
  const simulation = createSimulation(6)
  const [one, two] = [await writer(simulation, 1, 3), await startNode(simulation, 2)]
  await settle(simulation, sync(one, two))
  await settle(simulation, put(two.replica, tag(9), 'mine'))

  const parts = await settle(simulation, partsOf(two.replica, { peerVector: one.replica.vector() }))

  assert.equal(tagsIn(parts), [9])
})

test('a round shows one moment, however much is written meanwhile', async () => {
  const simulation = createSimulation(7)
  const from = await writer(simulation, 1, 4)
  const to = await startNode(simulation, 2, 'blind')
  const round = from.replica.startRound({ peerVector: nobody })
  const parts = [await settle(simulation, round.next(1))]
  for (let n = 1; n <= 6; n += 1) await settle(simulation, put(from.replica, tag(n), 'during'))
  while (parts.at(-1)?.last !== true) parts.push(await settle(simulation, round.next(1)))
  round.close()

  assert.is(round.lastArrival, 4)
  assert.equal(tagsIn(parts), [1, 2, 3, 4])
  for (const { items, upTo, last } of parts) {
    const { incarnation } = from.replica
    const part = { peer: from.device.peer, incarnation, upTo, items, roundEnd: last }
    await settle(simulation, to.replica.applyPart(part))
  }
  assert.is(to.replica.vector().get(bytesKey(from.device.replicaId))?.seq, 4)
  await settle(simulation, sync(from, to))
  assert.equal(texts(to.replica.committed(tag(6))), ['during'])
})

test('a round does not show a batch that is in flight', async () => {
  for (const bytesMax of [1, 1e6]) {
    const simulation = createSimulation(8)
    const from = await writer(simulation, 1, 2)
    const write = put(from.replica, tag(1), 'in flight')
    await Promise.resolve()
    await Promise.resolve()
    const round = from.replica.startRound({ peerVector: nobody })
    const first = round.next(bytesMax)
    if (bytesMax > 1) assert.equal(tagsIn([await first]), [1, 2], 'at once, without the disk')
    else {
      await settle(simulation, Promise.all([write, first]))
      assert.is(round.lastArrival, 3, 'the snapshot waited until the batch had landed')
    }
    round.close()
    assert.is(await codeOf(round.next(1)), 'CLOSED')
    await settle(simulation, write)
  }
})

test('a blind replica keeps concurrent siblings until a write that merged both', async () => {
  const simulation = createSimulation(9)
  const [one, two] = [await writer(simulation, 1, 1), await startNode(simulation, 2)]
  const blind = await startNode(simulation, 3, 'blind')
  await settle(simulation, sync(one, two))
  await settle(simulation, Promise.all([put(one.replica, tag(1), 'left'), put(two.replica, tag(1), 'right')]))
  await settle(simulation, sync(one, blind))
  await settle(simulation, sync(two, blind))

  assert.equal(texts(blind.replica.committed(tag(1))), ['left', 'right'])
  assert.is(blind.replica.liveEnvelopes, 2)
  await settle(simulation, sync(blind, one))
  await settle(simulation, put(one.replica, tag(1), 'both'))
  await settle(simulation, sync(one, blind))
  assert.equal(texts(blind.replica.committed(tag(1))), ['both'])
  await settle(simulation, sync(two, blind))
  assert.equal(texts(blind.replica.committed(tag(1))), ['both'], 'late arrivals do not resurrect')
})

test('what a peer has seen and does not list stays: neither its vector nor its silence kills', async () => {
  const simulation = createSimulation(12)
  const [one, two] = [await writer(simulation, 1, 1), await writer(simulation, 2, 2)]
  const relay = await startNode(simulation, 3, 'blind')
  for (const from of [one, two]) await settle(simulation, sync(from, relay))
  const whole = await offerOf(simulation, relay)
  const idOfTwo = bytesKey(two.device.replicaId)
  const isOfTwo = (bytes: Uint8Array): boolean => bytesKey(dotOf(bytes)?.replicaId ?? bytes) === idOfTwo
  const items = whole.items.filter((item) => item.kind !== 'envelope' || !isOfTwo(item.bytes))
  assert.is(items.length, whole.items.length - 2)
  const to = await startNode(simulation, 4)
  await settle(simulation, sync(two, to))

  await settle(simulation, to.replica.applyPart({ ...whole, items }))

  assert.is(to.replica.vector().get(idOfTwo)?.seq, 2)
  assert.equal(texts(to.replica.committed(tag(1))), ['1/1', '2/1'])
  assert.equal(texts(to.replica.committed(tag(2))), ['2/2'])
})

test('a receiver drops what a peer’s write killed, commits included, but keeps the newest', async () => {
  const simulation = createSimulation(10)
  const [one, two] = [await writer(simulation, 1, 2), await startNode(simulation, 2)]
  await settle(simulation, sync(one, two))
  for (const n of [1, 2]) await settle(simulation, put(two.replica, tag(n), 'over'))
  await settle(simulation, sync(two, one))

  const rows = await one.volume.rows('replica').range({ ...rowsOf('c'), limit: 100 })
  const keys = [
    commitKey(device(1).replicaId, 2),
    ...[1, 2].map((seq) => commitKey(device(2).replicaId, seq)),
  ]
  assert.equal(
    rows.map(([key]) => bytesKey(key)),
    keys.map(bytesKey),
  )
})

test('an unknown id, a missing right, a wrong signature: nothing of the part is kept', async () => {
  const simulation = createSimulation(11)
  const from = await writer(simulation, 1, 3)
  const part = await offerOf(simulation, from)
  const attempt = async (name: string, change: (to: Node) => OfferedPart): Promise<void> => {
    const to = await startNode(simulation, 2)
    const offered = change(to)
    assert.is(await settle(simulation, codeOf(to.replica.applyPart(offered))), name)
    assert.equal(
      [to.replica.lastArrival, to.replica.liveEnvelopes, to.replica.vector().size],
      [0, 0, 0],
      name,
    )
    assert.is(to.replica.cursor(part.peer), undefined, name)
  }
  const replace = (kind: PartItem['kind'], change: (item: PartItem) => PartItem[]): OfferedPart => {
    return { ...part, items: part.items.flatMap((item) => (item.kind === kind ? change(item) : [item])) }
  }
  const flip = (item: PartItem, at: number): PartItem[] => {
    if (item.kind === 'vector') return [item]
    const bytes = item.bytes.slice()
    bytes[at] = (bytes[at] ?? 0) ^ 1
    return [{ ...item, bytes }]
  }
  const id = bytesKey(from.device.replicaId)
  const stranger = nodeCrypto.createVerifier(device(5).signer.publicKey)

  await attempt('UNKNOWN_REPLICA', (to) => {
    to.authority.devices.delete(id)
    return part
  })
  await attempt('FORBIDDEN', (to) => {
    to.authority.devices.set(id, { verify: () => true, mayWrite: false })
    return part
  })
  await attempt('BAD_SIGNATURE', (to) => {
    to.authority.devices.set(id, {
      verify: (message, signature) => stranger.verify(message, signature),
      mayWrite: true,
    })
    return part
  })
  await attempt('BAD_SIGNATURE', () => replace('envelope', (item) => flip(item, 90)))
  await attempt('PROTOCOL_VIOLATION', () => replace('envelope', (item) => flip(item, 31)))
  await attempt('BAD_SIGNATURE', () => replace('commit', (item) => flip(item, 40)))
  await attempt('PROTOCOL_VIOLATION', () => replace('commit', () => []))
  await attempt('PROTOCOL_VIOLATION', () => replace('commit', (item) => [item, item]))
  await attempt('PROTOCOL_VIOLATION', () => ({ ...part, roundEnd: false }))
  await attempt('PROTOCOL_VIOLATION', () =>
    replace('vector', (item) => {
      return item.kind === 'vector' ? [{ ...item, entry: { ...item.entry, seq: item.entry.seq + 1 } }] : []
    }),
  )
  await attempt('PROTOCOL_VIOLATION', () =>
    replace('commit', (item) => {
      if (item.kind !== 'commit') return []
      const { record } = parseCommitItem(item.bytes, nodeCrypto)
      return [{ ...item, bytes: encodeCommitItem(record, [undefined]) }]
    }),
  )
})

test('after a refused part none that was called before the refusal was known is kept', async () => {
  const simulation = createSimulation(12)
  const from = await writer(simulation, 1, 4)
  const to = await startNode(simulation, 2)
  const parts = await settle(simulation, partsOf(from.replica, { peerVector: nobody }, 1))
  const offered = parts.map(({ items, upTo, last }) => {
    return { peer: from.device.peer, incarnation: from.replica.incarnation, upTo, items, roundEnd: last }
  })
  const spoiled = offered.map((part, n) => (n === 1 ? { ...part, items: part.items.slice(1) } : part))

  const codes = await settle(
    simulation,
    Promise.all(spoiled.map((part) => codeOf(to.replica.applyPart(part)))),
  )

  assert.equal(codes, ['none', ...codes.slice(1).map(() => 'PROTOCOL_VIOLATION')])
  assert.is(to.replica.cursor(from.device.peer)?.arrival, 1)
  assert.is(to.replica.vector().size, 0)
  for (const part of offered.slice(1)) await settle(simulation, to.replica.applyPart(part))
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
})

test('parts may be handed over without waiting, and are applied in order', async () => {
  const simulation = createSimulation(13)
  const from = await writer(simulation, 1, 8)
  const to = await startNode(simulation, 2)
  const parts = await settle(simulation, partsOf(from.replica, { peerVector: nobody }, 1))

  const results = parts.map(({ items, upTo, last }) => {
    const { incarnation } = from.replica
    return to.replica.applyPart({ peer: from.device.peer, incarnation, upTo, items, roundEnd: last })
  })

  assert.equal(
    (await settle(simulation, Promise.all(results))).map(({ changed }) => changed),
    [...parts.slice(0, -1).map(() => 1), 0],
  )
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
})

test('two histories of one replica id are a fork, for a third party and for the device itself', async () => {
  const simulation = createSimulation(14)
  const [one, clone] = [await writer(simulation, 1, 2), await startNode(simulation, 1)]
  for (const n of [1, 5, 6]) await settle(simulation, put(clone.replica, tag(n), 'clone'))
  const third = await startNode(simulation, 3, 'blind')
  await settle(simulation, sync(one, third))

  assert.is(await settle(simulation, codeOf(sync(clone, third))), 'FORKED')
  const stranger = { ...(await offerOf(simulation, clone)), peer: device(4).peer }
  assert.is(await settle(simulation, codeOf(one.replica.applyPart(stranger))), 'FORKED')
  assert.equal(texts(third.replica.committed(tag(1))), ['1/1'])
})

test('a device whose own later writes are shown to it knows that it was restored', async () => {
  const simulation = createSimulation(15)
  const [one, two] = [await writer(simulation, 1, 3), await startNode(simulation, 2)]
  await settle(simulation, sync(one, two))
  const restored = await startNode(simulation, 1)

  assert.is(await settle(simulation, codeOf(sync(two, restored))), 'FORKED')
})

test('a round over everything is refused by a store whose index has lost a tag, which would be missing for good', async () => {
  const simulation = createSimulation(17)
  const from = await startNode(simulation, 1)
  // Of so many the opening looks at the newest only.
  const drafts = Array.from({ length: limits.tailArrivalsMax + 2 }, (_, n) => {
    const many = tag(n % 256).slice()
    many[0] = n >> 8
    return draft(many, 'x', [])
  })
  await settle(simulation, from.replica.write(drafts))
  await from.replica.close()
  const arrivals = { gte: Uint8Array.of(0x61), lt: Uint8Array.of(0x62), limit: 9 }
  const [, second] = await from.volume.rows('replica').range(arrivals)
  from.volume.damage('replica', [{ type: 'del', key: second?.[0] ?? tag(0) }])
  await from.reopen()

  const code = await settle(simulation, codeOf(partsOf(from.replica, { peerVector: nobody })))

  assert.is(code, 'DAMAGED')
})

test('commits are verified once: blocks of a known commit need no signature', async () => {
  const simulation = createSimulation(16)
  const from = await startNode(simulation, 1)
  const drafts = Array.from({ length: 20 }, (_, n) => draft(tag(n), `${n}`, []))
  await settle(simulation, from.replica.write(drafts))
  const to = await startNode(simulation, 2)
  let verified = 0
  const known = to.authority.devices.get(bytesKey(from.device.replicaId))
  to.authority.devices.set(bytesKey(from.device.replicaId), {
    mayWrite: true,
    verify: (message, signature) => {
      verified += 1
      return known?.verify(message, signature) ?? false
    },
  })

  await settle(simulation, sync(from, to, 1))

  assert.is(verified, 1)
  assert.is(to.replica.tags, 20)
})

test.run()

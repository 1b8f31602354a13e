/** Specs of atomic writes: one signed commit, one batch, one part (REPLICATION rules 5 and 18). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCommitItem } from '../../../actors/replica/commit.ts'
import { contextOf } from '../../../actors/replica/index.ts'
import type { OwnDraft, PartItem, Vector } from '../../../actors/replica/index.ts'
import { createSimulation, limits, nodeCrypto } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { codeOf, draft, partsOf, put, settle, startNode, sync, texts } from './replica-world.ts'
import type { Node } from './replica-world.ts'

const nobody: Vector = new Map()

function tagOf(n: number): Uint8Array {
  const tag = new Uint8Array(16)
  new DataView(tag.buffer).setUint32(0, n)
  return tag
}

function drafts(node: Node, from: number, count: number, text = 'tx'): OwnDraft[] {
  return Array.from({ length: count }, (_, n) => {
    const tag = tagOf(from + n)
    return draft(tag, text, contextOf(node.replica.live(tag)))
  })
}

async function writeAll(
  simulation: Simulation,
  node: Node,
  writes: readonly [number, number, boolean][],
): Promise<void> {
  await settle(
    simulation,
    Promise.all(
      writes.map(([from, count, atomic]) => node.replica.write(drafts(node, from, count), { atomic })),
    ),
  )
}

/** How many envelopes each commit of the items has. */
function commitCounts(items: readonly PartItem[]): number[] {
  return items.flatMap((item) =>
    item.kind === 'commit' ? [parseCommitItem(item.bytes, nodeCrypto).record.count] : [],
  )
}

function countOf(node: Node, from: number, count: number): number {
  let present = 0
  for (let n = from; n < from + count; n += 1) if (node.replica.committed(tagOf(n)).length > 0) present += 1
  return present
}

test('an atomic write is one commit, and what is written beside it in the batch is cut as ever', async () => {
  const simulation = createSimulation(1)
  const from = await startNode(simulation, 1)

  await writeAll(simulation, from, [
    [0, 40, false],
    [100, 70, true],
    [200, 5, false],
    [300, 2, true],
    [400, 1, true],
  ])

  const [part] = await settle(simulation, partsOf(from.replica, { peerVector: nobody }))
  assert.equal(commitCounts(part?.items ?? []), [32, 8, 70, 5, 2, 1])
  const to = await startNode(simulation, 2)
  assert.is(await settle(simulation, sync(from, to)), 118)
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
  await settle(simulation, from.replica.close())
  assert.is((await from.reopen()).liveEnvelopes, 118)
})

test('1,024 envelopes and 2 MiB are one commit; more is refused and stages nothing', async () => {
  const simulation = createSimulation(2)
  const node = await startNode(simulation, 1)
  const atomic = { atomic: true }

  assert.is(await settle(simulation, codeOf(node.replica.write(drafts(node, 0, 1025), atomic))), 'TOO_LARGE')
  const large = Array.from({ length: 35 }, (_, n) => draft(tagOf(n), 'x'.repeat(60_000), []))
  assert.is(await settle(simulation, codeOf(node.replica.write(large, atomic))), 'TOO_LARGE')
  assert.is(node.replica.lastOwnSeq, 0)
  assert.is(node.replica.hasStaged(tagOf(0)), false)
  await settle(simulation, node.replica.write(large.slice(0, 34), atomic))
  await settle(simulation, node.replica.write(drafts(node, 100, 1024), atomic))
  assert.is(node.replica.lastOwnSeq, 34 + 1024)
  await settle(
    simulation,
    node.replica.write(large.map((one) => ({ ...one, tag: tagOf(5_000) })).slice(0, 1)),
  )

  const to = await startNode(simulation, 2, 'blind')
  assert.is(await settle(simulation, sync(node, to)), 34 + 1024 + 1)
})

test('a part is never cut within a transaction: after each, a receiver holds all of it or nothing', async () => {
  const simulation = createSimulation(3)
  const from = await startNode(simulation, 1)
  await settle(simulation, put(from.replica, tagOf(7), 'before'))
  await writeAll(simulation, from, [
    [1_000, 3, false],
    // A member that is written in the same batch before counts to the transaction all the same.
    [150, 1, false],
    [1_010, 3, false],
    [100, 200, true],
    [2_000, 3, false],
    [500, 300, true],
  ])
  const to = await startNode(simulation, 2)

  let parts = 0
  for (const part of await settle(simulation, partsOf(from.replica, { peerVector: nobody }, 600))) {
    const { items, upTo, last } = part
    const { incarnation } = from.replica
    await settle(
      simulation,
      to.replica.applyPart({ peer: from.device.peer, incarnation, upTo, items, roundEnd: last }),
    )
    for (const [first, count] of [
      [100, 200],
      [500, 300],
    ] as const) {
      const present = countOf(to, first, count)
      assert.ok(present === 0 || present === count, `part ${parts} shows ${present} of ${count}`)
    }
    parts += 1
  }

  assert.ok(parts > 3, 'there were several parts')
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
})

test('the largest transaction fits into one part', async () => {
  const simulation = createSimulation(4)
  const from = await startNode(simulation, 1)
  const large = Array.from({ length: 1024 }, (_, n) => draft(tagOf(n), 'x'.repeat(1_900), []))
  await settle(simulation, put(from.replica, tagOf(9_000), 'before'))
  await settle(simulation, from.replica.write(large, { atomic: true }))

  const parts = await settle(simulation, partsOf(from.replica, { peerVector: nobody }, limits.relayPartBytes))

  const envelopes = parts.map(({ items }) => items.filter(({ kind }) => kind === 'envelope').length)
  assert.equal(
    envelopes.filter((count) => count > 0),
    [1_025],
  )
})

test('members that were overwritten since come with what killed them', async () => {
  const simulation = createSimulation(5)
  const from = await startNode(simulation, 1)
  await writeAll(simulation, from, [[0, 50, true]])
  for (let n = 0; n < 50; n += 7) await settle(simulation, put(from.replica, tagOf(n), 'later'))
  const to = await startNode(simulation, 2)

  await settle(simulation, sync(from, to))

  assert.is(countOf(to, 0, 50), 50)
  assert.equal(texts(to.replica.committed(tagOf(7))), ['later'])
  assert.equal(texts(to.replica.committed(tagOf(8))), ['tx'])
  assert.equal(to.replica.vectorDigest(), from.replica.vectorDigest())
})

test('a power cut leaves all of a transaction or nothing', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const simulation = createSimulation(seed)
    const node = await startNode(simulation, 1)
    await settle(simulation, put(node.replica, tagOf(10), 'before'))
    const write = node.replica.write(drafts(node, 0, 60), { atomic: true })
    let acknowledged = false
    write.then(
      () => {
        acknowledged = true
      },
      () => undefined,
    )
    for (let turn = 0; turn < seed % 6; turn += 1) await Promise.resolve()
    await simulation.run(() => seed % 3 === 0, { virtualMs: seed % 5 })
    const known = acknowledged

    node.volume.crash()
    const again = await node.reopen()

    const whole = texts(again.committed(tagOf(10)))[0] === 'tx'
    assert.is(countOf(node, 0, 60), whole ? 60 : 1, `seed ${seed}`)
    if (known) assert.ok(whole, `an acknowledged one is lost, seed ${seed}`)
  }
})

test.run()

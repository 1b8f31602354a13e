/** Specs of one replica: own writes, group commit, overlay, notices, reopening (REPLICATION rules 5, 7, 11, 17, 26). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCommitRow } from '../../../actors/replica/row.ts'
import { commitKey, rowsOf } from '../../../actors/replica/row.ts'
import { contextOf } from '../../../actors/replica/index.ts'
import type { TagChange } from '../../../actors/replica/index.ts'
import { createSimulation, nodeCrypto, toHex } from '../../../runtime/index.ts'
import type { BlazeError } from '../../../runtime/index.ts'
import { codeOf, device, draft, put, settle, startNode, tag, texts } from './replica-world.ts'
import type { Node } from './replica-world.ts'

async function countRows(node: Node, kind: 'a' | 't' | 'c' | 'v' | 'h' | 'b'): Promise<number> {
  const rows = await node.volume.rows('replica').range({ ...rowsOf(kind), limit: 100_000 })
  return rows.length
}

test('writes that nobody awaited see each other, and only synced ones are shown', async () => {
  const simulation = createSimulation(1)
  const { replica } = await startNode(simulation, 1)

  const first = put(replica, tag(1), 'one')
  const second = put(replica, tag(1), 'two')

  assert.equal(texts(replica.live(tag(1))), ['two'])
  assert.equal(texts(replica.committed(tag(1))), [])
  assert.ok(replica.hasStaged(tag(1)))
  assert.is(replica.lastOwnSeq, 0)
  await settle(simulation, Promise.all([first, second]))
  assert.equal(texts(replica.committed(tag(1))), ['two'])
  assert.not.ok(replica.hasStaged(tag(1)))
  assert.equal([replica.lastOwnSeq, replica.lastArrival, replica.liveEnvelopes, replica.tags], [2, 1, 1, 1])
})

test('what is in flight is not shown as committed, and a write on top of it merges it', async () => {
  const simulation = createSimulation(2)
  const { replica } = await startNode(simulation, 1)
  await settle(simulation, put(replica, tag(1), 'one'))

  const second = put(replica, tag(1), 'two')
  // The microtask that launches the batch.
  await Promise.resolve()
  await Promise.resolve()
  const third = put(replica, tag(1), 'three')

  assert.equal(texts(replica.committed(tag(1))), ['one'])
  assert.equal(texts(replica.live(tag(1))), ['three'])
  await settle(simulation, second)
  assert.equal(texts(replica.committed(tag(1))), ['two'])
  assert.equal(texts(replica.live(tag(1))), ['three'])
  await settle(simulation, third)
  assert.equal(texts(replica.committed(tag(1))), ['three'])
})

test('writes of one turn share a batch, and those made meanwhile share the next', async () => {
  const simulation = createSimulation(3)
  const node = await startNode(simulation, 1)
  const before = await countRows(node, 'b')

  const first = Promise.all([1, 2, 3].map((n) => put(node.replica, tag(n), `${n}`)))
  await Promise.resolve()
  await Promise.resolve()
  const later = Promise.all([4, 5, 6].map((n) => put(node.replica, tag(n), `${n}`)))
  await settle(simulation, Promise.all([first, later]))

  assert.is((await countRows(node, 'b')) - before, 2)
})

test('batches are cut into commits of at most 32, chained by their hashes', async () => {
  const simulation = createSimulation(4)
  const node = await startNode(simulation, 1)
  const drafts = Array.from({ length: 70 }, (_, n) => draft(tag(n), `${n}`, []))
  await settle(simulation, node.replica.write(drafts))

  const rows = await node.volume.rows('replica').range({ ...rowsOf('c'), limit: 100 })
  const records = rows.map(([, value]) => parseCommitRow(value, nodeCrypto).record)

  assert.equal(
    records.map(({ firstSeq, count }) => [firstSeq, count]),
    [
      [1, 32],
      [33, 32],
      [65, 6],
    ],
  )
  assert.is(toHex(records[0]?.previous ?? new Uint8Array()), '00'.repeat(32))
  assert.is(toHex(records[1]?.previous ?? new Uint8Array()), toHex(records[0]?.hash ?? new Uint8Array()))
  assert.is(toHex(node.replica.ownHead(70) ?? new Uint8Array()), toHex(records[2]?.hash ?? new Uint8Array()))
  assert.is(node.replica.ownHead(32), undefined, 'not the head after a batch')
})

test('overwriting leaves nothing behind: dead blocks and commits go, the newest commit stays', async () => {
  const simulation = createSimulation(5)
  const node = await startNode(simulation, 1)
  for (let n = 0; n < 40; n += 1) await settle(simulation, put(node.replica, tag(1), `${n}`))

  assert.is(await countRows(node, 't'), 1)
  assert.is(await countRows(node, 'a'), 1)
  assert.is(await countRows(node, 'c'), 1)
  assert.is(await countRows(node, 'v'), 1)
  assert.is(await countRows(node, 'h'), 40)
  assert.is(node.volume.rows('replica').get(commitKey(node.device.replicaId, 39)), undefined)
})

test('a deletion is one envelope that stays', async () => {
  const simulation = createSimulation(6)
  const node = await startNode(simulation, 1)
  await settle(simulation, put(node.replica, tag(1), 'one'))
  const context = contextOf(node.replica.live(tag(1)))
  await settle(simulation, node.replica.write([draft(tag(1), '', context, { deleted: true })]))

  assert.equal(
    node.replica.live(tag(1)).map(({ deleted }) => deleted),
    [true],
  )
  await node.replica.close()
  await node.reopen()
  assert.equal(
    node.replica.live(tag(1)).map(({ deleted, seq }) => [deleted, seq]),
    [[true, 2]],
  )
})

test('listeners hear of each synced batch in order, with whole live sets', async () => {
  const simulation = createSimulation(7)
  const { replica } = await startNode(simulation, 1)
  const heard: string[] = []
  const stop = replica.onCommitted((changes: readonly TagChange[]) => {
    for (const change of changes) heard.push(`${change.tag[0]}:${texts(change.live).join('+')}:${change.own}`)
    assert.equal(texts(replica.committed(changes[0]?.tag ?? tag(0))), texts(changes[0]?.live ?? []))
  })

  await settle(
    simulation,
    Promise.all([put(replica, tag(1), 'a'), put(replica, tag(1), 'b'), put(replica, tag(2), 'c')]),
  )
  await settle(simulation, put(replica, tag(1), 'd'))
  stop()
  await settle(simulation, put(replica, tag(1), 'e'))

  assert.equal(heard, ['1:b:true', '2:c:true', '1:d:true'])
})

test('reopening shows the same, in a new incarnation, and continues all numbers', async () => {
  const simulation = createSimulation(8)
  const node = await startNode(simulation, 1)
  for (let n = 1; n <= 5; n += 1) await settle(simulation, put(node.replica, tag(n % 3), `${n}`))
  const before = node.replica
  const digest = toHex(before.vectorDigest())
  await before.close()

  const after = await node.reopen()

  assert.not.equal(after.incarnation, before.incarnation)
  assert.is(toHex(after.vectorDigest()), digest)
  assert.equal([after.lastOwnSeq, after.lastArrival, after.liveEnvelopes, after.tags], [5, 5, 3, 3])
  assert.equal(
    [0, 1, 2].map((n) => texts(after.live(tag(n))).join('+')),
    ['3', '4', '5'],
  )
  await settle(simulation, put(after, tag(1), 'more'))
  assert.equal([after.lastOwnSeq, after.lastArrival], [6, 6])
  const row = node.volume.rows('replica').get(commitKey(node.device.replicaId, 6))
  const { record } = parseCommitRow(row ?? new Uint8Array(), nodeCrypto)
  assert.is(record.firstSeqOfBoot, 6)
  assert.equal(record.bootId, after.incarnation)
})

test('rows of others join the group commit', async () => {
  const simulation = createSimulation(9)
  const node = await startNode(simulation, 1)
  const key = new TextEncoder().encode('m0001')

  await settle(
    simulation,
    Promise.all([put(node.replica, tag(1), 'a'), node.replica.extra([{ type: 'put', key, value: tag(9) }])]),
  )

  assert.equal(node.replica.store.get(key), tag(9))
  assert.is(await countRows(node, 'b'), 2)
})

test('a failing disk poisons: everything pending and later rejects, and reopening shows what was acknowledged', async () => {
  const simulation = createSimulation(10)
  const node = await startNode(simulation, 1)
  const { replica } = node
  await settle(simulation, put(replica, tag(1), 'kept'))
  const poisons: BlazeError[] = []
  replica.onPoisoned((error) => poisons.push(error))

  node.volume.failNextBatch()
  const flying = codeOf(put(replica, tag(1), 'refused'))
  await Promise.resolve()
  await Promise.resolve()
  const staged = codeOf(put(replica, tag(2), 'refused'))
  const settled = codeOf(replica.settled())

  assert.equal(await settle(simulation, Promise.all([flying, staged, settled])), [
    'POISONED',
    'POISONED',
    'POISONED',
  ])
  assert.is(await codeOf(put(node.replica, tag(3), 'late')), 'POISONED')
  assert.is(await codeOf(Promise.resolve().then(() => replica.live(tag(1)))), 'POISONED')
  assert.equal(
    poisons.map(({ code }) => code),
    ['POISONED'],
  )
  assert.is(await codeOf(replica.close()), 'POISONED')
  await node.reopen()
  assert.equal(texts(node.replica.live(tag(1))), ['kept'])
  assert.is(node.replica.lastOwnSeq, 1)
})

test('a power cut loses nothing that was acknowledged, at any of many moments', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const simulation = createSimulation(seed)
    const node = await startNode(simulation, 1)
    const acknowledged: number[] = []
    for (let n = 1; n <= 12; n += 1) {
      put(node.replica, tag(n), `${n}`).then(
        () => acknowledged.push(n),
        () => undefined,
      )
      if (n % 3 === 0) await simulation.pass(simulation.random() * 2)
    }
    node.volume.crash()

    await node.reopen()

    const { replica } = node
    for (const n of acknowledged) assert.equal(texts(replica.live(tag(n))), [`${n}`], `seed ${seed}`)
    assert.is(replica.tags, replica.lastOwnSeq, `seed ${seed}: what is there is a beginning of the history`)
    for (let n = 1; n <= replica.lastOwnSeq; n += 1) assert.is(replica.live(tag(n)).length, 1, `seed ${seed}`)
    await settle(simulation, put(replica, tag(99), 'after'))
  }
})

test('closing syncs what is staged, and then refuses', async () => {
  const simulation = createSimulation(11)
  const node = await startNode(simulation, 1)
  const write = put(node.replica, tag(1), 'one')

  const closing = node.replica.close()

  assert.is(await codeOf(put(node.replica, tag(2), 'x')), 'CLOSED')
  await settle(simulation, Promise.all([closing, write]))
  await node.reopen()
  assert.equal(texts(node.replica.live(tag(1))), ['one'])
})

test('seal numbers are never used twice, and a draft that cannot be sealed stages nothing', async () => {
  const simulation = createSimulation(12)
  const { replica } = await startNode(simulation, 1)
  const first = replica.nextSealNumber()
  const numbers: number[] = []
  const good = draft(tag(1), 'good', [])
  const counting = {
    ...good,
    seal: (header: Uint8Array, number: number): Uint8Array => {
      numbers.push(number)
      return good.seal(header, number)
    },
  }
  const tooLarge = { ...good, seal: () => new Uint8Array(65_537) }

  assert.is(await codeOf(replica.write([counting, tooLarge])), 'TOO_LARGE')
  assert.equal(replica.live(tag(1)), [])
  await settle(simulation, replica.write([counting]))

  assert.is(replica.lastOwnSeq, 1)
  assert.is(new Set([first, ...numbers]).size, 3)
})

test('the newest 4,096 own heads that nobody was shown are kept', async () => {
  const simulation = createSimulation(13)
  const node = await startNode(simulation, 1)
  for (let n = 0; n < 4100; n += 1) await settle(simulation, put(node.replica, tag(1), 'x'))

  const { replica } = node
  const head = replica.ownHead(4100) ?? new Uint8Array()
  assert.is(await countRows(node, 'h'), 4096)
  assert.equal(
    [
      replica.compareOwnHead(4100, head),
      replica.compareOwnHead(4100, new Uint8Array(32)),
      replica.compareOwnHead(4101, head),
      replica.compareOwnHead(2, head),
    ],
    ['equal', 'different', 'unknown', 'unknown'],
  )
  await replica.close()
  await node.reopen()
  assert.equal(node.replica.ownHead(4100), head)
})

test('a write that a stored envelope claims to have merged already is a fork', async () => {
  const simulation = createSimulation(14)
  const { replica } = await startNode(simulation, 1)
  const own = device(1).replicaId
  const other = await startNode(simulation, 2)
  await settle(simulation, other.replica.write([draft(tag(1), 'liar', [{ replicaId: own, seq: 100 }])]))
  const round = other.replica.startRound({ peerVector: replica.vector() })
  const { items, upTo } = await round.next(1e6)
  round.close()
  const { peer } = other.device
  const { incarnation } = other.replica
  await settle(simulation, replica.applyPart({ peer, incarnation, upTo, items, roundEnd: true }))

  assert.is(await codeOf(put(replica, tag(1), 'mine')), 'FORKED')
  assert.is(await codeOf(settle(simulation, put(replica, tag(2), 'mine'))), 'none')
})

test.run()

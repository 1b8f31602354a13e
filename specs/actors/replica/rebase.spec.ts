/** Rebase without keys: fork points, copies of abandoned writes, the end by one whole round, and what third parties do about forks. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contextOf, readRebase } from '../../../actors/replica/index.ts'
import {
  contextOfCopy,
  encodeRebase,
  forkPointOf,
  parseRebase,
} from '../../../actors/replica/rebase/rebase.ts'
import type { Rebase } from '../../../actors/replica/rebase/rebase.ts'
import { bytesKey, createSimulation, equalBytes, toHex } from '../../../runtime/index.ts'
import { allOf, announce, beginRebase, bound, cloneOf, close, dots, rebase, successor } from './misfit.ts'
import { codeOf, draft, put, settle, startNode, sync, tag, textOf, texts } from './replica-world.ts'

test('a fork point is what peers confirmed, and nothing once what they show contradicts that', () => {
  assert.is(forkPointOf({ confirmed: 5, shown: 9, contested: false }), 5)
  assert.is(forkPointOf({ confirmed: 5, shown: 5, contested: false }), 0)
  assert.is(forkPointOf({ confirmed: 5, shown: 3, contested: false }), 0)
  assert.is(forkPointOf({ confirmed: 5, shown: 9, contested: true }), 0)
})

test('the context of a copy keeps what was merged of others, and of the old id nothing past the fork point', () => {
  const id = fc.integer({ min: 1, max: 4 }).map((n) => new Uint8Array(8).fill(n))
  const entries = fc.uniqueArray(fc.record({ replicaId: id, seq: fc.integer({ min: 1, max: 9 }) }), {
    selector: ({ replicaId }) => toHex(replicaId),
  })
  fc.assert(
    fc.property(entries, fc.integer({ min: 0, max: 9 }), (context, forkPoint) => {
      const left = { replicaId: new Uint8Array(8).fill(2), forkPoint }
      const cut = contextOfCopy(context, left)

      for (const entry of context) {
        const kept = cut.find(({ replicaId }) => equalBytes(replicaId, entry.replicaId))?.seq ?? 0
        assert.is(
          kept,
          equalBytes(entry.replicaId, left.replicaId) ? Math.min(entry.seq, forkPoint) : entry.seq,
        )
      }
      assert.ok(cut.length <= context.length && cut.every(({ seq }) => seq > 0))
    }),
  )
})

test('the row of a rebase reads as it was written, and nothing else reads', () => {
  const left = { replicaId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), forkPoint: 0x0102_0304_0506 }
  const rows: Rebase[] = [
    { step: 'clear', reason: 'forked', left },
    { step: 'reissue', reason: 'restored', left },
    { step: 'round', reason: 'damaged' },
  ]
  for (const row of rows) assert.equal(parseRebase(encodeRebase(row)), row)
  for (const at of [0, 1]) {
    const wrong = encodeRebase({ step: 'round', reason: 'damaged' })
    wrong[at] = 9
    assert.throws(() => parseRebase(wrong), /rebase row/)
  }
  assert.throws(() => parseRebase(new Uint8Array(17).fill(1)), /rebase row/)
})

test('abandoned writes become new dots with the same bodies, and leave with them; what is shared stays', async () => {
  const simulation = createSimulation(1)
  const [one, two] = [await startNode(simulation, 1), await startNode(simulation, 2)]
  for (const n of [1, 2]) await settle(simulation, put(one.replica, tag(n), `shared ${n}`))
  await settle(simulation, sync(one, two))
  await settle(simulation, put(two.replica, tag(3), 'of two'))
  await settle(simulation, sync(two, one))
  await settle(simulation, put(one.replica, tag(2), 'branch 2'))
  await settle(simulation, put(one.replica, tag(3), 'branch 3'))
  await settle(simulation, one.replica.write([draft(tag(4), 'gone', [], { deleted: true })]))
  const before = new Map([2, 3, 4].map((n) => [n, one.replica.committed(tag(n))[0]?.body]))
  await close(simulation, one)

  const { replica } = await rebase(simulation, one, { forkPoint: 2 })

  assert.equal(
    [1, 2, 3, 4].map((n) => dots(replica.committed(tag(n)))),
    [['00:1'], ['80:1'], ['80:2'], ['80:3']],
  )
  for (const [n, body] of before) assert.equal(replica.committed(tag(n))[0]?.body, body)
  const [copy] = replica.committed(tag(3))
  assert.equal(
    copy?.context.map(({ replicaId, seq }) => [toHex(replicaId).slice(-2), seq]),
    [['02', 1]],
  )
  assert.is(replica.committed(tag(4))[0]?.deleted, true)
  assert.equal((await settle(simulation, replica.verify())).problems, [])
  assert.equal(replica.misfit.rebase?.step, 'round')
})

test('a misfit begins with an empty vector, no cursor and no incarnation that anybody could resume from', async () => {
  const simulation = createSimulation(2)
  const [one, two] = [await startNode(simulation, 1), await startNode(simulation, 2)]
  await settle(simulation, put(one.replica, tag(1), 'one'))
  await settle(simulation, put(two.replica, tag(2), 'two'))
  await settle(simulation, sync(one, two))
  await settle(simulation, sync(two, one))
  const known = { incarnation: one.replica.incarnation, arrival: 1 }
  assert.ok(one.replica.resumable(known))
  await close(simulation, one)

  const { replica } = await rebase(simulation, one, { forkPoint: 1 })

  assert.is(replica.vector().size, 0)
  assert.is(replica.cursor(two.device.peer), undefined)
  assert.not(replica.resumable(known))
  assert.is(replica.ownHead(1), undefined)
})

test('a misfit writes nothing until the end of a whole round, and then knows what its peer knows', async () => {
  const simulation = createSimulation(3)
  const [one, two] = [await startNode(simulation, 1), await startNode(simulation, 2)]
  for (const n of [1, 2, 3]) await settle(simulation, put(two.replica, tag(n), `two ${n}`))
  await settle(simulation, put(one.replica, tag(9), 'mine'))
  await close(simulation, one)
  const { replica, device: self } = await rebase(simulation, one, { forkPoint: 0 })
  announce(two.authority, self, { replicaId: one.device.replicaId, forkPoint: 0 })
  let ended = 0
  replica.misfit.onRebased(() => (ended += 1))
  const round = two.replica.startRound({ peerVector: replica.vector() })
  const offer = async (): Promise<boolean> => {
    const { items, upTo, last } = await round.next(1)
    const { incarnation } = two.replica
    await replica.applyPart({ peer: two.device.peer, incarnation, items, upTo, roundEnd: last })
    return last
  }
  const codes: string[] = []

  for (let last = false; !last; last = await settle(simulation, offer())) {
    codes.push(await settle(simulation, codeOf(put(replica, tag(5), 'too early'))))
  }

  assert.ok(codes.length > 1 && codes.every((code) => code === 'REBASING'), codes.join())
  assert.equal([ended, replica.misfit.rebase], [1, undefined])
  assert.is(replica.vector().get(bytesKey(two.device.replicaId))?.seq, 3)
  await settle(simulation, put(replica, tag(5), 'now'))
  round.close()
  await settle(simulation, sync({ ...one, device: self }, two))
  assert.equal(
    [5, 9].map((n) => texts(two.replica.committed(tag(n)))),
    [['now'], ['mine']],
  )
  await close(simulation, one)
  assert.is(readRebase(one.volume.rows('replica')), undefined)
})

test('a rebase that loses its power at any batch goes on where it was, and makes nothing twice', async () => {
  for (let cut = 0; cut < 14; cut += 1) {
    const simulation = createSimulation(40 + cut)
    const node = await startNode(simulation, 1)
    for (let n = 1; n <= 7; n += 1) await settle(simulation, put(node.replica, tag(n), `${n}`))
    await settle(simulation, put(node.replica, tag(1), 'again'))
    await close(simulation, node)

    const work = beginRebase(simulation, node, { forkPoint: 3 })
    const ended = codeOf(work)
    await simulation.pass(cut * 1.5)
    node.volume.crash()
    await settle(simulation, ended)
    const { replica } = await rebase(simulation, node, { forkPoint: 3 })

    const live = [1, 2, 3, 4, 5, 6, 7].map((n) => texts(replica.committed(tag(n))))
    assert.equal(live, [['again'], ['2'], ['3'], ['4'], ['5'], ['6'], ['7']], `cut ${cut}`)
    assert.is(replica.liveEnvelopes, 7)
    assert.is(replica.lastOwnSeq, 5, 'five of them were past the fork point')
    assert.equal((await settle(simulation, replica.verify())).problems, [])
  }
})

test('a rebase goes on with the steps that another opening took; another order begins anew', async () => {
  const simulation = createSimulation(5)
  const node = await startNode(simulation, 1)
  for (let n = 1; n <= 3; n += 1) await settle(simulation, put(node.replica, tag(n), `${n}`))
  await close(simulation, node)
  await rebase(simulation, node, { forkPoint: 2 })
  await close(simulation, node)
  const third = successor(node.device, 0x81)

  announce(node.authority, third, { replicaId: node.device.replicaId, forkPoint: 0 })
  const { replica } = await rebase(simulation, node, { forkPoint: 0, next: third })

  assert.equal(
    [1, 2, 3].map((n) => dots(replica.committed(tag(n)))),
    [['81:1'], ['81:2'], ['80:1']],
  )
})

test('a store whose rebase was cut off in its first step does not open without it', async () => {
  const simulation = createSimulation(6)
  const node = await startNode(simulation, 1)
  await settle(simulation, put(node.replica, tag(1), 'one'))
  await close(simulation, node)
  const left = { replicaId: node.device.replicaId, forkPoint: 0 }
  const value = encodeRebase({ step: 'clear', reason: 'forked', left })
  node.volume.damage('replica', [{ type: 'put', key: Uint8Array.of(0x7a), value }])

  assert.is(await codeOf(node.reopen()), 'DAMAGED')
})

test('a third party that holds one branch refuses the other and remembers it for the device, until that has left the id', async () => {
  const simulation = createSimulation(7)
  const one = await startNode(simulation, 1)
  await settle(simulation, put(one.replica, tag(1), 'shared'))
  const third = await startNode(simulation, 3, 'blind')
  await settle(simulation, sync(one, third))
  await close(simulation, one)
  const clone = await cloneOf(simulation, one)
  await one.reopen()
  await settle(simulation, put(one.replica, tag(2), 'left'))
  for (const n of [3, 4]) await settle(simulation, put(clone.replica, tag(n), 'right'))
  await settle(simulation, sync(one, third))
  const heard: number[] = []
  third.replica.misfit.onContested(({ seq }) => heard.push(seq))

  const refused = await settle(simulation, codeOf(sync(clone, third)))
  const contested = third.replica.misfit.contested()
  await close(simulation, clone)
  const { replica, device: self } = await rebase(simulation, clone, { forkPoint: 1 })
  announce(third.authority, self, { replicaId: one.device.replicaId, forkPoint: 1 })
  await settle(simulation, sync(third, clone))
  await settle(simulation, sync({ ...clone, device: self }, third))

  assert.is(refused, 'FORKED')
  assert.equal(heard, [3])
  assert.equal(
    contested.map(({ replicaId, seq }) => [toHex(replicaId), seq]),
    [[toHex(one.device.replicaId), 3]],
  )
  for (const { committed } of [bound(replica), bound(third.replica)]) {
    assert.equal(
      [1, 2, 3].map((n) => texts(committed(tag(n)))),
      [['shared'], ['left'], ['right']],
    )
  }
})

test('branches that both have spread stay where they are, and stop nobody once the device has left the id', async () => {
  const simulation = createSimulation(8)
  const one = await startNode(simulation, 1)
  await settle(simulation, put(one.replica, tag(1), 'shared'))
  await close(simulation, one)
  const clone = await cloneOf(simulation, one)
  await one.reopen()
  const [left, right] = [await startNode(simulation, 3), await startNode(simulation, 4)]
  await settle(simulation, put(one.replica, tag(2), 'left'))
  await settle(simulation, put(clone.replica, tag(2), 'right'))
  await settle(simulation, put(clone.replica, tag(3), 'right'))
  await settle(simulation, sync(one, left))
  await settle(simulation, sync(clone, right))
  await settle(simulation, put(right.replica, tag(5), 'of right'))
  assert.is(await settle(simulation, codeOf(sync(right, left))), 'FORKED')

  await close(simulation, clone)
  const { device: self } = await rebase(simulation, clone, { forkPoint: 1 })
  for (const node of [left, right])
    announce(node.authority, self, { replicaId: one.device.replicaId, forkPoint: 1 })
  await settle(simulation, sync(left, clone))
  const again = { ...clone, device: self }
  await settle(simulation, sync(again, left))
  await settle(simulation, sync(right, left))
  await settle(simulation, sync(left, right))

  for (const node of [left, right]) {
    assert.equal(texts(node.replica.committed(tag(5))), ['of right'])
    assert.ok(texts(node.replica.committed(tag(2))).includes('right'))
    assert.ok(texts(node.replica.committed(tag(3))).includes('right'))
  }
  assert.equal(texts(left.replica.committed(tag(2))), ['left', 'right'])
})

test('a late arrival of an abandoned write brings nothing back that its copy has been merged with', async () => {
  const simulation = createSimulation(9)
  const [one, two] = [await startNode(simulation, 1), await startNode(simulation, 2)]
  await settle(simulation, put(one.replica, tag(1), 'first'))
  await settle(simulation, put(one.replica, tag(1), 'second'))
  const late = await allOf(one)
  await close(simulation, one)
  const { replica, device: self } = await rebase(simulation, one, { forkPoint: 0 })
  announce(two.authority, self, { replicaId: one.device.replicaId, forkPoint: 0 })
  await settle(simulation, sync(two, one))
  const again = { ...one, device: self }
  await settle(simulation, sync(again, two))
  await settle(
    simulation,
    two.replica.write([draft(tag(1), 'gone', contextOf(two.replica.live(tag(1))), { deleted: true })]),
  )

  await settle(simulation, two.replica.applyPart(late))

  // The old dot is a sibling that a delete of the same life wins over; nothing that was alive is alone again.
  const live = two.replica.committed(tag(1))
  assert.ok(live.some((envelope) => envelope.deleted && textOf(envelope) === 'gone'))
  await settle(simulation, sync(two, again))
  assert.equal(texts(replica.committed(tag(1))), texts(live))
})

test.run()

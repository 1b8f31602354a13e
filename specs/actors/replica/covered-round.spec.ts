/** A round to a peer that has seen everything finds that out without reading what there is, and only then. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openReplica } from '../../../actors/replica/index.ts'
import type { OrderedStore, Vector } from '../../../actors/replica/index.ts'
import { createSimulation, limits, nodeCrypto } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import {
  authority,
  device,
  draft,
  partsOf,
  put,
  settle,
  spaceId,
  startNode,
  sync,
  tag,
} from './replica-world.ts'
import type { Node } from './replica-world.ts'

/** More than are looked at one by one without asking first. */
const TAGS = limits.rangeRowsMax + 76

function numbered(n: number): Uint8Array {
  const bytes = new Uint8Array(16).fill(0x30)
  new DataView(bytes.buffer).setUint32(0, n)
  return bytes
}

/** Everything in it comes from device 1, and was taken in one round. */
async function relay(simulation: Simulation): Promise<{ from: Node; node: Node; reads: () => number }> {
  const from = await startNode(simulation, 1)
  for (let n = 0; n < TAGS; n += 200) {
    const drafts = Array.from({ length: Math.min(200, TAGS - n) }, (_, at) =>
      draft(numbered(n + at), `text ${n + at}`, []),
    )
    await settle(simulation, from.replica.write(drafts))
  }
  const node = await startNode(simulation, 2, 'blind')
  await settle(simulation, sync(from, node))
  await settle(simulation, node.replica.close())
  assert.is(node.replica.lastArrival, TAGS)
  const counted = countReads(await node.volume.openStore('replica'))
  const { store } = counted
  const options = { store, spaceId, env: simulation.env('again'), crypto: nodeCrypto, authority: authority() }
  node.replica = await settle(simulation, openReplica(options))
  return { from, node, reads: counted.reads }
}

/** Of single rows in snapshots. */
function countReads(store: OrderedStore): { store: OrderedStore; reads: () => number } {
  let reads = 0
  const snapshot: OrderedStore['snapshot'] = () => {
    const real = store.snapshot()
    return {
      get(key) {
        reads += 1
        return real.get(key)
      },
      range: (options) => real.range(options),
      close: () => real.close(),
    }
  }
  const counting = new Proxy(store, {
    get(target, name) {
      if (name === 'snapshot') return snapshot
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store: counting, reads: () => reads }
}

test('a round to a peer that has seen everything reads no record, however many there are', async () => {
  const simulation = createSimulation(1)
  const { from, node, reads } = await relay(simulation)

  const before = reads()
  const parts = await settle(simulation, partsOf(node.replica, { peerVector: from.replica.vector() }, 1e9))

  assert.equal(parts, [{ items: [], upTo: node.replica.lastArrival, last: true }])
  assert.is(reads(), before)
})

test('a write that arrived in the middle of another round, and in no vector yet, is sent all the same', async () => {
  const simulation = createSimulation(2)
  const { from, node } = await relay(simulation)
  const third = await startNode(simulation, 3)
  for (const n of [1, 2]) await settle(simulation, put(third.replica, tag(n), `third/${n}`))
  const peerVector: Vector = new Map(from.replica.vector())
  const [first] = await settle(simulation, partsOf(third.replica, { peerVector: new Map() }, 1))
  assert.ok(first !== undefined && !first.last)
  const { incarnation } = third.replica
  const { upTo, items } = first
  const part = { peer: device(3).peer, incarnation, upTo, items, roundEnd: false }
  await settle(simulation, node.replica.applyPart(part))
  assert.equal(node.replica.vectorDigest(), from.replica.vectorDigest(), 'the vector says nothing of it')

  const parts = await settle(simulation, partsOf(node.replica, { peerVector }, 1e9))

  const sent = parts.flatMap(({ items: all }) => all.filter(({ kind }) => kind === 'envelope'))
  assert.is(sent.length, 1)
})

test.run()

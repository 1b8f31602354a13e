/**
 * What the specs of rebases on a replica share: misfits, clones, and what the keyed half does, with bodies that need no key.
 * Invariant: a rebase here ends where a supervisor or database has to go on, at the wait for a round.
 */
import { openReplica, prepareRebase } from '../../../actors/replica/index.ts'
import type { Envelope, OfferedPart, RebaseOrder, Replica } from '../../../actors/replica/index.ts'
import { bytesKey, nodeCrypto, toHex } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { device, settle, spaceId, startNode } from './replica-world.ts'
import type { Device, KnownDevices, Node } from './replica-world.ts'

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255), limit: 100_000 }
/** The next id of the same device. */
export function successor(of: Device, n = 0x80): Device {
  const replicaId = of.replicaId.slice()
  replicaId[0] = n
  return { ...of, replicaId }
}

/** Makes the id known to a node as one of the same device that left another after `forkPoint`. */
export function announce(
  known: KnownDevices,
  next: Device,
  left: { replicaId: Uint8Array; forkPoint: number },
): void {
  const old = known.devices.get(bytesKey(left.replicaId))
  if (old === undefined) throw new Error('nobody has announced the id before')
  known.devices.set(bytesKey(next.replicaId), { ...old, closedAfter: undefined })
  known.devices.set(bytesKey(left.replicaId), { ...old, closedAfter: left.forkPoint })
}

export interface Opened {
  readonly replica: Replica
  readonly device: Device
}

export interface Order {
  readonly forkPoint: number
  readonly reason?: RebaseOrder['reason']
  readonly next?: Device
}

/** Opens the node's store as a misfit that leaves its id, as far as the wait for a round. */
export function rebase(simulation: Simulation, node: Node, order: Order): Promise<Opened> {
  return settle(simulation, beginRebase(simulation, node, order))
}

/** The same while the spec turns the clock itself. */
export async function beginRebase(simulation: Simulation, node: Node, order: Order): Promise<Opened> {
  const { forkPoint, reason = 'forked', next = successor(node.device) } = order
  const left = { replicaId: node.device.replicaId, forkPoint }
  announce(node.authority, next, left)
  const store = await node.volume.openStore('replica')
  const env = simulation.env('rebase')
  const common = { store, spaceId, env, crypto: nodeCrypto, authority: node.authority }
  await prepareRebase(common, { reason, left })
  node.replica = await openReplica({ ...common, own: next })
  await reissueAll(node.replica)
  return { replica: node.replica, device: next }
}

/** What the keyed half does, with bodies that need no key. */
export async function reissueAll(replica: Replica): Promise<number> {
  if (replica.misfit.rebase?.step !== 'reissue') return 0
  let made = 0
  let after: Uint8Array | undefined
  for (;;) {
    const page = await replica.scan(after, 3)
    after = page.at(-1)?.tag
    if (after === undefined) break
    made += await replica.misfit.reissue(
      page.map((found) => found.tag),
      (envelope) => ({ keyId: envelope.keyId, seal: () => envelope.body }),
    )
  }
  await replica.misfit.reissued({ alone: false })
  return made
}

export async function close(simulation: Simulation, node: Node): Promise<void> {
  await settle(simulation, node.replica.close())
}

export function dots(live: readonly Envelope[]): string[] {
  return live.map(({ replicaId, seq }) => `${toHex(replicaId).slice(0, 2)}:${seq}`)
}

/** A device whose store is a copy of a closed one. */
export async function cloneOf(simulation: Simulation, node: Node): Promise<Node> {
  const clone = await startNode(simulation, 1)
  await settle(simulation, clone.replica.close())
  const rows = await node.volume.rows('replica').range(everything)
  const own = await clone.volume.rows('replica').range(everything)
  clone.volume.damage('replica', [
    ...own.map(([key]) => ({ type: 'del' as const, key })),
    ...rows.map(([key, value]) => ({ type: 'put' as const, key, value })),
  ])
  await clone.reopen()
  return clone
}

export async function allOf(node: Node): Promise<OfferedPart> {
  const round = node.replica.startRound({ peerVector: new Map() })
  const { items, upTo } = await round.next(1e6)
  round.close()
  const { incarnation } = node.replica
  return { peer: device(7).peer, incarnation, upTo, items, roundEnd: true }
}

export function bound(replica: Replica): Pick<Replica, 'committed'> {
  return { committed: (of) => replica.committed(of) }
}

/**
 * What the specs of the replica share: devices with real signatures, drafts with readable bodies, replicas on simulated disks.
 * Invariant: bodies are not encrypted, because a replica never opens one; that lets a spec say what it holds.
 */
import { contextOf, createSimulatedVolume, openReplica } from '../../../actors/replica/index.ts'
import type {
  Authority,
  AuthorityDevice,
  ContextEntry,
  Envelope,
  OwnDraft,
  PartItem,
  Replica,
  ReplicaOptions,
  SimulatedVolume,
  Vector,
} from '../../../actors/replica/index.ts'
import { bytesKey, nodeCrypto } from '../../../runtime/index.ts'
import type { Env, Signer, Simulation } from '../../../runtime/index.ts'

export const spaceId: Uint8Array = new Uint8Array(16).fill(0x5a)
const keyId: Uint8Array = new Uint8Array(16).fill(0x4b)

export interface Device {
  readonly replicaId: Uint8Array
  readonly signer: Signer
  /** Stands for its Ed25519 key as a peer. */
  readonly peer: Uint8Array
}

/** The same device for the same number. */
export function device(n: number): Device {
  const signer = nodeCrypto.createSigner(new Uint8Array(32).fill(n))
  return { replicaId: Uint8Array.of(0, 0, 0, 0, 0, 0, 0xde, n), signer, peer: signer.publicKey }
}

export interface KnownDevices extends Authority {
  readonly devices: Map<string, AuthorityDevice>
}

/** Devices 1 to 9 may write, unless a spec changes the map. */
export function authority(): KnownDevices {
  const devices = new Map<string, AuthorityDevice>()
  for (let n = 1; n <= 9; n += 1) {
    const { replicaId, signer } = device(n)
    const verifier = nodeCrypto.createVerifier(signer.publicKey)
    devices.set(bytesKey(replicaId), {
      verify: (message, signature) => verifier.verify(message, signature),
      mayWrite: true,
    })
  }
  return { devices, device: (replicaId) => devices.get(bytesKey(replicaId)) }
}

export function tag(n: number): Uint8Array {
  return new Uint8Array(16).fill(n)
}

/** A write of `text` on a tag, in the context that is given. */
export function draft(
  onTag: Uint8Array,
  text: string,
  context: readonly ContextEntry[],
  options: { readonly deleted?: boolean } = {},
): OwnDraft {
  const sealed = new TextEncoder().encode(`${text}${'.'.repeat(16)}`)
  return { tag: onTag, life: 1, deleted: options.deleted ?? false, context, keyId, seal: () => sealed }
}

/** Writes `text` as a writer does: merging all that is live. */
export async function put(replica: Replica, onTag: Uint8Array, text: string): Promise<void> {
  await replica.write([draft(onTag, text, contextOf(replica.live(onTag)))])
}

/** What `draft` sealed. */
export function textOf(envelope: Envelope): string {
  return new TextDecoder().decode(envelope.body).slice(0, -16)
}

export function texts(live: readonly Envelope[]): string[] {
  return live.map(textOf).sort()
}

export interface Node {
  readonly device: Device
  readonly volume: SimulatedVolume
  readonly authority: KnownDevices
  replica: Replica
  /** Opens the volume anew, as a new process would. */
  reopen(options?: Partial<ReplicaOptions>): Promise<Replica>
}

/** A replica of device `n` on a simulated disk; `blind` has no own id. */
export async function startNode(
  simulation: Simulation,
  n: number,
  kind: 'keyed' | 'blind' = 'keyed',
): Promise<Node> {
  const self = device(n)
  const volume = createSimulatedVolume(simulation.env(`disk ${n}`))
  const known = authority()
  const open = async (options: Partial<ReplicaOptions> = {}): Promise<Replica> => {
    const env: Env = simulation.env(`node ${n}`)
    const store = await volume.openStore('replica')
    const own = kind === 'blind' ? {} : { own: self }
    return settle(
      simulation,
      openReplica({ store, spaceId, env, crypto: nodeCrypto, authority: known, ...own, ...options }),
    )
  }
  const node: Node = {
    device: self,
    volume,
    authority: known,
    replica: await open(),
    async reopen(options) {
      node.replica = await open(options)
      return node.replica
    },
  }
  return node
}

/** Turns the virtual clock until the promise is settled. */
export async function settle<T>(simulation: Simulation, promise: Promise<T>): Promise<T> {
  let settled = false
  const mark = (): void => {
    settled = true
  }
  promise.then(mark, mark)
  await simulation.run(() => settled, { virtualMs: 60_000 })
  if (!settled) throw new Error('nothing is left to do, and the promise is not settled')
  return promise
}

/** All parts of a round from `from`, as `to` would be offered them. */
export async function partsOf(
  from: Replica,
  to: { readonly cursor?: { incarnation: Uint8Array; arrival: number }; readonly peerVector: Vector },
  bytesMax = 4_194_304,
): Promise<{ items: PartItem[]; upTo: number; last: boolean }[]> {
  const round = from.startRound(to)
  const parts = []
  try {
    for (;;) {
      const part = await round.next(bytesMax)
      parts.push(part)
      if (part.last) return parts
    }
  } finally {
    round.close()
  }
}

/** One whole round from one node to another, by the receiver's cursor. Returns how many tags changed. */
export async function sync(from: Node, to: Node, bytesMax?: number): Promise<number> {
  const cursor = to.replica.cursor(from.device.peer)
  const peerVector = to.replica.vector()
  let changed = 0
  for (const part of await partsOf(
    from.replica,
    cursor ? { cursor, peerVector } : { peerVector },
    bytesMax,
  )) {
    const offered = {
      peer: from.device.peer,
      incarnation: from.replica.incarnation,
      upTo: part.upTo,
      items: part.items,
      roundEnd: part.last,
    }
    changed += (await to.replica.applyPart(offered)).changed
  }
  return changed
}

/** The code of the error that the promise rejects with, or `none`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

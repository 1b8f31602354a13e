/**
 * The peer's vector, as far as it is known here, and what it says of this device's own writes (REPLICATION rule 23).
 * Invariant: an entry of the own id is taken over only when it is a head of this history; another one ends the exchange.
 */
import { bytesKey, equalBytes, limits, type BlazeError } from '../../runtime/index.ts'
import type { Replica, VectorEntry } from '../replica/index.ts'
import { forkError } from './fork-claim.ts'
import { Heard } from './heard.ts'
import { violation } from './message.ts'

export class PeerVector {
  /** Read by the sender of rounds while it grows. */
  readonly entries: Map<string, VectorEntry> = new Map()
  /** What it has beyond them. */
  readonly heard: Heard = new Heard()
  readonly #replica: Replica
  readonly #peer: Uint8Array
  readonly #own: Uint8Array | undefined
  #ownShown = false

  /** `own`: this device's replica id, absent on a supervisor. */
  constructor(replica: Replica, peer: Uint8Array, own: Uint8Array | undefined) {
    this.#replica = replica
    this.#peer = peer
    this.#own = own
  }

  /** The peer has shown a head of this device's own history that is known here. */
  get ownShown(): boolean {
    return this.#ownShown
  }

  /** Seq up to which the peer acknowledged durably; of this device's own writes without an argument. */
  ackedSeq(replicaId: Uint8Array | undefined = this.#own): number {
    return replicaId === undefined ? 0 : (this.entries.get(bytesKey(replicaId))?.seq ?? 0)
  }

  /** `late`: rounds go already. Returns the fork that an entry shows; throws `PROTOCOL_VIOLATION`. */
  learn(entries: readonly VectorEntry[], late: boolean): BlazeError | undefined {
    for (const entry of entries) {
      const key = bytesKey(entry.replicaId)
      const known = this.entries.get(key)
      // A round that was read before an acknowledgement may arrive after it: the later head stands for the earlier ones.
      const isOld = known !== undefined && entry.seq < known.seq
      if (isOld && late) continue
      if (known === undefined && this.entries.size >= limits.announcementsMax)
        throw violation(`a vector of more than ${limits.announcementsMax} entries`)
      const fork = this.isOwn(entry) ? this.#confirmOwn(entry) : undefined
      if (fork !== undefined) return fork
      if (isOld) continue
      this.entries.set(key, entry)
      this.heard.covered(entry.replicaId, entry.seq)
    }
    return undefined
  }

  isOwn({ replicaId }: VectorEntry): boolean {
    return this.#own !== undefined && equalBytes(replicaId, this.#own)
  }

  #confirmOwn(entry: VectorEntry): BlazeError | undefined {
    if (this.#replica.compareOwnHead(entry.seq, entry.commitHash) !== 'equal')
      return forkError(entry, `the peer holds write ${entry.seq} of this device, which is unknown here`)
    this.#ownShown = true
    this.#replica.headConfirmed(this.#peer, entry.seq)
    return undefined
  }
}

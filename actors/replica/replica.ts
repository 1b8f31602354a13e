/**
 * The contract of a replica: one copy of a space as live envelopes per tag, without any key (REPLICATION rules 1–19, 26).
 * Invariant: nothing is told to anybody, by promise, listener or round, before the batch that holds it was synced.
 */
import type { BlazeError, CryptoProvider, Env, Signer } from '../../runtime/index.ts'
import type { ContextEntry, Envelope } from './envelope.ts'
import type { PartItem } from './round/part.ts'
import type { OrderedStore, StoreOperation } from './store.ts'
import type { Rebase } from './rebase/rebase.ts'
import type { Vector, VectorEntry } from './vector.ts'

/** Who may have signed what: answered by the team. */
export interface Authority {
  /** The device that announced the replica id, or undefined for an unknown id. */
  device(replicaId: Uint8Array): AuthorityDevice | undefined
}

export interface AuthorityDevice {
  verify(message: Uint8Array, signature: Uint8Array): boolean
  readonly mayWrite: boolean
  /** The device has left this id for another: past this seq its history may have several branches. */
  readonly closedAfter?: number | undefined
}

/** One write of this device. The replica gives it its dot and has it sealed at once. */
export interface OwnDraft {
  readonly tag: Uint8Array
  readonly life: number
  readonly deleted: boolean
  /** What the writer merged, at most 64 entries; see `contextOf`. */
  readonly context: readonly ContextEntry[]
  readonly keyId: Uint8Array
  /** Returns ciphertext and its 16-byte tag, with `header` as associated data and the seal number in the nonce. */
  seal(header: Uint8Array, sealNumber: number): Uint8Array
  /** It was staged under that seal number, before `write` returns. A draft that was sealed and refused is not. */
  staged?(sealNumber: number): void
}

export interface WriteOptions {
  /**
   * All drafts in one signed commit, which members show as a whole or not at all: `TOO_LARGE` above `limits.commitEnvelopesMax`
   * drafts or `limits.commitBytesMax` sealed bytes. Default false: cut into commits of `limits.commitBlockEnvelopesMax`.
   */
  readonly atomic?: boolean
}

/** How far a store has read another: arrival of one incarnation. */
export interface Cursor {
  readonly incarnation: Uint8Array
  readonly arrival: number
}

/** One part of a peer's round, verified as a whole and applied as a whole. */
export interface OfferedPart {
  /** The peer's Ed25519 key, under which the cursor is kept. */
  readonly peer: Uint8Array
  /** The peer's incarnation, and the arrival of the peer that this part reaches. */
  readonly incarnation: Uint8Array
  readonly upTo: number
  readonly items: readonly PartItem[]
  readonly roundEnd: boolean
}

export interface TagChange {
  readonly tag: Uint8Array
  /** What the batch gave to the tag. */
  readonly arrival: number
  /** The whole live set after the batch. */
  readonly live: readonly Envelope[]
  /** True when nothing but writes of this device changed the tag in this batch. */
  readonly own: boolean
  /** True when the store had no row of the tag before the batch. */
  readonly isNew: boolean
}

/** A tag as it was synced: its live set, and the arrival that brought it; arrival 0 for an unknown tag. */
export interface PresentTag {
  readonly arrival: number
  readonly live: readonly Envelope[]
}

export interface ScannedTag {
  readonly tag: Uint8Array
  readonly live: readonly Envelope[]
}

/** Of all live envelopes. */
export interface LiveTotals {
  /** Of their hashes, modulo 2^128; 16 bytes. */
  readonly sum: Uint8Array
  readonly bytes: number
}

export interface HeardWrites {
  has(replicaId: Uint8Array, seq: number): boolean
}

export interface RoundStart {
  readonly cursor?: Cursor | undefined
  readonly peerVector: Vector
  /** Writes that the peer has beyond its vector. */
  readonly heard?: HeardWrites | undefined
  readonly tags?: readonly Uint8Array[] | undefined
  readonly deletes?: boolean | undefined
}

export interface Arrival {
  readonly arrival: number
  readonly tag: Uint8Array
}

/** Some synced arrivals in order. A tag that has a later arrival by now may stand there with its older one too. */
export interface ArrivalPage {
  readonly arrivals: readonly Arrival[]
  /** The arrival that the page reaches: its last one, or the newest when it is empty. */
  readonly upTo: number
}

export interface RoundPart {
  /** Commits, then envelopes with all siblings of a tag together, then (in the last part) vector entries. */
  readonly items: PartItem[]
  readonly upTo: number
  readonly last: boolean
}

/** One round being sent: reads one moment of the store, holds no more than one part in memory. */
export interface Round {
  /** The arrival that the whole round reaches. Settled when the first `next()` resolved. */
  readonly lastArrival: number
  /** The next part of about `bytesMax` bytes; one tag may exceed it. Not to be called again after the last part. */
  next(bytesMax: number): Promise<RoundPart>
  /** Idempotent; must be called. */
  close(): void
}

/** Of a pass over the whole store. */
export interface VerifyProgress {
  readonly rows: number
  /** About how many there are. */
  readonly rowsExpected: number
}

export interface VerifyOptions {
  /** Ends the pass with `ABORTED`. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined
  /** Verifies the signature of every commit, too; about 9,000 a second. */
  readonly signatures?: boolean | undefined
  /** Sees every tag, for a look with keys; a `BlazeError` that it throws is a problem of the tag. */
  readonly visit?: ((tag: Uint8Array, live: readonly Envelope[], arrival: number) => void) | undefined
}

export interface VerifyReport {
  readonly rows: number
  readonly bytes: number
  readonly commits: number
  readonly tags: number
  readonly envelopes: number
  /** The first few in words; `count` counts all. The replica is poisoned with `DAMAGED` when there are any. */
  readonly problems: readonly string[]
  readonly count: number
  readonly tookMs: number
}

/** How this device's own history compares with what a peer shows of it (REPLICATION rule 23). */
export type OwnHeadComparison = 'equal' | 'different' | 'unknown'

/** Rebase and forks, REPLICATION rules 21 to 23. */
export interface Misfit {
  /** What this replica still owes before it may write, serve or acknowledge; undefined when it owes nothing. */
  readonly rebase: Rebase | undefined
  /**
   * Makes own writes past the fork point on these tags again as new dots, in one batch with the leaving of the old ones. `copy` seals
   * one, or returns undefined for what it cannot open, which stays. Resolves, synced, with their number.
   */
  reissue(tags: readonly Uint8Array[], copy: CopyOf): Promise<number>
  /** All is made again. From now on the end of one whole round ends the rebase; without any peer (`alone`) it ends here. */
  reissued(options: { readonly alone: boolean }): Promise<void>
  /** Called once, when the batch that ended the rebase was synced. */
  onRebased(listener: () => void): () => void
  /** The last own seq that is certainly in the history of whoever showed this head of another; see `forkPointOf`. */
  forkPoint(shown: { readonly seq: number; readonly contested: boolean }): number
  /** Heads of ids of others that belong to another history than the one that is held here: their devices have to hear of them. */
  contested(): readonly VectorEntry[]
  onContested(listener: (entry: VectorEntry) => void): () => void
}

export type CopyOf = (envelope: Envelope) => Pick<OwnDraft, 'keyId' | 'seal'> | undefined

export interface Replica {
  readonly spaceId: Uint8Array
  /** Of this opening; also the boot id of own writes. */
  readonly incarnation: Uint8Array
  /** Of the newest synced change. */
  readonly lastArrival: number
  /** Of the newest synced own write; 0 without any. */
  readonly lastOwnSeq: number
  /** Synced live envelopes, and tags that have any. */
  readonly liveEnvelopes: number
  /** As the batches say (PROTOCOL §6.1). */
  readonly liveTotals: LiveTotals
  readonly tags: number
  /** For reading; rows are written through `extra`, which joins the group commit. */
  readonly store: OrderedStore

  /** Newest live set, staged writes included: what a writer merges. */
  live(tag: Uint8Array): readonly Envelope[]
  /** Synced live set: what may be shown to others. */
  committed(tag: Uint8Array): readonly Envelope[]
  /** The same with its arrival, for a pass over many tags: what is kept at hand stays with those that are read one by one. */
  present(tag: Uint8Array): PresentTag
  /** At most `limit` arrivals after that one. Rejects with `DAMAGED`, `POISONED`, `CLOSED`. */
  arrivals(after: number, limit: number): Promise<ArrivalPage>
  /** Up to `limit` tags after that one, in no order that means anything, as they were synced; none at the end. Rejects with `POISONED`, `CLOSED`. */
  scan(after: Uint8Array | undefined, limit: number): Promise<ScannedTag[]>
  /** The caller knows that nobody has written the tag: saves the next write of it a look at the store. */
  expectNew(tag: Uint8Array): void
  hasStaged(tag: Uint8Array): boolean
  /** Whether some of what is staged came from a peer: it counts as shown only once it was synced. */
  hasStagedForeign(tag: Uint8Array): boolean
  /** Resolves when all that is staged now was synced. Rejects with `POISONED`. */
  settled(): Promise<void>

  /** Numbers one more seal of this boot, for whoever else seals under its key. */
  nextSealNumber(): number
  /**
   * Assigns dots and seals before it returns, stages all drafts or none, and resolves after the group commit was synced.
   * Rejects with `OVERLOADED` while too much is staged, `DISK_FULL`, `TOO_LARGE` for a body above its limit, `FORKED` when a stored envelope
   * claims to have merged this write already, `REBASING`, `POISONED`, `CLOSED`.
   */
  write(drafts: readonly OwnDraft[], options?: WriteOptions): Promise<void>
  /** Rows of others (team), in the next group commit. */
  extra(operations: readonly StoreOperation[]): Promise<void>

  /** Synced vector; the map changes as batches commit. */
  vector(): Vector
  vectorDigest(): Uint8Array
  /** Replica ids of others of which writes are here that the vector does not cover: a transaction of theirs may be here in part. */
  readonly ahead: readonly Uint8Array[]
  cursor(peer: Uint8Array): Cursor | undefined
  /** Commit hash of the own head at that seq, if it ended a batch and is still kept. */
  ownHead(seq: number): Uint8Array | undefined
  /** Anything but `equal` means that this device has another history than the one that was shown. */
  compareOwnHead(seq: number, commitHash: Uint8Array): OwnHeadComparison
  /** The own head of that seq is about to be sent to the peer as the end of a round. */
  headShown(peer: Uint8Array, seq: number): void
  /** The peer holds that own head and will show no earlier one. */
  headConfirmed(peer: Uint8Array, seq: number): void
  /** The last own seq that every peer has confirmed, as far as this opening and the ones before know. */
  readonly confirmedSeq: number

  /** Whether this store knows what came after the cursor (rule 14). */
  resumable(cursor: Cursor): boolean
  /**
   * By cursor where it is valid, else by vectors. `peerVector` may change meanwhile; tags it covers are skipped. With `tags`: a repair, just
   * these as they are now, whatever the vector covers; it names the cursor's arrival and no vector entry. With
   * `deletes`: of what is due, only tags that are deleted, as in a repair.
   */
  startRound(from: RoundStart): Round
  /**
   * Verifies everything, then keeps all of the part in one batch or nothing. Resolves after the sync with the number of tags
   * that changed. Rejects with `UNKNOWN_REPLICA` (`details.replicaId`), `FORBIDDEN`, `BAD_SIGNATURE`, `PROTOCOL_VIOLATION`, `FORKED`,
   * `OVERLOADED`, `DISK_FULL`, `POISONED`, `CLOSED`.
   */
  applyPart(part: OfferedPart): Promise<{ changed: number }>

  /**
   * Reads one moment of the whole store beside everything else and reports. What is wrong poisons the replica with `DAMAGED`.
   * Rejects with `ABORTED`, `POISONED`, `CLOSED`. A pass runs by itself, slowly, when the last one is a day old or the last session
   * did not close; this one takes its place.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>
  /** Of the pass that runs now, or undefined. */
  readonly verifying: VerifyProgress | undefined

  /** What is known of forks, and the way back when this replica does not fit. */
  readonly misfit: Misfit

  /** Rises with the vector, of this opening: whoever was told of it may have something to be told again. */
  readonly vectorMoves: number

  /** Called after each synced batch that changed tags or only the vector, in order. Returns the unsubscriber. */
  onCommitted(listener: (changes: readonly TagChange[]) => void): () => void
  /** Called once, when the store failed. Nothing works afterwards but `close`. */
  onPoisoned(listener: (error: BlazeError) => void): () => void
  /** Syncs what is staged, then closes the store. Idempotent. */
  close(): Promise<void>
}

export interface ReplicaOptions {
  /** Closed with the replica. */
  readonly store: OrderedStore
  readonly spaceId: Uint8Array
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly authority: Authority
  /** Absent on a blind host, which writes nothing itself. */
  readonly own?: { readonly replicaId: Uint8Array; readonly signer: Signer }
  /** Bytes of live envelopes above which a part of a peer that adds to them is refused; it may be passed by what is under way. */
  readonly quotaBytes?: number | undefined
}

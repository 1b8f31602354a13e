/**
 * The replica of this process: own writes and peers' parts on their way into one store, rounds on their way out.
 * Invariant: staging is synchronous, so what a writer read with `live()` is what its write merges.
 */
import { BlazeError, bytesKey, limits } from '../../runtime/index.ts'
import { readArrivals } from './arrival-page.ts'
import { buildBatch, landBatch } from './batch-builder.ts'
import type { BuildContext } from './batch-builder.ts'
import { CommitLedger } from './commit-ledger.ts'
import type { Envelope } from './envelope.ts'
import { GroupCommit } from './group-commit.ts'
import type { BuiltBatch } from './group-commit.ts'
import { envelopesOf, offer } from './live-set.ts'
import { refuseSeenDot, sealOwn } from './own-write.ts'
import { LocalMisfit } from './rebase/local-misfit.ts'
import { PartInbox } from './round/part-inbox.ts'
import { lastArrivalOf, type ReplicaState } from './replica-state.ts'
import type {
  ArrivalPage,
  Cursor,
  LiveTotals,
  OfferedPart,
  OwnDraft,
  OwnHeadComparison,
  PresentTag,
  Replica,
  RoundStart,
  ReplicaOptions,
  Round,
  ScannedTag,
  TagChange,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
  WriteOptions,
} from './replica.ts'
import { snapshotSource } from './round/round-source.ts'
import type { RoundSource, SnapshotSource } from './round/round-source.ts'
import { createRound } from './round/round.ts'
import { cursorKey, parseCursor, parseStored, tagRowsAfter } from './row.ts'
import type { Held, StoredVectorEntry } from './row.ts'
import { checkCommitCount, commitName, Stage } from './stage.ts'
import type { OrderedStore, StoreOperation, StoreSnapshot } from './store.ts'
import { changesOf, TagTable } from './tag-table.ts'
import { vectorDigest } from './vector.ts'
import type { Vector } from './vector.ts'
import { Verification } from './verification.ts'

export class LocalReplica implements Replica {
  readonly spaceId: Uint8Array
  readonly incarnation: Uint8Array
  readonly store: OrderedStore
  readonly misfit: LocalMisfit
  readonly #options: ReplicaOptions
  readonly #state: ReplicaState
  readonly #context: BuildContext
  readonly #tags: TagTable
  readonly #ledger: CommitLedger
  readonly #group: GroupCommit
  readonly #inbox: PartInbox
  readonly #verification: Verification
  readonly #committed = new Set<(changes: readonly TagChange[]) => void>()
  readonly #poisoned = new Set<(error: BlazeError) => void>()
  #stage = new Stage()
  /** What is in flight; its vector entries count as known. */
  #flying = new Stage()
  #nextSeq: number
  #sealNumber = 0
  #closing: Promise<void> | undefined

  /** Only for `openReplica`: the state is that of the store, and the incarnation is synced. */
  constructor(options: ReplicaOptions, state: ReplicaState, incarnation: Uint8Array) {
    const { store, spaceId, crypto, own } = options
    this.#options = options
    this.spaceId = spaceId
    this.incarnation = incarnation
    this.store = store
    this.#state = state
    this.#nextSeq = this.lastOwnSeq + 1
    this.#tags = new TagTable(store, crypto)
    this.#ledger = new CommitLedger(store, crypto)
    const writer = own && { ...own, bootId: incarnation, firstSeqOfBoot: this.#nextSeq }
    this.#context = { spaceId, crypto, own: writer, state, ledger: this.#ledger }
    this.#group = new GroupCommit({
      store,
      build: () => this.#build(),
      onFailed: (error) => {
        if (error.code === 'DAMAGED') void this.#verification.noteDamaged()
        for (const listener of this.#poisoned) listener(error)
      },
    })
    this.#inbox = new PartInbox({
      ...options,
      ownReplicaId: own?.replicaId,
      state,
      tags: this.#tags,
      check: () => this.#checkDisk(false),
      stage: () => this.#stage,
      known: (replicaId, firstSeq) => this.#knownCommit(replicaId, firstSeq),
      newestEntry: (replicaId) => this.#newestEntry(replicaId),
      seen: (replicaId) => this.#newestEntry(replicaId)?.seq ?? 0,
      contested: (entry) => this.misfit.contest(entry),
      request: () => this.#group.request(),
    })
    this.misfit = new LocalMisfit({
      state,
      tags: this.#tags,
      check: () => this.#checkRoom(),
      stage: () => this.#stage,
      seal: (draft) => this.#seal(draft, this.#nextSeq++),
      request: () => this.#group.request(),
    })
    this.#verification = new Verification({
      ...options,
      soundness: state.soundness,
      snapshot: () =>
        this.#group.whenQuiet(() => {
          this.#check()
          return { snapshot: store.snapshot(), tags: this.tags }
        }),
      poison: (error) => this.#group.poison(error),
    })
  }

  get lastArrival(): number {
    return this.#state.numbers.lastArrival
  }

  get ahead(): readonly Uint8Array[] {
    return this.#state.ahead.ids
  }

  get vectorMoves(): number {
    return this.#state.vectorMoves
  }

  get lastOwnSeq(): number {
    const own = this.#options.own
    return (own && this.#state.vector.get(bytesKey(own.replicaId))?.seq) ?? 0
  }

  get liveEnvelopes(): number {
    return this.#state.numbers.liveEnvelopes
  }

  get liveTotals(): LiveTotals {
    return { sum: this.#state.numbers.setHash.bytes(), bytes: this.#state.numbers.liveBytes }
  }

  get tags(): number {
    return this.#state.numbers.tags
  }

  live(tag: Uint8Array): readonly Envelope[] {
    this.#check()
    return envelopesOf(this.#tags.newest(tag))
  }

  committed(tag: Uint8Array): readonly Envelope[] {
    this.#check()
    return envelopesOf(this.#tags.committed(tag).live)
  }

  present(tag: Uint8Array): PresentTag {
    this.#check()
    const { arrival, live } = this.#tags.peek(tag)
    return { arrival, live: envelopesOf(live) }
  }

  arrivals(after: number, limit: number): Promise<ArrivalPage> {
    return readArrivals(this.#reader(), after, limit)
  }

  async scan(after: Uint8Array | undefined, limit: number): Promise<ScannedTag[]> {
    this.#check()
    const rows = await this.store.range({ ...tagRowsAfter(after), limit })
    this.#check()
    return rows.map(([key, value]) => this.#tags.scanned(key.subarray(1), value))
  }

  expectNew(tag: Uint8Array): void {
    this.#tags.expectNew(tag)
  }

  hasStaged(tag: Uint8Array): boolean {
    return this.#tags.isStaged(tag)
  }

  hasStagedForeign(tag: Uint8Array): boolean {
    return this.#tags.isStagedForeign(tag)
  }

  settled(): Promise<void> {
    return this.#group.settled()
  }

  nextSealNumber(): number {
    this.#sealNumber += 1
    return this.#sealNumber
  }

  async write(drafts: readonly OwnDraft[], { atomic = false }: WriteOptions = {}): Promise<void> {
    this.#checkDisk(drafts.every(({ deleted }) => deleted))
    this.misfit.check()
    if (drafts.length === 0) return
    if (atomic) checkCommitCount(drafts.length)
    for (const draft of drafts)
      refuseSeenDot(draft, this.#nextSeq, this.#tags.newest(draft.tag), this.#context)
    const writes = drafts.map((draft, index) => this.#seal(draft, this.#nextSeq + index))
    this.#stage.addOwn(writes, atomic)
    for (const held of writes) {
      const { tag } = held.envelope
      const live = offer(this.#tags.newest(tag), held)
      if (atomic) this.#tags.stageLast(tag, live)
      else this.#tags.stage(tag, live, false)
    }
    this.#nextSeq += writes.length
    for (const [index, { sealNumber }] of writes.map(({ envelope }) => envelope).entries())
      drafts[index]?.staged?.(sealNumber)
    await this.#group.request()
  }

  async extra(operations: readonly StoreOperation[]): Promise<void> {
    this.#checkRoom()
    this.#stage.extra.push(...operations)
    for (const operation of operations)
      this.#stage.bytes += operation.type === 'put' ? operation.value.length : 0
    await this.#group.request()
  }

  vector(): Vector {
    return this.#state.vector
  }

  vectorDigest(): Uint8Array {
    return vectorDigest(this.#state.vector, this.#options.crypto)
  }

  cursor(peer: Uint8Array): Cursor | undefined {
    this.#check()
    const row = this.store.get(cursorKey(peer))
    return row && parseStored('a cursor row', () => parseCursor(row))
  }

  ownHead(seq: number): Uint8Array | undefined {
    return this.#state.heads.get(seq)
  }

  compareOwnHead(seq: number, commitHash: Uint8Array): OwnHeadComparison {
    return this.#state.heads.compare(seq, commitHash)
  }

  headShown(peer: Uint8Array, seq: number): void {
    this.#state.heads.shown(peer, seq)
  }

  headConfirmed(peer: Uint8Array, seq: number): void {
    this.#state.heads.confirmed(peer, seq)
  }

  get confirmedSeq(): number {
    return this.#state.heads.confirmedSeq
  }

  resumable({ incarnation, arrival }: Cursor): boolean {
    const last = lastArrivalOf(this.#state, incarnation)
    return last !== undefined && arrival <= last
  }

  startRound({ cursor, ...rest }: RoundStart): Round {
    this.#check()
    const after = cursor !== undefined && this.resumable(cursor) ? cursor.arrival : 0
    return createRound(this.#reader(), { after, ...rest })
  }

  applyPart(part: OfferedPart): Promise<{ changed: number }> {
    return this.#inbox.apply(part)
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#check()
    return this.#verification.run(options)
  }

  get verifying(): VerifyProgress | undefined {
    return this.#verification.progress
  }

  onCommitted(listener: (changes: readonly TagChange[]) => void): () => void {
    this.#committed.add(listener)
    return () => this.#committed.delete(listener)
  }

  onPoisoned(listener: (error: BlazeError) => void): () => void {
    this.#poisoned.add(listener)
    return () => this.#poisoned.delete(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#verification.close()
      // The last confirmations came after the last batch.
      if (this.#state.heads.unstored() !== undefined) await this.#group.request()
      await this.#group.settled()
    } catch (error) {
      await this.store.close()
      throw error
    }
    // Together: a store that closes ends what is on its way first.
    await Promise.all([this.#verification.noteClosed(), this.store.close()])
  }

  #check(): void {
    this.#group.check()
    if (this.#closing !== undefined) throw new BlazeError('CLOSED', 'the replica is closed')
  }

  #checkDisk(frees: boolean): void {
    this.#checkRoom()
    this.store.checkSpace?.(this.#options.env.monotonic(), frees)
  }

  #checkRoom(): void {
    this.#check()
    if (this.#stage.bytes > limits.stagedBytesMax) {
      throw new BlazeError(
        'OVERLOADED',
        `${this.#stage.bytes} bytes wait for the disk; try again when they are synced`,
      )
    }
  }

  #seal(draft: OwnDraft, seq: number): Held {
    return sealOwn(draft, seq, this.nextSealNumber(), this.#context)
  }

  #knownCommit(replicaId: Uint8Array, firstSeq: number): ReturnType<CommitLedger['newest']> {
    const staged = this.#stage.commits.get(commitName({ replicaId, firstSeq }))
    return (
      this.#ledger.newest(replicaId, firstSeq) ??
      (staged && { record: staged.record, live: [], lists: [...staged.lists] })
    )
  }

  #newestEntry(replicaId: Uint8Array): StoredVectorEntry | undefined {
    const key = bytesKey(replicaId)
    return this.#stage.vector.get(key) ?? this.#flying.vector.get(key) ?? this.#state.vector.get(key)
  }

  #build(): BuiltBatch {
    const stage = this.#stage
    this.#flying = stage
    this.#stage = new Stage()
    const edits = this.#tags.launch()
    const plan = buildBatch(stage, edits, this.#context)
    return {
      operations: plan.operations,
      land: () => {
        landBatch(plan, edits, this.#context)
        this.#tags.land()
        this.#ledger.land()
        this.#flying = new Stage()
        const changes = edits.size > 0 || stage.vector.size > 0 ? changesOf(edits) : undefined
        if (changes !== undefined) for (const listener of this.#committed) listener(changes)
        if (stage.endsRebase) this.misfit.landed()
      },
    }
  }

  #reader(): Parameters<typeof readArrivals>[0] & Parameters<typeof createRound>[0] {
    return {
      recent: this.#state.recent,
      check: () => this.#check(),
      lastArrival: () => this.lastArrival,
      present: () => this.#present(),
      snapshot: () => this.#group.whenQuiet(() => this.#snapshot()),
    }
  }

  #present(): RoundSource {
    return {
      lastArrival: this.lastArrival,
      tags: this.tags,
      vector: this.#state.vector,
      tag: (tag) => this.#tags.committed(tag),
      commit: (replicaId, firstSeq) => this.#ledger.committed(replicaId, firstSeq),
    }
  }

  #snapshot(): { snapshot: StoreSnapshot; source: SnapshotSource } {
    const snapshot = this.store.snapshot()
    const moment = { lastArrival: this.lastArrival, tags: this.tags, vector: new Map(this.#state.vector) }
    return { snapshot, source: snapshotSource(snapshot, moment, this.#options.crypto) }
  }
}

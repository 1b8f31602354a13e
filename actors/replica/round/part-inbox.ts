/**
 * Takes over the parts of peers: verified, merged, staged as one (REPLICATION rules 8–13, 23).
 * Invariant: the parts of one peer are staged in the order of the calls, and after a refused one none that was called before its
 * refusal was known: a cursor or vector never skips what was refused.
 */
import { BlazeError, bytesKey, equalBytes } from '../../../runtime/index.ts'
import type { CommitRecord } from '../commit.ts'
import type { Envelope } from '../envelope.ts'
import { compareDots, offer, sameDot } from '../live-set.ts'
import { checkPart, forked, isBranched, refuseFork, violation } from './part-check.ts'
import type { CheckContext, CheckedPart } from './part-check.ts'
import type { ReplicaState } from '../replica-state.ts'
import type { OfferedPart } from '../replica.ts'
import { cursorKey, encodeCursor, rebaseKey, SIBLINGS_MAX } from '../row.ts'
import type { Held, StoredVectorEntry } from '../row.ts'
import { commitName } from '../stage.ts'
import type { Stage } from '../stage.ts'
import type { TagTable } from '../tag-table.ts'

export interface InboxHost extends CheckContext {
  readonly ownReplicaId: Uint8Array | undefined
  readonly state: ReplicaState
  readonly tags: TagTable
  /** Of live envelopes; undefined: none. */
  readonly quotaBytes?: number | undefined
  /** Throws when nothing may be staged. */
  check(): void
  stage(): Stage
  /** The newest vector entry, staged ones included. */
  newestEntry(replicaId: Uint8Array): StoredVectorEntry | undefined
  /** Resolves when what was staged is synced. */
  request(): Promise<void>
}

interface MergedTag {
  readonly tag: Uint8Array
  readonly live: readonly Held[]
}

interface StagedPart {
  readonly changed: number
  /** Wrapped, so that the next part need not wait for the disk. */
  readonly synced: { readonly done: Promise<void> }
}

export class PartInbox {
  readonly #host: InboxHost
  /** The last part of each peer that is not staged yet. */
  readonly #tails = new Map<string, Promise<StagedPart>>()

  constructor(host: InboxHost) {
    this.#host = host
  }

  async apply(part: OfferedPart): Promise<{ changed: number }> {
    const peer = bytesKey(part.peer)
    const staging = this.#take(part, this.#tails.get(peer))
    this.#tails.set(peer, staging)
    const forget = (): void => {
      if (this.#tails.get(peer) === staging) this.#tails.delete(peer)
    }
    staging.then(forget, forget)
    const { changed, synced } = await staging
    await synced.done
    return { changed }
  }

  async #take(part: OfferedPart, before: Promise<StagedPart> | undefined): Promise<StagedPart> {
    this.#host.check()
    await before
    const checked = await checkPart(part, this.#host)
    this.#host.check()
    return this.#stage(part, checked)
  }

  /** In one turn: all refusals come before the first change. */
  #stage(part: OfferedPart, checked: CheckedPart): StagedPart {
    const branches = this.#refuseForks(checked)
    const merged = this.#merge(checked, branches)
    this.#checkQuota(merged)
    const host = this.#host
    const moved = checked.vector.filter(
      (entry) =>
        entry.seq > (host.newestEntry(entry.replicaId)?.seq ?? 0) && !branches.has(commitNameOf(entry)),
    )

    const stage = host.stage()
    const wanted = new Set<string>()
    for (const { tag, live } of merged) {
      host.tags.stage(tag, live, true)
      for (const { envelope, commitFirstSeq } of live) {
        stage.bytes += envelope.bytes.length
        wanted.add(commitName({ replicaId: envelope.replicaId, firstSeq: commitFirstSeq }))
      }
    }
    for (const entry of moved) {
      stage.raise(entry)
      wanted.add(commitNameOf(entry))
    }
    for (const commit of checked.commits) if (wanted.has(commitName(commit.record))) stage.addCommit(commit)
    if (part.roundEnd && host.state.rebase?.step === 'round') {
      stage.extra.push({ type: 'del', key: rebaseKey })
      stage.endsRebase = true
    }
    const cursor = encodeCursor({ incarnation: part.incarnation, arrival: part.upTo })
    stage.cursors.set(bytesKey(part.peer), { type: 'put', key: cursorKey(part.peer), value: cursor })
    return { changed: merged.length, synced: { done: host.request() } }
  }

  /** What makes room is always taken (REPLICATION rule 16). */
  #checkQuota(merged: readonly MergedTag[]): void {
    const { quotaBytes, state, tags } = this.#host
    if (quotaBytes === undefined) return
    let growth = 0
    for (const { tag, live } of merged) growth += bytesOf(live) - bytesOf(tags.newest(tag))
    const { liveBytes } = state.numbers
    if (growth <= 0 || liveBytes + growth <= quotaBytes) return
    throw new BlazeError('QUOTA', `${quotaBytes} bytes are allowed here, ${liveBytes} are used`, {
      details: { quotaBytes, liveBytes },
    })
  }

  /** Returns the names of commits of another branch than the one held, of ids that their devices have left: they stay out. */
  #refuseForks({ commits, tags, vector }: CheckedPart): Set<string> {
    const { authority, ownReplicaId } = this.#host
    const branches = new Set<string>()
    for (const { record } of commits) {
      if (ownReplicaId !== undefined && equalBytes(record.replicaId, ownReplicaId))
        this.#refuseOwnFork(record)
      // Again, because another part may have been staged since it was checked.
      const known = this.#host.known(record.replicaId, record.firstSeq)
      if (known === undefined) this.#refuseOtherBranch(record)
      else if (!equalBytes(known.record.bytes, record.bytes)) {
        refuseFork(record, `two commits begin at seq ${record.firstSeq}`, this.#host)
        branches.add(commitName(record))
      }
    }
    for (const entry of vector) {
      const known = this.#host.newestEntry(entry.replicaId)
      if (known?.seq !== entry.seq || equalBytes(known.commitHash, entry.commitHash)) continue
      if (!isBranched(authority, entry.replicaId, entry.commitFirstSeq))
        throw forked(entry.replicaId, `two commits end at seq ${entry.seq}`, entry.seq)
    }
    for (const { tag, offered } of tags) {
      const held = this.#host.tags.newest(tag)
      for (const { envelope } of offered) this.#refuseOtherDot(held, envelope)
    }
    return branches
  }

  #refuseOwnFork({ replicaId, lastSeq, hash }: CommitRecord): void {
    const { state } = this.#host
    const own = state.vector.get(bytesKey(replicaId))?.seq ?? 0
    if (lastSeq > own) throw forked(replicaId, `a peer knows our seq ${lastSeq}, we only ${own}`, lastSeq)
    if (state.heads.compare(lastSeq, hash) === 'different')
      throw forked(replicaId, `a peer knows another seq ${lastSeq} of ours`, lastSeq)
  }

  /** Rule 23: boots of one id follow each other without overlap, and each commit names the one before it. */
  #refuseOtherBranch(record: CommitRecord): void {
    const entry = this.#host.newestEntry(record.replicaId)
    const held = entry && this.#host.known(entry.replicaId, entry.commitFirstSeq)?.record
    if (held === undefined) return
    if (record.firstSeq === held.lastSeq + 1 && !equalBytes(record.previous, held.hash)) {
      const what = `seq ${record.firstSeq} does not follow the seq ${held.lastSeq} that is known`
      refuseFork(record, what, this.#host)
      return
    }
    if (equalBytes(record.bootId, held.bootId)) return
    const [earlier, later] = record.firstSeqOfBoot < held.firstSeqOfBoot ? [record, held] : [held, record]
    if (earlier.firstSeqOfBoot === later.firstSeqOfBoot || earlier.lastSeq >= later.firstSeqOfBoot) {
      refuseFork(record, `a boot begins at seq ${later.firstSeqOfBoot}, within another`, this.#host)
    }
  }

  #refuseOtherDot(held: readonly Held[], offered: Envelope): void {
    for (const { envelope } of held) {
      if (!sameDot(envelope, offered) || equalBytes(envelope.hash, offered.hash)) continue
      if (!isBranched(this.#host.authority, offered.replicaId, offered.seq))
        throw forked(offered.replicaId, `two envelopes have seq ${offered.seq}`, offered.seq)
    }
  }

  /** Tags that the part changes. */
  #merge({ tags }: CheckedPart, branches: ReadonlySet<string>): MergedTag[] {
    const merged: MergedTag[] = []
    for (const { tag, offered: all } of tags) {
      const offered = all.filter(({ envelope, commitFirstSeq: firstSeq }) => {
        return branches.size === 0 || !branches.has(commitName({ replicaId: envelope.replicaId, firstSeq }))
      })
      const before = this.#host.tags.newest(tag)
      // One order for all, so that even envelopes that lie about what they merged end alike.
      offered.sort((a, b) => compareDots(a.envelope, b.envelope))
      let live = before
      for (const held of offered) live = offer(live, held)
      if (live.length > SIBLINGS_MAX) throw violation(`more than ${SIBLINGS_MAX} siblings of one tag`)
      if (live !== before) merged.push({ tag, live })
    }
    return merged
  }
}

/** Of the commit that a vector entry names. */
function commitNameOf({ replicaId, commitFirstSeq }: StoredVectorEntry): string {
  return commitName({ replicaId, firstSeq: commitFirstSeq })
}

function bytesOf(live: readonly Held[]): number {
  let bytes = 0
  for (const { envelope } of live) bytes += envelope.bytes.length
  return bytes
}

/**
 * Verifies a part of a peer's round before anything of it is staged (REPLICATION rules 6, 10, 13, 16).
 * Invariant: what comes out is signed by a device that may write, envelope by envelope; what does not verify spoils the whole part.
 */
import { BlazeError, Breath, bytesKey, equalBytes, toHex } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { parseCommitItem, verifyCommit } from '../commit.ts'
import type { CommitRecord } from '../commit.ts'
import { parseEnvelope } from '../envelope.ts'
import type { Envelope } from '../envelope.ts'
import type { PartItem } from './part.ts'
import type { Authority, OfferedPart } from '../replica.ts'
import type { CommitRow, Held, StoredVectorEntry } from '../row.ts'
import { commitName } from '../stage.ts'
import type { VerifiedCommit } from '../stage.ts'
import type { VectorEntry } from '../vector.ts'

export interface CheckedTag {
  readonly tag: Uint8Array
  readonly offered: Held[]
}

export interface CheckedPart {
  readonly commits: readonly VerifiedCommit[]
  readonly tags: readonly CheckedTag[]
  readonly vector: readonly StoredVectorEntry[]
}

export interface CheckContext {
  readonly spaceId: Uint8Array
  readonly crypto: CryptoProvider
  readonly env: Env
  readonly authority: Authority
  /** The commit as it is stored or staged; it was verified when it came. */
  known(replicaId: Uint8Array, firstSeq: number): CommitRow | VerifiedCommit | undefined
  /** The newest seq known of that replica, 0 without any. */
  seen(replicaId: Uint8Array): number
  /** A signed head that does not follow what is held of its id. */
  contested(entry: VectorEntry): void
}

/** Yields to other work now and then. Rejects with the codes of `Replica.applyPart`. */
export async function checkPart(part: OfferedPart, context: CheckContext): Promise<CheckedPart> {
  const breath = new Breath(context.env)
  const commits = new Map<string, VerifiedCommit>()
  for (const item of part.items) {
    if (item.kind !== 'commit') continue
    // A copy: what is kept must not hold on to the whole message it came in.
    const commit = parseCommitItem(new Uint8Array(item.bytes), context.crypto)
    const name = commitName(commit.record)
    if (commits.has(name)) throw violation('a commit twice in one part')
    checkCommit(commit.record, context)
    commits.set(name, commit)
    const pause = breath.pause()
    if (pause !== undefined) await pause
  }

  const tags = new Map<string, CheckedTag>()
  for (const item of part.items) {
    if (item.kind !== 'envelope') continue
    const envelope = parseEnvelope(new Uint8Array(item.bytes), context.crypto)
    checkEnvelope(envelope, item.commitFirstSeq, commits)
    const key = bytesKey(envelope.tag)
    const tag = tags.get(key) ?? { tag: envelope.tag, offered: [] }
    tag.offered.push({ envelope, commitFirstSeq: item.commitFirstSeq })
    tags.set(key, tag)
    const pause = breath.pause()
    if (pause !== undefined) await pause
  }

  const vector: StoredVectorEntry[] = []
  for (const item of part.items) {
    if (item.kind !== 'vector') continue
    if (!part.roundEnd) throw violation('a vector entry before the end of the round')
    const entry = checkVectorEntry(item, commits, context)
    if (entry !== undefined) vector.push(entry)
  }
  return { commits: [...commits.values()], tags: [...tags.values()], vector }
}

function checkCommit(record: CommitRecord, context: CheckContext): void {
  const known = context.known(record.replicaId, record.firstSeq)
  if (known !== undefined && equalBytes(known.record.bytes, record.bytes)) return
  const device = context.authority.device(record.replicaId)
  const replicaId = toHex(record.replicaId)
  if (device === undefined) {
    throw new BlazeError('UNKNOWN_REPLICA', `nobody has announced the replica id ${replicaId}`, {
      details: { replicaId },
    })
  }
  if (!device.mayWrite) {
    throw new BlazeError('FORBIDDEN', `the device of replica ${replicaId} may not write`, {
      details: { replicaId },
    })
  }
  if (!verifyCommit(record, context.spaceId, device)) {
    throw new BlazeError('BAD_SIGNATURE', `a commit of replica ${replicaId} is not signed by its device`, {
      details: { replicaId, firstSeq: record.firstSeq },
    })
  }
  if (known !== undefined) refuseFork(record, `two commits begin at seq ${record.firstSeq}`, context)
}

/**
 * Throws `FORKED` for a signed commit of another history than the one that is held, unless its device has left the id before that
 * seq: then it made its own writes again under another, and both branches stay where they are (rule 22).
 */
export function refuseFork(
  record: CommitRecord,
  what: string,
  { authority, contested }: Pick<CheckContext, 'authority' | 'contested'>,
): void {
  const { replicaId, firstSeq, lastSeq, hash } = record
  if (isBranched(authority, replicaId, firstSeq)) return
  contested({ replicaId, seq: lastSeq, commitHash: hash })
  throw forked(replicaId, what, lastSeq)
}

/** Whether the history of the id may have several branches at that seq, as its device has announced. */
export function isBranched(authority: Authority, replicaId: Uint8Array, seq: number): boolean {
  return seq > (authority.device(replicaId)?.closedAfter ?? Infinity)
}

function checkEnvelope(
  envelope: Envelope,
  firstSeq: number,
  commits: ReadonlyMap<string, VerifiedCommit>,
): void {
  const commit = commits.get(commitName({ replicaId: envelope.replicaId, firstSeq }))
  if (commit === undefined) throw violation('an envelope without its commit')
  const { record, lists } = commit
  const { seq } = envelope
  if (seq < record.firstSeq || seq > record.lastSeq) throw violation(`seq ${seq} outside its commit`)
  const list = lists[record.blockOf(seq)]
  if (list === undefined) throw violation('an envelope without the hashes of its block')
  if (!equalBytes(record.hashIn(list, seq), envelope.hash)) {
    throw new BlazeError('BAD_SIGNATURE', `envelope ${seq} is not the one that its commit signed`, {
      details: { replicaId: toHex(envelope.replicaId), seq },
    })
  }
  if (!equalBytes(record.bootId, envelope.bootId))
    throw violation('an envelope of another boot than its commit')
}

function checkVectorEntry(
  item: Extract<PartItem, { kind: 'vector' }>,
  commits: ReadonlyMap<string, VerifiedCommit>,
  context: CheckContext,
): StoredVectorEntry | undefined {
  const { entry, commitFirstSeq } = item
  const name = commitName({ replicaId: entry.replicaId, firstSeq: commitFirstSeq })
  const commit = commits.get(name) ?? context.known(entry.replicaId, commitFirstSeq)
  if (commit === undefined) {
    // Old news may come without its commit, which may be gone here; what would move the vector may not.
    if (entry.seq <= context.seen(entry.replicaId)) return undefined
    throw violation('a vector entry without its commit')
  }
  const { record } = commit
  if (record.lastSeq !== entry.seq || !equalBytes(record.hash, entry.commitHash)) {
    throw violation('a vector entry that is not the end of its commit')
  }
  return { replicaId: record.replicaId, seq: entry.seq, commitHash: record.hash, commitFirstSeq }
}

export function violation(problem: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', `part: ${problem}`)
}

/** Two histories of one replica id: nothing of this part may be kept, by whomever it was forged or cloned. */
export function forked(replicaId: Uint8Array, what: string, seq: number): BlazeError {
  const id = toHex(replicaId)
  return new BlazeError('FORKED', `replica ${id} has two histories: ${what}`, {
    details: { replicaId: id, seq },
  })
}

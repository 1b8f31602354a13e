/**
 * The signed graph of log entries: which are known, what precedes what, and whose key verified each.
 * Invariant: every entry in it is authentic and has all its ancestors in it; whether an entry had the right is judged in
 * `member.ts`, so that acceptance here depends on ancestors alone and never on the order of arrival.
 */
import { BlazeError, bytesKey, compareBytes, equalBytes, limits, toHex } from '../../runtime/index.ts'
import type { CryptoProvider, Verifier } from '../../runtime/index.ts'
import type { DeviceKeys } from './device.ts'
import { authorHintOf, entryHash, parseEntry, verifyEntry } from './entry.ts'
import type { Entry } from './entry.ts'
import { verifyJoin } from './invite.ts'
import { orderNodes } from './order.ts'

/** A device whose keys stand in an entry. */
export interface EntryDevice {
  readonly keys: DeviceKeys
  /** Of the Ed25519 key, hexadecimal. */
  readonly id: string
  readonly hint: Uint8Array
  readonly verifier: Verifier
}

export interface LogEntry {
  /** `hash` in hexadecimal. */
  readonly id: string
  readonly hash: Uint8Array
  readonly bytes: Uint8Array
  readonly entry: Entry
  /** Ids of the parents. */
  readonly parents: readonly string[]
  /** Removals are a reserved type. */
  readonly removal: false
  /** The n-th entry that this replica accepted. */
  readonly order: number
  /** The device that this entry names, if any. */
  readonly device: EntryDevice | undefined
  /** Ed25519 key that verified, hexadecimal. */
  readonly author: string
  /** Bit i: the entry of order i is an ancestor. */
  readonly ancestors: Uint32Array
}

type ParsedEntry = Pick<LogEntry, 'id' | 'hash' | 'bytes' | 'entry' | 'parents' | 'removal'>

/** Is `entry` among those that the author of `of` had seen? */
export function isAncestor(entry: LogEntry, of: LogEntry): boolean {
  return hasBit(of.ancestors, entry.order)
}

export class MembershipLog {
  readonly #spaceId: Uint8Array
  readonly #crypto: CryptoProvider
  /** In order of acceptance. */
  readonly #entries: LogEntry[] = []
  readonly #byId = new Map<string, LogEntry>()
  /** The entries that name a device, by its hint, in order of acceptance. */
  readonly #byHint = new Map<string, LogEntry[]>()

  constructor(spaceId: Uint8Array, crypto: CryptoProvider) {
    this.#spaceId = spaceId
    this.#crypto = crypto
  }

  has(hash: Uint8Array): boolean {
    return this.#byId.has(toHex(hash))
  }

  /** In order of REPLICATION rule 27. */
  ordered(): LogEntry[] {
    return orderNodes(this.#entries)
  }

  /** Hashes of the entries that no other names, ascending. */
  heads(): Uint8Array[] {
    const named = new Set(this.#entries.flatMap((entry) => entry.parents))
    return this.#entries
      .filter((entry) => !named.has(entry.id))
      .map((entry) => entry.hash)
      .sort(compareBytes)
  }

  /**
   * Takes all or nothing, in any order, and returns what was new. Throws `PROTOCOL_VIOLATION` (no entry, unknown parents,
   * a second create, another space), `BAD_SIGNATURE`, `NOT_SUPPORTED` (reserved type), `TOO_LARGE` (the log is full).
   */
  insert(all: readonly Uint8Array[]): LogEntry[] {
    const fresh = new Map<string, ParsedEntry>()
    for (const bytes of all) {
      const parsed = this.#parse(bytes)
      if (!this.#byId.has(parsed.id)) fresh.set(parsed.id, parsed)
    }
    if (this.#entries.length + fresh.size > limits.teamEntriesMax)
      throw new BlazeError('TOO_LARGE', `the membership log takes at most ${limits.teamEntriesMax} entries`)
    const first = this.#entries.length
    try {
      for (const parsed of orderNodes([...fresh.values()])) this.#append(parsed)
    } catch (error) {
      for (const entry of this.#entries.splice(first)) this.#forget(entry)
      throw error
    }
    return this.#entries.slice(first)
  }

  #parse(received: Uint8Array): ParsedEntry {
    // A copy: the bytes may be a view of a buffer that is used again.
    const bytes = received.slice()
    const entry = parseEntry(bytes)
    const hash = entryHash(bytes, this.#crypto)
    return { id: toHex(hash), hash, bytes, entry, parents: entry.parents.map(toHex), removal: false }
  }

  #append(parsed: ParsedEntry): void {
    const order = this.#entries.length
    const ancestors = this.#ancestorsOf(parsed, order)
    const device = this.#deviceOf(parsed.entry)
    const candidates = this.#claimants(parsed.entry, ancestors, device)
    const author = candidates.find(({ verifier }) => verifyEntry(parsed.entry, this.#spaceId, verifier))
    if (author === undefined)
      throw new BlazeError('BAD_SIGNATURE', `no device that precedes log entry ${parsed.id} signed it`)
    const entry: LogEntry = { ...parsed, order, ancestors, device, author: author.id }
    this.#checkBody(entry)
    this.#entries.push(entry)
    this.#byId.set(entry.id, entry)
    if (device === undefined) return
    const namesakes = this.#byHint.get(bytesKey(device.hint))
    if (namesakes === undefined) this.#byHint.set(bytesKey(device.hint), [entry])
    else namesakes.push(entry)
  }

  /** Undoes `#append` of one of the newest entries. */
  #forget(entry: LogEntry): void {
    this.#byId.delete(entry.id)
    if (entry.device !== undefined) this.#byHint.get(bytesKey(entry.device.hint))?.pop()
  }

  #ancestorsOf(parsed: ParsedEntry, order: number): Uint32Array {
    const ancestors = new Uint32Array((order + 31) >>> 5)
    for (const id of parsed.parents) {
      const parent = this.#byId.get(id)
      if (parent === undefined) throw violation(parsed.id, 'a parent is not known here')
      parent.ancestors.forEach((bits, i) => (ancestors[i] = (ancestors[i] ?? 0) | bits))
      const word = parent.order >>> 5
      ancestors[word] = (ancestors[word] ?? 0) | (1 << (parent.order & 31))
    }
    return ancestors
  }

  #deviceOf({ body }: Entry): EntryDevice | undefined {
    if (body.type === 'invite') return undefined
    const { keys } = body
    const hint = authorHintOf(keys.signKey, this.#crypto)
    const known = this.#byHint
      .get(bytesKey(hint))
      ?.find(({ device }) => device !== undefined && equalBytes(device.keys.signKey, keys.signKey))?.device
    // Preparing a key costs as much as a verification.
    const verifier = known?.verifier ?? this.#crypto.createVerifier(keys.signKey)
    return { keys, id: known?.id ?? toHex(keys.signKey), hint, verifier }
  }

  /** The devices that may have signed: the one it introduces, or those that its author knew; narrowed by the hint. */
  #claimants(entry: Entry, ancestors: Uint32Array, device: EntryDevice | undefined): EntryDevice[] {
    const { type } = entry.body
    if (type === 'create' || type === 'join')
      return device !== undefined && equalBytes(device.hint, entry.authorHint) ? [device] : []
    const known = new Map<string, EntryDevice>()
    for (const other of this.#byHint.get(bytesKey(entry.authorHint)) ?? [])
      if (other.device !== undefined && hasBit(ancestors, other.order))
        known.set(other.device.id, other.device)
    return [...known.values()]
  }

  #checkBody(entry: LogEntry): void {
    const { body } = entry.entry
    if (body.type === 'create') {
      if (this.#entries.length > 0) throw violation(entry.id, 'this space was already created')
      if (!equalBytes(body.spaceId, this.#spaceId)) throw violation(entry.id, 'it creates another space')
    }
    if (body.type === 'join') {
      const invite = this.#byId.get(toHex(body.inviteHash))
      if (invite?.entry.body.type !== 'invite' || !isAncestor(invite, entry))
        throw violation(entry.id, 'it joins by an invite that does not precede it')
      const { joinKey } = invite.entry.body
      if (!verifyJoin({ crypto: this.#crypto, joinKey, spaceId: this.#spaceId, ...body }))
        throw new BlazeError('BAD_SIGNATURE', `the join key of its invite did not sign log entry ${entry.id}`)
    }
  }
}

function hasBit(bits: Uint32Array, at: number): boolean {
  return (((bits[at >>> 5] ?? 0) >>> (at & 31)) & 1) === 1
}

function violation(id: string, problem: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', `log entry ${id}: ${problem}`, { details: { entry: id } })
}

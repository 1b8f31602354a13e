/**
 * Rows of the conflict inbox (PROTOCOL §6.1): in order of time, sealed under a key of this directory alone.
 * Invariant: every seal of an opening has a number of its own, and a row opens only under its own key.
 */
import {
  BlazeError,
  concatBytes,
  decodeCbor,
  encodeCbor,
  readU48,
  toHex,
  writeU48,
} from '../../../runtime/index.ts'
import type { Aead, CborItem, CryptoProvider, Value } from '../../../runtime/index.ts'
import type { Stamp } from '../record/record.ts'

const INBOX = 0x71
const ID_BYTES = 16
const KEY_BYTES = 1 + 6 + ID_BYTES
const BOOT_BYTES = 16
/** `u8 dismissed | boot id | u48 number` before the ciphertext. */
const HEAD_BYTES = 1 + BOOT_BYTES + 6
const LABEL = new TextEncoder().encode('rows')
const NO_SALT = new Uint8Array(0)

/** All rows, for `StoreReader.range`. */
export const inboxRows: { readonly gte: Uint8Array; readonly lt: Uint8Array } = {
  gte: Uint8Array.of(INBOX),
  lt: Uint8Array.of(INBOX + 1),
}

/** A value that a concurrent write has cost. */
export interface InboxEntry {
  readonly collection: string
  readonly recordId: string
  readonly field: string
  readonly value: Value
  readonly lost: Stamp
  readonly won: Stamp
}

export function inboxKey(at: number, id: Uint8Array): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  key[0] = INBOX
  writeU48(key, 1, at)
  key.set(id, 7)
  return key
}

/** The id, in hexadecimal, and when it was noted, in ms since 1970. */
export function parseInboxKey(key: Uint8Array): { readonly id: string; readonly at: number } {
  if (key.length !== KEY_BYTES) throw damaged()
  return { id: toHex(key.subarray(7)), at: readU48(key, 1) }
}

/** What was dismissed keeps its place, without its value, so that it is not noted again. */
export function isDismissed(row: Uint8Array): boolean {
  return row[0] === 1
}

export class InboxSeal {
  readonly #crypto: CryptoProvider
  readonly #key: Uint8Array
  readonly #boot: Uint8Array
  readonly #aeads = new Map<string, Aead>()
  #sealed = 0

  /** `key` is for the inbox alone; `boot` is fresh for this opening. */
  constructor(crypto: CryptoProvider, key: Uint8Array, boot: Uint8Array) {
    this.#crypto = crypto
    this.#key = key
    this.#boot = boot
  }

  /** Names a lost value; the same one always alike, and nobody without the key can tell which. */
  idOf({ collection, recordId, field, lost }: InboxEntry): Uint8Array {
    const text = encodeCbor([collection, recordId, field, stampItem(lost)])
    return this.#crypto.hmacSha256(this.#key, text).slice(0, ID_BYTES)
  }

  /** Undefined for one that was dismissed. */
  seal(key: Uint8Array, entry: InboxEntry | undefined): Uint8Array {
    this.#sealed += 1
    const head = new Uint8Array(HEAD_BYTES)
    head[0] = entry === undefined ? 1 : 0
    head.set(this.#boot, 1)
    writeU48(head, 1 + BOOT_BYTES, this.#sealed)
    const plain = entry === undefined ? NO_SALT : encodeEntry(entry)
    return concatBytes([head, this.#aead(this.#boot).seal(nonceOf(this.#sealed), placeOf(key, head), plain)])
  }

  /** `DAMAGED` for a row that does not authenticate. */
  open(key: Uint8Array, row: Uint8Array): InboxEntry {
    if (row.length < HEAD_BYTES) throw damaged()
    const head = row.subarray(0, HEAD_BYTES)
    const number = readU48(head, 1 + BOOT_BYTES)
    const aead = this.#aead(head.subarray(1, 1 + BOOT_BYTES))
    const plain = aead.open(nonceOf(number), placeOf(key, head), row.subarray(HEAD_BYTES))
    if (plain === undefined) throw damaged()
    return decodeEntry(plain)
  }

  #aead(boot: Uint8Array): Aead {
    const name = toHex(boot)
    let aead = this.#aeads.get(name)
    if (aead === undefined) {
      const info = concatBytes([LABEL, boot])
      aead = this.#crypto.createAead(this.#crypto.hkdfSha256(this.#key, NO_SALT, info, 32))
      this.#aeads.set(name, aead)
    }
    return aead
  }
}

function encodeEntry({ collection, recordId, field, value, lost, won }: InboxEntry): Uint8Array {
  return encodeCbor([collection, recordId, field, value, stampItem(lost), stampItem(won)])
}

function decodeEntry(plain: Uint8Array): InboxEntry {
  const item = decodeCbor(plain)
  if (!Array.isArray(item) || item.length !== 6) throw damaged()
  const [collection, recordId, field, value, lost, won] = item as CborItem[]
  if (typeof collection !== 'string' || typeof recordId !== 'string' || typeof field !== 'string')
    throw damaged()
  return { collection, recordId, field, value: value as Value, lost: stampOf(lost), won: stampOf(won) }
}

function stampItem({ ms, counter, writer }: Stamp): CborItem {
  return [ms, counter, writer]
}

function stampOf(item: CborItem): Stamp {
  const [ms, counter, writer] = Array.isArray(item) ? (item as CborItem[]) : []
  if (typeof ms !== 'number' || typeof counter !== 'number' || !(writer instanceof Uint8Array))
    throw damaged()
  return { ms, counter, writer }
}

function placeOf(key: Uint8Array, head: Uint8Array): Uint8Array {
  return concatBytes([key, head.subarray(0, 1)])
}

function nonceOf(number: number): Uint8Array {
  const nonce = new Uint8Array(12)
  writeU48(nonce, 6, number)
  return nonce
}

function damaged(): BlazeError {
  return new BlazeError('DAMAGED', 'an entry of the conflict inbox does not authenticate; dismiss it', {
    details: { problems: ['an entry of the conflict inbox'], count: 1 },
  })
}

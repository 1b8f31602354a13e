/**
 * The sealed write (PROTOCOL §2): its header in the clear, its body a ciphertext that nothing here opens.
 * Invariant: an `Envelope` is well formed and its bytes never change; there is one byte form for one meaning.
 */
import {
  AEAD_TAG_BYTES,
  assert,
  BlazeError,
  ByteReader,
  compareBytes,
  equalBytes,
  limits,
  readU48,
  Slab,
  slabBytes,
  writeU32,
  writeU48,
} from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'

const TAG_BYTES = 16
const REPLICA_ID_BYTES = 8
export const BOOT_ID_BYTES = 16
const KEY_ID_BYTES = 16
export const ENVELOPE_HASH_BYTES = 16

const VERSION = 1
const FLAG_DELETED = 1
const TAG_AT = 2
const REPLICA_ID_AT = TAG_AT + TAG_BYTES
const SEQ_AT = REPLICA_ID_AT + REPLICA_ID_BYTES
const LIFE_AT = SEQ_AT + 6
const KEY_ID_AT = LIFE_AT + 6
const BOOT_ID_AT = KEY_ID_AT + KEY_ID_BYTES
const SEAL_NUMBER_AT = BOOT_ID_AT + BOOT_ID_BYTES
const CONTEXTS_AT = SEAL_NUMBER_AT + 6
const CONTEXT_BYTES = REPLICA_ID_BYTES + 6
const BODY_LENGTH_BYTES = 4

/** Those that were written together are synced, and forgotten, together. */
const envelopes = new Slab()

/** "This envelope merged all writes of that replica on the tag up to `seq`", and therefore kills them. */
export interface ContextEntry {
  readonly replicaId: Uint8Array
  readonly seq: number
}

export interface EnvelopeHeader {
  readonly deleted: boolean
  readonly tag: Uint8Array
  readonly replicaId: Uint8Array
  readonly seq: number
  readonly life: number
  readonly keyId: Uint8Array
  readonly bootId: Uint8Array
  readonly sealNumber: number
  /** Sorted by replica id, no id twice, at most 64; for the own id only seqs below the envelope's. */
  readonly context: readonly ContextEntry[]
}

/** A well-formed envelope. All byte fields are views into `bytes`. */
export class Envelope implements EnvelopeHeader {
  readonly bytes: Uint8Array
  readonly tag: Uint8Array
  readonly replicaId: Uint8Array
  readonly seq: number
  readonly #headerBytes: number
  readonly #crypto: CryptoProvider
  #hash: Uint8Array | undefined
  #context: readonly ContextEntry[] | undefined

  /** Only for the two makers below, which have checked the bytes. */
  constructor(bytes: Uint8Array, headerBytes: number, crypto: CryptoProvider) {
    this.bytes = bytes
    this.#headerBytes = headerBytes
    this.#crypto = crypto
    this.tag = bytes.subarray(TAG_AT, TAG_AT + TAG_BYTES)
    this.replicaId = bytes.subarray(REPLICA_ID_AT, REPLICA_ID_AT + REPLICA_ID_BYTES)
    this.seq = readU48(bytes, SEQ_AT)
  }

  get deleted(): boolean {
    return this.bytes[1] === FLAG_DELETED
  }

  get life(): number {
    return readU48(this.bytes, LIFE_AT)
  }

  get keyId(): Uint8Array {
    return this.bytes.subarray(KEY_ID_AT, KEY_ID_AT + KEY_ID_BYTES)
  }

  get bootId(): Uint8Array {
    return this.bytes.subarray(BOOT_ID_AT, BOOT_ID_AT + BOOT_ID_BYTES)
  }

  get sealNumber(): number {
    return readU48(this.bytes, SEAL_NUMBER_AT)
  }

  get context(): readonly ContextEntry[] {
    this.#context ??= readContext(this.bytes)
    return this.#context
  }

  /** What the body is authenticated with. */
  get header(): Uint8Array {
    return this.bytes.subarray(0, this.#headerBytes)
  }

  /** Ciphertext and its 16-byte tag. */
  get body(): Uint8Array {
    return this.bytes.subarray(this.#headerBytes + BODY_LENGTH_BYTES)
  }

  /** First 16 bytes of SHA-256 over the whole envelope. */
  get hash(): Uint8Array {
    this.#hash ??= this.#crypto.sha256(this.bytes).subarray(0, ENVELOPE_HASH_BYTES)
    return this.#hash
  }
}

/** Checks every length and rule of PROTOCOL §2; keeps a view of `bytes`. `PROTOCOL_VIOLATION` otherwise. */
export function parseEnvelope(bytes: Uint8Array, crypto: CryptoProvider): Envelope {
  const reader = new ByteReader(bytes, 'envelope')
  const contexts = reader.skip(CONTEXTS_AT).u8()
  reader.skip(contexts * CONTEXT_BYTES)
  const headerBytes = reader.position
  const length = reader.u32()
  reader.skip(length)
  reader.end()
  if (length > limits.envelopeBodyBytesMax) throw reader.violation(`a body of ${length} bytes`)
  const problem =
    headerProblem(bytes, contexts) ?? (length < AEAD_TAG_BYTES ? 'no room for its tag' : undefined)
  if (problem !== undefined) throw reader.violation(problem)
  return new Envelope(bytes, headerBytes, crypto)
}

/** The caller has checked that header and contexts are there. */
function headerProblem(bytes: Uint8Array, contexts: number): string | undefined {
  if (bytes[0] !== VERSION) return `unknown version ${bytes[0]}`
  if (((bytes[1] as number) & ~FLAG_DELETED) !== 0) return `unknown flags ${bytes[1]}`
  const seq = readU48(bytes, SEQ_AT)
  if (seq < 1 || readU48(bytes, LIFE_AT) < 1 || readU48(bytes, SEAL_NUMBER_AT) < 1) {
    return 'seq, life and seal number begin at 1'
  }
  if (contexts > limits.envelopeContextsMax) return `${contexts} contexts`
  return contexts === 0 ? undefined : contextProblem(readContext(bytes), bytes, seq)
}

function contextProblem(
  context: readonly ContextEntry[],
  bytes: Uint8Array,
  seq: number,
): string | undefined {
  const own = bytes.subarray(REPLICA_ID_AT, REPLICA_ID_AT + REPLICA_ID_BYTES)
  for (const [index, entry] of context.entries()) {
    const before = context[index - 1]
    if (before !== undefined && compareBytes(before.replicaId, entry.replicaId) >= 0)
      return 'contexts out of order'
    // It would kill itself, and a tag could lose every live envelope.
    if (entry.seq >= seq && equalBytes(entry.replicaId, own))
      return 'a context that names the envelope itself'
  }
  return undefined
}

/** Which write it is; undefined where the bytes end before. */
export function dotOf(
  bytes: Uint8Array,
): { readonly replicaId: Uint8Array; readonly seq: number } | undefined {
  if (bytes.length < SEQ_AT + 6) return undefined
  const replicaId = bytes.subarray(REPLICA_ID_AT, REPLICA_ID_AT + REPLICA_ID_BYTES)
  return { replicaId, seq: readU48(bytes, SEQ_AT) }
}

/** Of well-formed bytes: whether they say that the record is deleted. */
export function isTombstone(bytes: Uint8Array): boolean {
  return bytes[1] === FLAG_DELETED
}

function readContext(bytes: Uint8Array): ContextEntry[] {
  const context: ContextEntry[] = []
  for (
    let left = bytes[CONTEXTS_AT] as number, at = CONTEXTS_AT + 1;
    left > 0;
    left -= 1, at += CONTEXT_BYTES
  ) {
    const end = at + REPLICA_ID_BYTES
    context.push({ replicaId: bytes.subarray(at, end), seq: readU48(bytes, end) })
  }
  return context
}

/** Header bytes, in the clear and to be authenticated. A header that breaks PROTOCOL §2 is a bug of the caller. */
export function encodeHeader(header: EnvelopeHeader): Uint8Array {
  const contexts = header.context.length
  assert(contexts <= limits.envelopeContextsMax, `${contexts} contexts in a header`)
  const bytes = slabBytes(CONTEXTS_AT + 1 + contexts * CONTEXT_BYTES)
  bytes[0] = VERSION
  bytes[1] = header.deleted ? FLAG_DELETED : 0
  bytes.set(header.tag, TAG_AT)
  bytes.set(header.replicaId, REPLICA_ID_AT)
  writeU48(bytes, SEQ_AT, header.seq)
  writeU48(bytes, LIFE_AT, header.life)
  bytes.set(header.keyId, KEY_ID_AT)
  bytes.set(header.bootId, BOOT_ID_AT)
  writeU48(bytes, SEAL_NUMBER_AT, header.sealNumber)
  bytes[CONTEXTS_AT] = contexts
  let at = CONTEXTS_AT + 1
  for (const { replicaId, seq } of header.context) {
    bytes.set(replicaId, at)
    writeU48(bytes, at + REPLICA_ID_BYTES, seq)
    at += CONTEXT_BYTES
  }
  const problem = headerProblem(bytes, contexts)
  assert(problem === undefined, `envelope header: ${problem}`)
  return bytes
}

/** Joins a header made by `encodeHeader` with what was sealed under it. `TOO_LARGE` for a body above its limit. */
export function assembleEnvelope(header: Uint8Array, sealed: Uint8Array, crypto: CryptoProvider): Envelope {
  if (sealed.length > limits.envelopeBodyBytesMax) {
    throw new BlazeError('TOO_LARGE', `a sealed record has ${sealed.length} bytes, at most 65,536 fit`, {
      details: { bytes: sealed.length, bytesMax: limits.envelopeBodyBytesMax },
    })
  }
  const bytes = envelopes.take(header.length + BODY_LENGTH_BYTES + sealed.length)
  bytes.set(header)
  writeU32(bytes, header.length, sealed.length)
  bytes.set(sealed, header.length + BODY_LENGTH_BYTES)
  return new Envelope(bytes, header.length, crypto)
}

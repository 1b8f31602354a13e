/**
 * The keys of a space: tags, and seals of bodies (PROTOCOL §1, §2).
 * Invariant: a key leaves this object only as tags, ciphertexts and plaintexts; nonces come from the replica's seal numbers.
 */
import {
  assert,
  bytesKey,
  compareBytes,
  concatBytes,
  equalBytes,
  limits,
  U48_MAX,
  writeU48,
} from '../../runtime/index.ts'
import type { Aead, CryptoProvider, Hmac } from '../../runtime/index.ts'
import type { Envelope } from '../replica/index.ts'

const TAG_BYTES = 16
const KEY_ID_BYTES = 16
const ID_LABEL = new TextEncoder().encode('id')
const SEAL_LABEL = new TextEncoder().encode('envelope')
const MIRROR_LABEL = new TextEncoder().encode('blazedb/mirror')
const LENGTH_BYTES = 2
const UTF8_BYTES_PER_UNIT = 3
/** A collection and an id of common length fit without counting. */
const MESSAGE_BYTES = 512
const NO_SALT = new Uint8Array(0)

export interface EpochKey {
  readonly epoch: number
  /** 32 bytes. */
  readonly key: Uint8Array
}

export interface KeyringOptions {
  readonly crypto: CryptoProvider
  readonly spaceId: Uint8Array
  readonly tagKey: Uint8Array
  /** At least one. */
  readonly epochs: readonly EpochKey[]
}

interface SealKey {
  readonly keyId: Uint8Array
  readonly replicaId: Uint8Array
  readonly bootId: Uint8Array
  readonly aead: Aead
}

/** What opening a body came to: `key`, none here opens it; `bad`, the right key does not. */
export type OpenedBody = { kind: 'open'; plain: Uint8Array } | { kind: 'key' } | { kind: 'bad' }

export class Keyring {
  readonly #crypto: CryptoProvider
  readonly #spaceId: Uint8Array
  readonly #tagKey: Uint8Array
  readonly #tags: Hmac
  /** Of the tag that was made last, and where its id begins. */
  readonly #message = Buffer.alloc(MESSAGE_BYTES)
  #messageCollection = ''
  #messageIdAt = LENGTH_BYTES
  readonly #epochs = new Map<string, EpochKey & { readonly id: Uint8Array }>()
  /** Least recently used first. */
  readonly #sealKeys = new Map<string, Aead>()
  /** Most records in a row are of one opening of one replica. */
  #lastSealKey: SealKey | undefined
  /** Made at its first use: few databases are shared. */
  #mirrorTags: Hmac | undefined
  #current: (EpochKey & { readonly id: Uint8Array }) | undefined

  constructor(options: KeyringOptions) {
    this.#crypto = options.crypto
    this.#spaceId = options.spaceId
    this.#tagKey = options.tagKey
    this.#tags = options.crypto.createHmac(options.tagKey)
    for (const epoch of options.epochs) this.add(epoch)
    assert(this.#current !== undefined, 'a keyring has at least one epoch key')
  }

  /** Adds an epoch key; a known one is ignored. */
  add(epoch: EpochKey): void {
    const id = this.#crypto.hmacSha256(epoch.key, ID_LABEL).slice(0, KEY_ID_BYTES)
    const entry = { ...epoch, id }
    this.#epochs.set(bytesKey(id), entry)
    const current = this.#current
    if (
      current === undefined ||
      epoch.epoch > current.epoch ||
      (epoch.epoch === current.epoch && compareBytes(id, current.id) > 0)
    ) {
      this.#current = entry
    }
  }

  /** Id of the key that new envelopes are sealed with: the highest (epoch, id). */
  get keyId(): Uint8Array {
    assert(this.#current !== undefined, 'a keyring has at least one epoch key')
    return this.#current.id
  }

  /** What a blind replica sees instead of collection and id. */
  tag(collection: string, id: string): Uint8Array {
    const message = this.#tagMessage(collection, id)
    return this.#tags.digest(message).subarray(0, TAG_BYTES)
  }

  /** Length of the collection, collection, id. Valid until the next call. */
  #tagMessage(collection: string, id: string): Uint8Array {
    if ((collection.length + id.length) * UTF8_BYTES_PER_UNIT > this.#message.length - LENGTH_BYTES) {
      const length = Buffer.byteLength(collection)
      const message = Buffer.alloc(LENGTH_BYTES + length + Buffer.byteLength(id))
      message.writeUInt16BE(length)
      message.write(collection, LENGTH_BYTES)
      message.write(id, LENGTH_BYTES + length)
      return message
    }
    // One record after the other is of the same collection.
    if (collection !== this.#messageCollection) {
      const length = this.#message.write(collection, LENGTH_BYTES)
      this.#message.writeUInt16BE(length)
      this.#messageCollection = collection
      this.#messageIdAt = LENGTH_BYTES + length
    }
    const end = this.#messageIdAt + this.#message.write(id, this.#messageIdAt)
    return this.#message.subarray(0, end)
  }

  /** What a guest sees instead of a tag (PROTOCOL §12); it cannot tell which tag, nor make one. */
  mirrorTag(tag: Uint8Array): Uint8Array {
    this.#mirrorTags ??= this.#crypto.createHmac(
      this.#crypto.hkdfSha256(this.#tagKey, NO_SALT, MIRROR_LABEL, 32),
    )
    return this.#mirrorTags.digest(tag).subarray(0, TAG_BYTES)
  }

  /** Ciphertext and tag. The caller never passes a seal number twice for one boot. */
  seal(o: {
    keyId: Uint8Array
    replicaId: Uint8Array
    bootId: Uint8Array
    sealNumber: number
    header: Uint8Array
    plain: Uint8Array
  }): Uint8Array {
    const aead = this.#sealKey(o.keyId, o.replicaId, o.bootId)
    assert(aead !== undefined, 'a writer has the key that it names')
    return aead.seal(nonceOf(o.sealNumber), o.header, o.plain)
  }

  open(envelope: Envelope): OpenedBody {
    const aead = this.#sealKey(envelope.keyId, envelope.replicaId, envelope.bootId)
    if (aead === undefined) return { kind: 'key' }
    const plain = aead.open(nonceOf(envelope.sealNumber), envelope.header, envelope.body)
    return plain === undefined ? { kind: 'bad' } : { kind: 'open', plain }
  }

  #sealKey(keyId: Uint8Array, replicaId: Uint8Array, bootId: Uint8Array): Aead | undefined {
    const last = this.#lastSealKey
    if (
      last !== undefined &&
      equalBytes(last.bootId, bootId) &&
      equalBytes(last.replicaId, replicaId) &&
      equalBytes(last.keyId, keyId)
    ) {
      return last.aead
    }
    const aead = this.#findSealKey(keyId, replicaId, bootId)
    if (aead !== undefined) {
      this.#lastSealKey = {
        keyId: new Uint8Array(keyId),
        replicaId: new Uint8Array(replicaId),
        bootId: new Uint8Array(bootId),
        aead,
      }
    }
    return aead
  }

  #findSealKey(keyId: Uint8Array, replicaId: Uint8Array, bootId: Uint8Array): Aead | undefined {
    const name = bytesKey(keyId) + bytesKey(replicaId) + bytesKey(bootId)
    const known = this.#sealKeys.get(name)
    if (known !== undefined) {
      this.#sealKeys.delete(name)
      this.#sealKeys.set(name, known)
      return known
    }
    const epoch = this.#epochs.get(bytesKey(keyId))
    if (epoch === undefined) return undefined
    const info = concatBytes([SEAL_LABEL, this.#spaceId, replicaId, bootId])
    const aead = this.#crypto.createAead(this.#crypto.hkdfSha256(epoch.key, NO_SALT, info, 32))
    this.#sealKeys.set(name, aead)
    if (this.#sealKeys.size > limits.sealKeysMax) {
      const [oldest] = this.#sealKeys.keys()
      if (oldest !== undefined) this.#sealKeys.delete(oldest)
    }
    return aead
  }
}

function nonceOf(sealNumber: number): Uint8Array {
  assert(sealNumber >= 1 && sealNumber <= U48_MAX, 'seal numbers are 1 to 2^48 - 1')
  const nonce = new Uint8Array(12)
  writeU48(nonce, 6, sealNumber)
  return nonce
}

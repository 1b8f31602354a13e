/**
 * Seals of a guest's copy: each opening of it, a boot, writes under a key of its own, and numbers what it seals.
 * Invariant: no nonce is used twice under a key, and a value opens only at the place where it was written.
 */
import {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  assert,
  concatBytes,
  equalBytes,
  limits,
  readU48,
  writeU48,
} from '../../../runtime/index.ts'
import type { Aead, CryptoProvider } from '../../../runtime/index.ts'

/** Boot ids, 16 bytes each, by the number that stands in the values of that boot. */
export type Boots = ReadonlyMap<number, Uint8Array>

export interface MirrorSealOptions {
  readonly crypto: CryptoProvider
  /** Of the copy, 32 bytes. */
  readonly key: Uint8Array
  readonly boots: Boots
  /** Number of the boot that seals, whose id is new; undefined only opens. */
  readonly own: number | undefined
}

const BOOT_ID_BYTES = 16
/** `u8 boot | u48 number` before the ciphertext. */
const HEAD_BYTES = 7
const MAC_BYTES = 32
const FORMAT = 1
const NO_SALT = new Uint8Array(0)
const encoder = new TextEncoder()

export class MirrorSeal {
  readonly own: number | undefined
  readonly #aeads = new Map<number, Aead>()
  #sealed = 0

  constructor({ crypto, key, boots, own }: MirrorSealOptions) {
    this.own = own
    for (const [boot, id] of boots) {
      const info = concatBytes([encoder.encode('blazedb/mirror/boot'), id])
      this.#aeads.set(boot, crypto.createAead(crypto.hkdfSha256(key, NO_SALT, info, 32)))
    }
  }

  /** `place` is the key of the row. */
  seal(place: Uint8Array, plain: Uint8Array): Uint8Array {
    const { own } = this
    const aead = own === undefined ? undefined : this.#aeads.get(own)
    assert(own !== undefined && aead !== undefined, 'who seals has a boot')
    this.#sealed += 1
    const head = new Uint8Array(HEAD_BYTES)
    head[0] = own
    writeU48(head, 1, this.#sealed)
    return concatBytes([head, aead.seal(nonceOf(this.#sealed), place, plain)])
  }

  /** Undefined when the value was not written at this place under one of the boots. */
  open(place: Uint8Array, value: Uint8Array): Uint8Array | undefined {
    if (value.length < HEAD_BYTES + AEAD_TAG_BYTES) return undefined
    return this.#aeads.get(bootOf(value))?.open(nonceOf(readU48(value, 1)), place, value.subarray(HEAD_BYTES))
  }
}

/** The boot that sealed a value; -1 for bytes that are none. */
export function bootOf(value: Uint8Array): number {
  return value[0] ?? -1
}

/** `u8 format | u8 n | n × (u8 boot | id 16) | MAC 32`. */
export function encodeBoots(boots: Boots, o: { crypto: CryptoProvider; key: Uint8Array }): Uint8Array {
  const rows = [...boots].map(([boot, id]) => concatBytes([Uint8Array.of(boot), id]))
  const body = concatBytes([Uint8Array.of(FORMAT, rows.length), ...rows])
  return concatBytes([body, macOf(body, o)])
}

/** Undefined for another format, for damage, and under another key. */
export function parseBoots(
  bytes: Uint8Array,
  o: { crypto: CryptoProvider; key: Uint8Array },
): Boots | undefined {
  const count = bytes[1] ?? 0
  const bodyBytes = 2 + count * (1 + BOOT_ID_BYTES)
  if (bytes[0] !== FORMAT || count > limits.guestBootsMax || bytes.length !== bodyBytes + MAC_BYTES) {
    return undefined
  }
  const body = bytes.subarray(0, bodyBytes)
  if (!equalBytes(bytes.subarray(bodyBytes), macOf(body, o))) return undefined
  const boots = new Map<number, Uint8Array>()
  for (let at = 2; at < bodyBytes; at += 1 + BOOT_ID_BYTES) {
    boots.set(bytes[at] ?? 0, bytes.slice(at + 1, at + 1 + BOOT_ID_BYTES))
  }
  return boots
}

function macOf(body: Uint8Array, { crypto, key }: { crypto: CryptoProvider; key: Uint8Array }): Uint8Array {
  return crypto.hmacSha256(crypto.hkdfSha256(key, NO_SALT, 'blazedb/mirror/boots', 32), body)
}

function nonceOf(number: number): Uint8Array {
  const nonce = new Uint8Array(AEAD_NONCE_BYTES)
  writeU48(nonce, AEAD_NONCE_BYTES - 6, number)
  return nonce
}

/**
 * The two directions of a channel after its handshake: plaintext to record and back.
 * Invariant: both ends rekey a direction after the same record: by count, by bytes, or where the sender says so (PROTOCOL §8).
 */
import { limits } from '../../runtime/index.ts'
import type { CipherState } from '../noise/index.ts'

const NO_DATA = new Uint8Array(0)

export interface RecordCipher {
  seal(plaintext: Uint8Array): Uint8Array
  /** Undefined unless this is exactly the peer's next record. */
  open(record: Uint8Array): Uint8Array | undefined
  /** The next record that is sealed is the first under a new key, besides those that count and bytes give. */
  rekeySend(): void
  /** The same of the peer's records. */
  rekeyReceive(): void
}

export interface KeyBounds {
  readonly records: number
  /** Of records, tags included. */
  readonly bytes: number
}

const PROTOCOL_BOUNDS: KeyBounds = { records: limits.recordsPerKey, bytes: limits.bytesPerKey }

/** `bounds` differ from the protocol's in specs only. */
export function createRecordCipher(
  ciphers: { readonly send: CipherState; readonly receive: CipherState },
  bounds: KeyBounds = PROTOCOL_BOUNDS,
): RecordCipher {
  const send = new Direction(ciphers.send, bounds)
  const receive = new Direction(ciphers.receive, bounds)
  return {
    seal(plaintext) {
      const record = ciphers.send.encrypt(NO_DATA, plaintext)
      send.passed(record.length)
      return record
    },
    open(record) {
      const plaintext = ciphers.receive.decrypt(NO_DATA, record)
      if (plaintext !== undefined) receive.passed(record.length)
      return plaintext
    },
    rekeySend: () => send.rekey(),
    rekeyReceive: () => receive.rekey(),
  }
}

class Direction {
  readonly #cipher: CipherState
  readonly #bounds: KeyBounds
  /** Under the present key. */
  #bytes = 0

  constructor(cipher: CipherState, bounds: KeyBounds) {
    this.#cipher = cipher
    this.#bounds = bounds
  }

  passed(bytes: number): void {
    this.#bytes += bytes
    const { records, bytes: bytesMax } = this.#bounds
    if (this.#cipher.nonce % records === 0 || this.#bytes >= bytesMax) this.rekey()
  }

  rekey(): void {
    this.#bytes = 0
    this.#cipher.rekey()
  }
}

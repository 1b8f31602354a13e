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
  return new TwoDirections(ciphers, bounds)
}

class TwoDirections implements RecordCipher {
  readonly #send: Direction
  readonly #receive: Direction

  constructor(
    { send, receive }: { readonly send: CipherState; readonly receive: CipherState },
    bounds: KeyBounds,
  ) {
    this.#send = new Direction(send, bounds)
    this.#receive = new Direction(receive, bounds)
  }

  seal(plaintext: Uint8Array): Uint8Array {
    return this.#send.seal(plaintext)
  }

  open(record: Uint8Array): Uint8Array | undefined {
    return this.#receive.open(record)
  }

  rekeySend(): void {
    this.#send.rekey()
  }

  rekeyReceive(): void {
    this.#receive.rekey()
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

  seal(plaintext: Uint8Array): Uint8Array {
    const record = this.#cipher.encrypt(NO_DATA, plaintext)
    this.#passed(record.length)
    return record
  }

  open(record: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#cipher.decrypt(NO_DATA, record)
    if (plaintext !== undefined) this.#passed(record.length)
    return plaintext
  }

  rekey(): void {
    this.#bytes = 0
    this.#cipher.rekey()
  }

  #passed(bytes: number): void {
    this.#bytes += bytes
    const { records, bytes: bytesMax } = this.#bounds
    if (this.#cipher.nonce % records === 0 || this.#bytes >= bytesMax) this.rekey()
  }
}

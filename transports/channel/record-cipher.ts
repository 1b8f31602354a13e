/**
 * The two directions of a channel after its handshake: plaintext to record and back.
 * Invariant: both ends rekey a direction after the same records, by count (PROTOCOL §8).
 */
import { limits } from '../../runtime/index.ts'
import type { CipherState } from '../noise/index.ts'

const NO_DATA = new Uint8Array(0)

export interface RecordCipher {
  seal(plaintext: Uint8Array): Uint8Array
  /** Undefined unless this is exactly the peer's next record. */
  open(record: Uint8Array): Uint8Array | undefined
}

/** `recordsPerKey` differs from the protocol's in specs only. */
export function createRecordCipher(
  ciphers: { readonly send: CipherState; readonly receive: CipherState },
  recordsPerKey: number = limits.recordsPerKey,
): RecordCipher {
  const { send, receive } = ciphers
  return {
    seal(plaintext) {
      const record = send.encrypt(NO_DATA, plaintext)
      if (send.nonce % recordsPerKey === 0) send.rekey()
      return record
    },
    open(record) {
      const plaintext = receive.decrypt(NO_DATA, record)
      if (plaintext !== undefined && receive.nonce % recordsPerKey === 0) receive.rekey()
      return plaintext
    },
  }
}

/**
 * The sum of envelope hashes modulo 2^128 (PROTOCOL §6.1): the same for the same live set, whatever the order of its making.
 * Invariant: adding and then subtracting a hash leaves it as it was.
 */
import { readU32, writeU32 } from '../../runtime/index.ts'

export const SET_HASH_BYTES = 16

export class SetHash {
  /** Least significant word first. */
  readonly #words: [number, number, number, number] = [0, 0, 0, 0]

  static of(bytes: Uint8Array): SetHash {
    const hash = new SetHash()
    hash.add(bytes)
    return hash
  }

  add(hash: Uint8Array): void {
    let carry = 0
    for (let word = 0; word < 4; word += 1) {
      const sum = (this.#words[word] as number) + readU32(hash, 12 - word * 4) + carry
      this.#words[word] = sum >>> 0
      carry = sum > 0xffff_ffff ? 1 : 0
    }
  }

  subtract(hash: Uint8Array): void {
    let borrow = 0
    for (let word = 0; word < 4; word += 1) {
      const difference = (this.#words[word] as number) - readU32(hash, 12 - word * 4) - borrow
      this.#words[word] = difference >>> 0
      borrow = difference < 0 ? 1 : 0
    }
  }

  /** 16 bytes, big-endian. */
  bytes(): Uint8Array {
    const out = new Uint8Array(SET_HASH_BYTES)
    for (let word = 0; word < 4; word += 1) writeU32(out, 12 - word * 4, this.#words[word] as number)
    return out
  }
}

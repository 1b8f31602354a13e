/**
 * A sum over (bytes, number) pairs that does not depend on their order: two ends of an index sum to zero when they match.
 * Invariant: good against accidents only; a pair that is off goes unnoticed once in about 2^52 times.
 */
import { assert } from '../../runtime/index.ts'

export class Checksum {
  #low = 0
  #high = 0

  /** Adds the pair `times` times; a negative number takes it away. */
  add(times: number, bytes: Uint8Array, number: number): void {
    assert(Number.isSafeInteger(number), 'a checksum over an unsafe number')
    let a = 0x9e37_79b9
    let b = 0x85eb_ca6b
    for (const byte of bytes) {
      a = Math.imul(a ^ byte, 0x0100_0193)
      b = Math.imul(b + byte, 0x85eb_ca77) ^ (b >>> 13)
    }
    for (const word of [number >>> 0, Math.floor(number / 2 ** 32) >>> 0]) {
      a = mix(a ^ word)
      b = mix((b + word) | 0)
    }
    this.#low = (this.#low + Math.imul(a, times)) | 0
    this.#high = (this.#high + Math.imul(b, times)) | 0
  }

  isZero(): boolean {
    return this.#low === 0 && this.#high === 0
  }
}

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
function mix(word: number): number {
  let x = word
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35)
  return x ^ (x >>> 16)
}

/**
 * Count and set hash of the rows of records, by which an opening knows that none is missing, older or left over.
 * Invariant: it says of the rows what the same rows say in any order. A row counts by the authentication tag of its value, which
 * nobody without the key can choose; so whoever compares sums has to have opened every row.
 */
import { AEAD_TAG_BYTES, equalBytes } from '../../../runtime/index.ts'
import { SetHash } from '../../replica/index.ts'
import type { MirrorSum } from './mirror-row.ts'

export class RowSum {
  #hash = new SetHash()
  #count = 0

  get sum(): MirrorSum {
    return { count: this.#count, hash: this.#hash.bytes() }
  }

  /** A value as it is sealed. */
  add(value: Uint8Array): void {
    this.#hash.add(tagOf(value))
    this.#count += 1
  }

  subtract(value: Uint8Array): void {
    this.#hash.subtract(tagOf(value))
    this.#count -= 1
  }

  clear(): void {
    this.#hash = new SetHash()
    this.#count = 0
  }

  equals({ count, hash }: MirrorSum): boolean {
    return count === this.#count && equalBytes(hash, this.#hash.bytes())
  }
}

function tagOf(value: Uint8Array): Uint8Array {
  return value.subarray(value.length - AEAD_TAG_BYTES)
}

/**
 * Remembers which tags came by lately, so that a pass over many records does not fill the cache (after TinyLFU's doorkeeper, Einziger et al.,
 * 2017). Invariant: it may take a tag for a known one, and forgets all of them at once; it never needs more than its 128 KiB.
 */
const BITS = 2 ** 20
/** Few enough that one tag in sixteen is mistaken for another. */
const SEEN_MAX = BITS / 16

export class Doorkeeper {
  readonly #bits = new Uint8Array(BITS / 8)
  #seen = 0

  /** Whether the tag, a text of one char a byte, came by before. Tags are MACs, so their first bits are as good as a hash. */
  knows(tag: string): boolean {
    const bit = ((tag.charCodeAt(0) << 16) | (tag.charCodeAt(1) << 8) | tag.charCodeAt(2)) & (BITS - 1)
    const at = bit >>> 3
    const mask = 1 << (bit & 7)
    const byte = this.#bits[at] as number
    if ((byte & mask) !== 0) return true
    this.#bits[at] = byte | mask
    this.#seen += 1
    if (this.#seen > SEEN_MAX) {
      this.#bits.fill(0)
      this.#seen = 0
    }
    return false
  }
}

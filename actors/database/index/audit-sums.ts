/**
 * Sums of what should stand in the indexes less what does, by the first bits of tags: equal sets leave nothing, in whatever order they are
 * met. Invariant: sums that are zero mean equal sets, but for a chance of 1 in 2^64 a bucket; nobody can aim at that, pages are sealed.
 */
const BUCKET_BITS = 12

/** First number of two 32-bit hashes of a text (after MurmurHash3's finaliser and FNV, both of public domain). */
const SEEDS = [0x811c9dc5, 0x9e3779b9] as const

export class AuditSums {
  readonly #low = new Int32Array(2 ** BUCKET_BITS)
  readonly #high = new Int32Array(2 ** BUCKET_BITS)

  /** What should be there. `tag` and `what` have one char a byte. */
  add(tag: string, what: string): void {
    this.#change(tag, what, 1)
  }

  /** What is there. */
  subtract(tag: string, what: string): void {
    this.#change(tag, what, -1)
  }

  /** Whether something of the tags that begin as this one does is not as it should be. */
  differs(tag: string): boolean {
    const bucket = bucketOf(tag)
    return this.#low[bucket] !== 0 || this.#high[bucket] !== 0
  }

  get allEqual(): boolean {
    return this.#low.every((sum) => sum === 0) && this.#high.every((sum) => sum === 0)
  }

  #change(tag: string, what: string, sign: 1 | -1): void {
    const bucket = bucketOf(tag)
    const [low, high] = [hashOf(tag, what, SEEDS[0]), hashOf(tag, what, SEEDS[1])]
    // An Int32Array wraps around.
    this.#low[bucket] = (this.#low[bucket] as number) + sign * low
    this.#high[bucket] = (this.#high[bucket] as number) + sign * high
  }
}

function bucketOf(tag: string): number {
  return (tag.charCodeAt(0) << 4) | (tag.charCodeAt(1) >>> 4)
}

function hashOf(tag: string, what: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < tag.length; at += 1) hash = Math.imul(hash ^ tag.charCodeAt(at), 0x01000193)
  for (let at = 0; at < what.length; at += 1) hash = Math.imul(hash ^ what.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}

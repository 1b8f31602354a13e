/** Seeded chance and cheap fingerprints. Reproducible everywhere, cryptographic nowhere. */

/** A stream of numbers in [0, 1); the same seed gives the same stream (sfc32, 128 bits of state). */
export function createChance(seed: number): () => number {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let c = seed | 0
  let counter = Math.floor(seed / 0x1_0000_0000) | 1
  const next = (): number => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    return t >>> 0
  }
  // The first outputs still resemble the seed.
  for (let i = 0; i < 15; i++) next()
  return () => next() / 0x1_0000_0000
}

/** Running 64-bit fingerprint of text; for comparing traces and definitions, never for security. */
export class Fingerprint {
  #low = 0xdeadbeef
  #high = 0x41c6ce57

  add(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      this.#low = Math.imul(this.#low ^ unit, 2654435761)
      this.#high = Math.imul(this.#high ^ unit, 1597334677)
    }
    // A separator, so that ('ab', 'c') and ('a', 'bc') differ.
    this.#low = Math.imul(this.#low ^ 0x10000, 2246822507) ^ (this.#high >>> 13)
    this.#high = Math.imul(this.#high ^ 0x10000, 3266489909) ^ (this.#low >>> 16)
  }

  /** 16 hex digits. */
  digest(): string {
    return hex(this.#high) + hex(this.#low)
  }
}

/** Fingerprint of one text, 16 hex digits. */
export function fingerprint(text: string): string {
  const running = new Fingerprint()
  running.add(text)
  return running.digest()
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

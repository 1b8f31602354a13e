/** Changes valid bytes in the ways that find faults in parsers. Invariant: the same chance gives the same bytes, never more than asked for. */
import { concatBytes } from '../../runtime/index.ts'

/** In [0, 1). */
type Chance = () => number

/** Values at which lengths and counts go wrong. */
const EDGES = [
  0, 1, 2, 0x7f, 0x80, 0xfd, 0xfe, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000,
  0xffff_ffff,
]
const STEPS_MAX = 4
/** Longest run of random bytes that is put in. */
const NOISE_BYTES_MAX = 24

export function mutate(seeds: readonly Uint8Array[], chance: Chance, bytesMax: number): Uint8Array {
  const below = (max: number): number => Math.floor(chance() * max)
  const pick = (): Uint8Array => seeds[below(seeds.length)] ?? new Uint8Array(0)
  // Now and then nothing of a valid encoding.
  let bytes = below(20) === 0 ? noise(below(200), below) : pick().slice()
  for (let steps = 1 + below(STEPS_MAX); steps > 0; steps -= 1) bytes = step(bytes, { below, pick })
  return bytes.length > bytesMax ? bytes.slice(0, bytesMax) : bytes
}

interface Dice {
  readonly below: (max: number) => number
  readonly pick: () => Uint8Array
}

function step(bytes: Uint8Array, { below, pick }: Dice): Uint8Array {
  const at = below(bytes.length + 1)
  switch (below(10)) {
    case 0:
      return changed(bytes, at, (byte) => byte ^ (1 << below(8)))
    case 1:
      return changed(bytes, at, () => below(256))
    case 2:
      return changed(bytes, at, (byte) => byte + (below(2) === 0 ? 1 : -1))
    case 3:
      return withNumber(bytes, at, below)
    case 4:
      return bytes.slice(0, at)
    case 5:
      return concatBytes([bytes.subarray(0, at), noise(below(NOISE_BYTES_MAX), below), bytes.subarray(at)])
    case 6:
      return concatBytes([bytes.subarray(0, at), bytes.subarray(at + below(NOISE_BYTES_MAX))])
    case 7: {
      // The head of one with the tail of another.
      const other = pick()
      return concatBytes([bytes.subarray(0, at), other.subarray(below(other.length + 1))])
    }
    case 8: {
      const part = bytes.subarray(at, at + 1 + below(NOISE_BYTES_MAX))
      const times = 1 << below(12)
      return concatBytes([
        bytes.subarray(0, at),
        ...Array.from({ length: times }, () => part),
        bytes.subarray(at),
      ])
    }
    default: {
      const from = below(bytes.length + 1)
      const part = bytes.slice(from, from + 1 + below(NOISE_BYTES_MAX))
      const out = bytes.slice()
      out.set(part.subarray(0, Math.max(0, out.length - at)), Math.min(at, out.length))
      return out
    }
  }
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const out = bytes.slice()
  if (at < out.length) out[at] = change(out[at] ?? 0)
  return out
}

/** An edge over one, two, four or eight bytes, either way round. */
function withNumber(bytes: Uint8Array, at: number, below: (max: number) => number): Uint8Array {
  const out = bytes.slice()
  const width = 1 << below(4)
  const value = EDGES[below(EDGES.length)] ?? 0
  const little = below(4) === 0
  for (let n = 0; n < width && at + n < out.length; n += 1) {
    const shift = little ? n : width - 1 - n
    out[at + n] = shift > 3 ? 0 : value >>> (8 * shift)
  }
  return out
}

function noise(length: number, below: (max: number) => number): Uint8Array {
  return Uint8Array.from({ length }, () => below(256))
}

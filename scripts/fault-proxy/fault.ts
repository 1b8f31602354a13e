/**
 * What can be wrong with the way of a byte stream. Up is from who dials to who listens.
 * Invariant: a byte stream never has a gap, as under TCP: what is swallowed once stays away for the rest of that connection.
 */

export interface Faults {
  /** Delay of every byte, and how much more by chance. */
  readonly latencyMs: number
  readonly jitterMs: number
  /** Bytes a second and direction; 0 for as fast as it goes. */
  readonly rate: number
  /** Bytes of a write at most; 0 leaves them as they come. */
  readonly slice: number
  /** Chance that a segment of 1,460 bytes is lost, which TCP shows as a wait for its second sending; a second loss waits double. */
  readonly loss: number
  readonly stallMs: number
  /** Bytes of both directions after which a connection is reset, drawn between half of it and three halves; 0 for never. */
  readonly resetAfter: number
  /** Connections stay open and carry nothing, and no end of one side reaches the other: the machine behind has vanished. */
  readonly halfOpen: boolean
  /** The only direction that still works. */
  readonly oneWay: 'up' | 'down' | undefined
  /** Nothing moves for now and nothing is lost: a cable that is put back in soon. */
  readonly hold: boolean
  /** New connections are reset at once. */
  readonly refuse: boolean
}

export const noFaults: Faults = {
  latencyMs: 0,
  jitterMs: 0,
  rate: 0,
  slice: 0,
  loss: 0,
  stallMs: 200,
  resetAfter: 0,
  halfOpen: false,
  oneWay: undefined,
  hold: false,
  refuse: false,
}

const numbers: ReadonlySet<string> = new Set([
  'latencyMs',
  'jitterMs',
  'rate',
  'slice',
  'loss',
  'stallMs',
  'resetAfter',
])
const switches: ReadonlySet<string> = new Set(['halfOpen', 'hold', 'refuse'])

/** Of a line of JSON or of flags; `null` for `oneWay` is none. `TypeError` names what is wrong. */
export function parseFaults(input: Readonly<Record<string, unknown>>): Partial<Faults> {
  for (const [name, value] of Object.entries(input)) {
    if (numbers.has(name)) {
      if (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value))
        throw new TypeError(`${name}: expected a number from 0, got ${JSON.stringify(value)}`)
      if (name === 'loss' && value > 0.9) throw new TypeError(`loss: expected at most 0.9, got ${value}`)
    } else if (switches.has(name)) {
      if (typeof value !== 'boolean')
        throw new TypeError(`${name}: expected true or false, got ${JSON.stringify(value)}`)
    } else if (name === 'oneWay') {
      if (value !== 'up' && value !== 'down' && value !== null && value !== undefined)
        throw new TypeError(`oneWay: expected up, down or null, got ${JSON.stringify(value)}`)
    } else throw new TypeError(`${name}: no such fault`)
  }
  const oneWay = 'oneWay' in input ? { oneWay: input['oneWay'] ?? undefined } : {}
  // Checked above, name by name.
  return { ...input, ...oneWay } as Partial<Faults>
}

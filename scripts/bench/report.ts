/**
 * The figures: one JSON line a round while it runs, then one headline each, the median with its spread.
 *
 * Invariant: the last line of each (bench, system) is its headline, and every system of a bench carries identical `params`.
 */
import type { Stage } from '../process/stage.ts'

export interface GroupOptions {
  readonly stage: Stage
  readonly report: Report
  /** Small numbers that show that it runs; not to be compared. */
  readonly quick: boolean
  readonly rounds: number
  readonly seed: number
  /** One bench of the group; undefined: all. */
  readonly only: string | undefined
  /** Instead of the number that a bench of group `store` has by default. */
  readonly records: number | undefined
}

export interface Measure {
  readonly bench: string
  readonly system: string
  readonly unit: keyof typeof digits
  readonly params: Readonly<Record<string, number | string>>
}

/** A median with its spread. */
export interface Headline {
  readonly measure: Measure
  readonly value: number
  readonly min: number
  readonly max: number
}

/** Units, and the digits after the point that mean something. */
const digits = {
  'records/s': 0,
  'msg/s': 0,
  'asks/s': 0,
  'actors/s': 0,
  'events/s': 0,
  'handshakes/s': 0,
  bytes: 0,
  trips: 0,
  KiB: 1,
  ratio: 2,
  MB: 1,
  MiB: 1,
  us: 1,
  ms: 3,
  s: 3,
} as const

export class Report {
  readonly #seed: number
  readonly #print: (line: string) => void
  readonly #rounds = new Map<string, { measure: Measure; values: number[] }>()

  constructor(options: { seed: number; print: (line: string) => void }) {
    this.#seed = options.seed
    this.#print = options.print
  }

  /** One round's figure. `more` are further plain fields of its line. */
  round(measure: Measure, value: number, more: Readonly<Record<string, number>> = {}): void {
    const key = JSON.stringify([measure.bench, measure.system, measure.params])
    const known = this.#rounds.get(key)
    const values = known?.values ?? []
    if (known === undefined) this.#rounds.set(key, { measure, values })
    values.push(value)
    this.#line(measure, value, { round: values.length, ...more })
  }

  /** Prints the headline of everything since the last time, in the order in which it began; says on stderr how systems compare. */
  headlines(): Headline[] {
    const headlines: Headline[] = []
    const ours = new Map<string, number>()
    for (const { measure, values } of this.#rounds.values()) {
      const value = median(values)
      const min = rounded(Math.min(...values), measure.unit)
      const max = rounded(Math.max(...values), measure.unit)
      this.#line(measure, value, { rounds: values.length, min, max, seed: this.#seed })
      headlines.push({ measure, value, min, max })
      const key = JSON.stringify([measure.bench, measure.params])
      const own = ours.get(key)
      if (own === undefined) ours.set(key, value)
      else
        process.stderr.write(
          `${measure.bench} ${JSON.stringify(measure.params)}: ${ratio(own, value)} of ${measure.system}\n`,
        )
    }
    this.#rounds.clear()
    return headlines
  }

  #line(
    { bench, system, unit, params }: Measure,
    value: number,
    more: Readonly<Record<string, number>>,
  ): void {
    this.#print(JSON.stringify({ bench, system, value: rounded(value, unit), unit, params, ...more }))
  }
}

/** Of a list that is not empty. */
export function median(values: readonly number[]): number {
  const negative = values.map((value) => -value)
  return (percentile(values, 0.5) - percentile(negative, 0.5)) / 2
}

/** The systems of a round, another one first each time. */
export function inTurn<T>(systems: readonly T[], round: number): readonly T[] {
  const first = (round - 1) % systems.length
  return [...systems.slice(first), ...systems.slice(0, first)]
}

/** Nearest rank: the smallest value that `share` of all do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new Error('a percentile of nothing')
  return value
}

function rounded(value: number, unit: Measure['unit']): number {
  return Number(value.toFixed(digits[unit]))
}

function ratio(own: number, other: number): string {
  return (own / other).toPrecision(2)
}

/**
 * Sums, averages, extremes and counts over records, whole or by groups.
 * Invariant: integers are added exactly; a value that is no number adds nothing; groups are bounded.
 */
import { BlazeError, cloneValue, limits, setOwn } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { encodeIndexKey } from '../index/index-key.ts'
import type { RecordState } from '../record/record.ts'
import { compareValues } from '../record/value-order.ts'
import { fieldReader } from './condition.ts'
import type { FieldReader } from './condition.ts'

export type AggregateOp = 'count' | 'sum' | 'avg' | 'min' | 'max'

/** `count` without a field counts records, with one those that have it. */
export interface Aggregate {
  readonly op: AggregateOp
  readonly field: string | undefined
}

/** Results by name; those that are undefined (an extreme or average of nothing) are left out. */
export interface AggregateRow {
  [name: string]: Value
}

export interface Accumulator {
  take(value: Value | undefined): void
  result(): Value | undefined
}

export function createAccumulator(op: AggregateOp): Accumulator {
  switch (op) {
    case 'count':
      return new Count()
    case 'sum':
      return new Sum(false)
    case 'avg':
      return new Sum(true)
    case 'min':
      return new Extreme(-1)
    case 'max':
      return new Extreme(1)
  }
}

class Count implements Accumulator {
  #count = 0

  take(value: Value | undefined): void {
    if (value !== undefined) this.#count += 1
  }

  result(): number {
    return this.#count
  }
}

/** Integers are summed exactly, as a bigint where they leave the safe range; others as doubles, compensated (Neumaier). */
class Sum implements Accumulator {
  readonly #average: boolean
  #integers = 0
  #bigIntegers = 0n
  #doubles = 0
  #lost = 0
  #count = 0
  #anyDouble = false

  constructor(average: boolean) {
    this.#average = average
  }

  take(value: Value | undefined): void {
    if (typeof value === 'bigint') this.#bigIntegers += value
    else if (typeof value !== 'number') return
    else if (Number.isSafeInteger(value)) this.#addInteger(value)
    else this.#addDouble(value)
    this.#count += 1
  }

  result(): number | bigint | undefined {
    const integers = this.#bigIntegers + BigInt(this.#integers)
    if (!this.#average && !this.#anyDouble) return narrow(integers)
    if (this.#count === 0) return this.#average ? undefined : 0
    // What is lost of an infinite sum is no number.
    const doubles = Number.isFinite(this.#doubles) ? this.#doubles + this.#lost : this.#doubles
    const sum = this.#anyDouble ? Number(integers) + doubles : Number(integers)
    return this.#average ? sum / this.#count : sum
  }

  #addInteger(value: number): void {
    const sum = this.#integers + value
    if (Number.isSafeInteger(sum)) {
      this.#integers = sum
    } else {
      this.#bigIntegers += BigInt(value)
    }
  }

  #addDouble(value: number): void {
    this.#anyDouble = true
    const sum = this.#doubles + value
    this.#lost +=
      Math.abs(this.#doubles) >= Math.abs(value) ? this.#doubles - sum + value : value - sum + this.#doubles
    this.#doubles = sum
  }
}

function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
}

/** By the order of values of all types. */
class Extreme implements Accumulator {
  readonly #sign: number
  #value: Value | undefined

  constructor(sign: number) {
    this.#sign = sign
  }

  take(value: Value | undefined): void {
    if (value === undefined) return
    if (this.#value === undefined || compareValues(value, this.#value) * this.#sign > 0) this.#value = value
  }

  result(): Value | undefined {
    return this.#value
  }
}

interface Group {
  readonly values: readonly (Value | undefined)[]
  readonly key: string
  readonly accumulators: readonly Accumulator[]
}

export class Aggregation {
  readonly #names: readonly string[]
  readonly #aggregates: readonly Aggregate[]
  readonly #readers: readonly (FieldReader | undefined)[]
  readonly #by: readonly string[]
  readonly #byReaders: readonly FieldReader[]
  /** Groups by key; of several with one key, the key was cut. */
  #groups = new Map<string, Group[]>()
  #size = 0

  /** One group of everything when `by` is empty. */
  constructor(by: readonly string[], aggregates: Readonly<Record<string, Aggregate>>) {
    this.#by = by
    this.#byReaders = by.map(fieldReader)
    this.#names = Object.keys(aggregates)
    this.#aggregates = Object.values(aggregates)
    this.#readers = this.#aggregates.map(({ field }) =>
      field === undefined ? undefined : fieldReader(field),
    )
    this.reset()
  }

  /** Forgets everything. */
  reset(): void {
    this.#groups = new Map()
    this.#size = 0
    if (this.#by.length === 0) this.#groupOf([])
  }

  /** `TOO_LARGE` for one group too many. */
  take(state: RecordState): void {
    const { accumulators } = this.#groupOf(this.#byReaders.map((read) => read(state)))
    for (let at = 0; at < accumulators.length; at += 1) {
      const read = this.#readers[at]
      accumulators[at]?.take(read === undefined ? true : read(state))
    }
  }

  /** In order of the values that the groups share; an absent one comes first and is left out. */
  rows(): AggregateRow[] {
    const groups = [...this.#groups.values()].flat()
    groups.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : compareLists(a.values, b.values)))
    return groups.map((group) => this.#rowOf(group))
  }

  #rowOf({ values, accumulators }: Group): AggregateRow {
    const row: AggregateRow = {}
    this.#by.forEach((field, at) => setDefined(row, field, values[at]))
    this.#names.forEach((name, at) => setDefined(row, name, accumulators[at]?.result()))
    return row
  }

  #groupOf(values: readonly (Value | undefined)[]): Group {
    const { key, cut } = encodeIndexKey(values)
    const known = this.#groups.get(key)
    const found = cut ? known?.find((group) => compareLists(group.values, values) === 0) : known?.[0]
    if (found !== undefined) return found
    if (this.#size >= limits.queryGroupsMax) throw tooManyGroups()
    this.#size += 1
    const group = { values, key, accumulators: this.#aggregates.map(({ op }) => createAccumulator(op)) }
    if (known === undefined) this.#groups.set(key, [group])
    else known.push(group)
    return group
  }
}

function setDefined(row: AggregateRow, name: string, value: Value | undefined): void {
  if (value !== undefined) setOwn(row, name, cloneValue(value))
}

function compareLists(a: readonly (Value | undefined)[], b: readonly (Value | undefined)[]): number {
  for (let at = 0; at < a.length; at += 1) {
    const [left, right] = [a[at], b[at]]
    if (left === undefined || right === undefined) {
      if (left !== right) return left === undefined ? -1 : 1
      continue
    }
    const order = compareValues(left, right)
    if (order !== 0) return order
  }
  return 0
}

function tooManyGroups(): BlazeError {
  return new BlazeError(
    'TOO_LARGE',
    `groupBy makes at most ${limits.queryGroupsMax} groups: narrow the query down with where, or group by fewer fields`,
    { details: { limit: limits.queryGroupsMax } },
  )
}

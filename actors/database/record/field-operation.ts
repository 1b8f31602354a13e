/**
 * What an application writes in place of a value to have it merged: counters, sets, maxima, minima, and changes of them.
 * Invariant: an operation holds checked copies and is never stored; what it makes of a field depends on that field and its writer alone.
 */
import { assert, BlazeError, copyValue, limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { elementKey, exceeds, originOf, shownOf } from './merge.ts'
import type { Counter, ElementSet, Merge, MergeKind, Origin, SetElement } from './merge.ts'
import { isAbsent, mergedField } from './record.ts'
import type { FieldState, Stamp } from './record.ts'

/** In the order of their numbers in PROTOCOL §12.3. */
export const operationNames = ['counter', 'set', 'max', 'min', 'increment', 'add', 'remove'] as const
export type OperationName = (typeof operationNames)[number]

/** Who writes, in which opening of the store, and when. */
export interface WriteMark {
  readonly stamp: Stamp
  /** 16 bytes. */
  readonly bootId: Uint8Array
}

/** Of a field that nobody has written: what several devices make of it at once begins together, and merges. */
const NEVER: Stamp = { ms: 0, counter: 0, writer: new Uint8Array(8) }

const kinds: Readonly<Record<OperationName, MergeKind>> = {
  counter: 'counter',
  set: 'set',
  max: 'max',
  min: 'min',
  increment: 'counter',
  add: 'set',
  remove: 'set',
}

/** Made by `counter`, `set`, `max`, `min`, `increment`, `add` and `remove`. */
export class FieldOperation {
  readonly name: OperationName
  /** The elements of a set; else one. */
  readonly values: readonly Value[]

  /** `TypeError` for what the operation does not take, `BAD_VALUE` for a value that is none. */
  constructor(name: OperationName, values: readonly unknown[]) {
    this.name = name
    // As a list, because a set is read as one: an element may be nested less deep than a value.
    this.values = copyValue([...values], name, limits.recordCborBytesMax) as Value[]
    const problem = operationProblem(name, this.values)
    if (problem !== undefined) throw new TypeError(`${name}: ${problem}`)
  }

  /** What is shown of a field that was absent before it; undefined when it stays absent. */
  get shown(): Value | undefined {
    return this.name === 'remove' ? undefined : shownOf(this.#begin(''))
  }

  /**
   * What it makes of a field; the field itself when it changes nothing. `BAD_VALUE` for `increment`, `add` and `remove` of a field
   * that holds something else, and for a counter that grows too large.
   */
  applyTo(field: FieldState | undefined, { stamp, bootId }: WriteMark): FieldState | undefined {
    const origin = originOf(stamp.writer, bootId)
    if (field?.merge?.kind === kinds[this.name]) {
      const merge = this.#change(field.merge, origin)
      return merge === undefined ? field : mergedField(merge, field.stamp)
    }
    // An absent field keeps its removal as its beginning, so that it joins what others make of it meanwhile.
    if (isAbsent(field)) {
      return this.name === 'remove' ? field : mergedField(this.#begin(origin), field?.stamp ?? NEVER)
    }
    if (kinds[this.name] !== this.name) throw otherKind(this.name)
    return mergedField(this.#begin(origin), stamp)
  }

  #begin(origin: Origin): Merge {
    switch (this.name) {
      case 'counter':
      case 'increment':
        return { kind: 'counter', entries: new Map([[origin, { n: 1, sum: Number(this.#one) + 0 }]]) }
      case 'max':
      case 'min':
        return { kind: this.name, value: this.#one }
      default:
        return added({ kind: 'set', seen: new Map(), elements: new Map() }, this.values, origin)
    }
  }

  /** Undefined: nothing. */
  #change(merge: Merge, origin: Origin): Merge | undefined {
    switch (merge.kind) {
      case 'counter': {
        const by = BigInt(this.#one as number) - (this.name === 'counter' ? BigInt(totalOf(merge)) : 0n)
        return by === 0n ? undefined : counted(merge, by, origin)
      }
      case 'set':
        return this.#changeSet(merge, origin)
      default:
        assert(merge.kind !== 'large', 'no operation changes a large value')
        return exceeds(merge.kind, this.#one, merge.value) ? { ...merge, value: this.#one } : undefined
    }
  }

  #changeSet(merge: ElementSet, origin: Origin): Merge | undefined {
    if (this.values.length === 0 && this.name !== 'set') return undefined
    // An element that is there is added again, so that this add too wins over removes that have not seen it.
    if (this.name === 'add') return added(merge, this.values, origin)
    const named = new Set(this.values.map(elementKey))
    const isRemoved = (key: string): boolean => named.has(key) === (this.name === 'remove')
    const kept = new Map([...merge.elements].filter(([key]) => !isRemoved(key)))
    const rest = kept.size === merge.elements.size ? merge : { ...merge, elements: kept }
    const missing = this.name === 'set' ? this.values.filter((value) => !kept.has(elementKey(value))) : []
    if (missing.length > 0) return added(rest, missing, origin)
    return rest === merge ? undefined : rest
  }

  get #one(): Value {
    assert(this.values.length === 1, 'an operation on one value has one')
    return this.values[0] as Value
  }
}

/** Why an operation does not take these values, or undefined. */
export function operationProblem(name: OperationName, values: readonly Value[]): string | undefined {
  if (kinds[name] === 'set') return undefined
  const [value] = values
  if (values.length !== 1) return 'expected one value'
  if (kinds[name] !== 'counter') return extremeProblem(value)
  if (typeof value !== 'number' || !Number.isInteger(value)) return 'expected a whole number'
  return Math.abs(value) > limits.counterSumMax ? `expected at most ±${limits.counterSumMax}` : undefined
}

/** Why a value can be no maximum or minimum, or undefined. */
export function extremeProblem(value: Value | undefined): string | undefined {
  if (Number.isNaN(value)) return 'expected no NaN'
  const isOrdered = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string'
  return isOrdered || value instanceof Date ? undefined : 'expected a number, bigint, text or date'
}

function totalOf(counter: Counter): number | bigint {
  return shownOf(counter) as number | bigint
}

function counted(counter: Counter, by: bigint, origin: Origin): Counter {
  const { n, sum } = counter.entries.get(origin) ?? { n: 0, sum: 0 }
  const next = BigInt(sum) + by
  if (next > limits.counterSumMax || next < -limits.counterSumMax) {
    throw new BlazeError('BAD_VALUE', `a counter counts at most ±${limits.counterSumMax} in one opening`)
  }
  return { kind: 'counter', entries: new Map(counter.entries).set(origin, { n: n + 1, sum: Number(next) }) }
}

function added(set: ElementSet, values: readonly Value[], origin: Origin): ElementSet {
  const elements = new Map<string, SetElement>(set.elements)
  let n = set.seen.get(origin) ?? 0
  for (const value of values) {
    n += 1
    // Its earlier adds are seen, so this one stands for them.
    elements.set(elementKey(value), { value, adds: new Map([[origin, n]]) })
  }
  return { kind: 'set', seen: values.length === 0 ? set.seen : new Map(set.seen).set(origin, n), elements }
}

function otherKind(name: OperationName): BlazeError {
  return new BlazeError(
    'BAD_VALUE',
    `${name}: the field holds no ${kinds[name]}; write ${kinds[name]}(…) to make it one`,
    { details: { operation: name } },
  )
}

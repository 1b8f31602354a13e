/**
 * What an application writes in place of a value so that concurrent writes of the field add up instead of replacing each other.
 * Invariant: each throws at once for what it does not take, so that no write fails later for it.
 */
import { FieldOperation } from '../database/index.ts'

/** A counter, at `count`. Of a field that is one: changes it by the difference. Read as a number, beyond 2^53 as a bigint. */
export function counter(count: number = 0): FieldOperation {
  return new FieldOperation('counter', [count])
}

/** Changes a counter, or begins one at `by` where the field is absent. `by` is a whole number, within ±2^50 in sum. */
export function increment(by: number = 1): FieldOperation {
  return new FieldOperation('increment', [by])
}

/** A set of values, each once. Of a field that is one: adds what it lacks and removes what it has besides. Read as an array in order of values. */
export function set(values: Iterable<unknown> = []): FieldOperation {
  return new FieldOperation('set', [...values])
}

/** Adds to a set, or begins one. Wins over a concurrent `remove`. */
export function add(...values: readonly unknown[]): FieldOperation {
  return new FieldOperation('add', values)
}

/** Removes from a set what this device sees in it. */
export function remove(...values: readonly unknown[]): FieldOperation {
  return new FieldOperation('remove', values)
}

/** The greatest of all that is written so: numbers, bigints, texts and dates, in the order of values. */
export function max(value: number | bigint | string | Date): FieldOperation {
  return new FieldOperation('max', [value])
}

/** The least. */
export function min(value: number | bigint | string | Date): FieldOperation {
  return new FieldOperation('min', [value])
}

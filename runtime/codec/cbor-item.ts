/**
 * What CBOR of a body may hold, and the numbers that reader and writer share (RFC 8949 §3).
 * Invariant: nothing is here but names; each refusal is `BAD_VALUE`.
 */
import { BlazeError } from '../errors.ts'
import type { Value } from './value.ts'

/** What an item may be besides a value: the mark of a removed field, at one depth of arrays only. */
export interface CborOptions {
  /** Containers around an `undefined` that is let through; without it none is. */
  readonly undefinedAtDepth?: number
}

export type CborItem = Value | undefined | readonly CborItem[]

/** Upper three bits of an item's first byte. */
export const MAJOR = {
  uint: 0x00,
  negint: 0x20,
  bytes: 0x40,
  text: 0x60,
  array: 0x80,
  map: 0xa0,
  tag: 0xc0,
} as const

/** Whole first bytes. Tag 1 is seconds since the epoch; tag 37 takes a second byte. */
export const FIRST = {
  date: 0xc1,
  tagOfOneByte: 0xd8,
  false: 0xf4,
  true: 0xf5,
  null: 0xf6,
  undefined: 0xf7,
  float16: 0xf9,
  float32: 0xfa,
  float64: 0xfb,
} as const

export const TAG_UUID = 37

export function refuse(problem: string): BlazeError {
  return new BlazeError('BAD_VALUE', problem)
}

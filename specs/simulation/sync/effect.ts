/**
 * What a write of the campaign does, as its oracle sees it. Only shapes.
 * Invariant: an effect says what was asked for, never what the database made of it.
 */

/** A record that many devices write while nobody deletes it; each effect has a field of its own. */
export type SharedEffect =
  /** The device's own field, which only grows. */
  | { readonly kind: 'own'; readonly record: string; readonly field: string; readonly value: number }
  /** A field for which all fight; `over` is what the device saw there. */
  | { readonly kind: 'last'; readonly record: string; readonly token: string; readonly over: string }
  | { readonly kind: 'count'; readonly record: string; readonly by: number }
  | { readonly kind: 'add'; readonly record: string; readonly element: string }
  | { readonly kind: 'remove'; readonly record: string; readonly element: string }
  | { readonly kind: 'max'; readonly record: string; readonly value: number }
  | { readonly kind: 'min'; readonly record: string; readonly value: number }

/** A record with one maker, which anybody may touch or delete and nobody brings back. */
export type NoteEffect =
  | { readonly kind: 'insert'; readonly id: string; readonly text: string }
  | { readonly kind: 'touch'; readonly id: string }
  | { readonly kind: 'delete'; readonly id: string }
  /** Bytes of `length`, all of them `fill`. */
  | { readonly kind: 'bytes'; readonly id: string; readonly length: number; readonly fill: number }

/** A record that dies and comes back; `over` is the token that the same transaction read, or `none`. */
export interface LifeEffect {
  readonly kind: 'life'
  readonly id: string
  readonly action: 'write' | 'delete'
  readonly token: string
  readonly over: string
}

/** Counters of two accounts, changed in one transaction so that the sum of all stays what it was. */
export interface TransferEffect {
  readonly kind: 'transfer'
  readonly from: string
  readonly to: string
  readonly by: number
}

/** Two records of one device, both given the same value in one transaction. */
export interface PairEffect {
  readonly kind: 'pair'
  readonly pair: string
  readonly value: number
}

export type Effect = SharedEffect | NoteEffect | LifeEffect | TransferEffect | PairEffect

/** A record as it was shown, without any type of the database: bytes are `bytes:LENGTH:SUM`, or `partial:LENGTH`. */
export type ShownRecord = Readonly<Record<string, ShownValue>>

/** What records of the campaign hold. */
export type ShownValue = string | number | boolean | undefined | readonly ShownValue[]

/** All records that a device showed at one moment, by collection and id. */
export type Shown = ReadonlyMap<string, ReadonlyMap<string, ShownRecord>>

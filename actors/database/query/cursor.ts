/**
 * Cursors: a place in the order of a query, as a text that applications keep and send around.
 * Invariant: a text that is taken names its collection and order, so that it serves no query of another order.
 */
import { BlazeError, decodeCbor, encodeCbor, limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { orderWords } from '../query.ts'
import type { Order, Place } from '../query.ts'

export interface Cursor {
  readonly collection: string
  readonly order: readonly Order[]
  readonly place: Place
}

const VERSION = 1

export function encodeCursor({ collection, order, place }: Cursor): string {
  const names = order.map(({ field, direction }) => [field, direction === 'desc'])
  // A list for each value, for an absent one has to be told from null.
  const values = place.values.map((value) => (value === undefined ? [] : [value]))
  return Buffer.from(encodeCbor([VERSION, collection, names, values, place.id])).toString('base64url')
}

/** `TypeError` for a text that no query returned. */
export function decodeCursor(text: unknown): Cursor {
  if (typeof text !== 'string') throw new TypeError(`cursor: expected the text that page() returned`)
  if (text.length > limits.queryCursorCharsMax) throw notOurs('it is too long')
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw notOurs('it is not base64url')
  return parseCursor(decode(bytes))
}

/** Why the cursor cannot serve a query of this collection and order, or undefined. */
export function cursorProblem(
  cursor: Cursor,
  collection: string,
  order: readonly Order[],
): string | undefined {
  if (cursor.collection !== collection) {
    return `cursor: it was made by a query of the collection ${cursor.collection}, this one is of ${collection}`
  }
  const [made, now] = [orderWords(cursor.order), orderWords(order)]
  return made === now
    ? undefined
    : `cursor: it was made in the order ${made}, this query is in the order ${now}`
}

function decode(bytes: Uint8Array): unknown {
  try {
    return decodeCbor(bytes)
  } catch (cause) {
    if (cause instanceof BlazeError && cause.code === 'BAD_VALUE') throw notOurs('its content', cause)
    throw cause
  }
}

function parseCursor(input: unknown): Cursor {
  if (!Array.isArray(input) || input.length !== 5 || input[0] !== VERSION) throw notOurs('its content')
  const [, collection, names, values, id] = input as unknown[]
  if (typeof collection !== 'string' || typeof id !== 'string') throw notOurs('its content')
  if (!Array.isArray(names) || !Array.isArray(values) || names.length !== values.length + 1) {
    throw notOurs('its content')
  }
  if (names.length > limits.queryFieldsMax + 1) throw notOurs('its content')
  return { collection, order: names.map(parseOrder), place: { values: values.map(parseOptional), id } }
}

function parseOrder(input: unknown): Order {
  if (!Array.isArray(input) || input.length !== 2) throw notOurs('its content')
  const [field, desc] = input as unknown[]
  if (typeof field !== 'string' || typeof desc !== 'boolean') throw notOurs('its content')
  return { field, direction: desc ? 'desc' : 'asc' }
}

function parseOptional(input: unknown): Value | undefined {
  if (!Array.isArray(input) || input.length > 1) throw notOurs('its content')
  return input[0] as Value | undefined
}

function notOurs(problem: string, cause?: unknown): TypeError {
  return new TypeError(`cursor: expected the text that page() returned, unchanged (${problem})`, { cause })
}

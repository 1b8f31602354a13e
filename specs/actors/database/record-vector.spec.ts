/**
 * Frozen bytes of PROTOCOL §2 (specs/vectors/record.json): bodies of records with every kind of value and of field.
 * `REWRITE=1` writes the file anew; the difference is then read by a person, because every change of it is a change of the format.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, counter, increment, max, min, remove, set } from '../../../actors/client/merge-operation.ts'
import {
  createTick,
  deleteFrom,
  insertInto,
  updateInto,
} from '../../../actors/database/record/record-change.ts'
import type { FieldInput } from '../../../actors/database/record/record-change.ts'
import { decodeBody, encodeBody } from '../../../actors/database/record/record-body.ts'
import { LargeReference } from '../../../actors/database/record/partial-bytes.ts'
import { equalRecords, joinRecords } from '../../../actors/database/record/record.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { fromHex, nodeCrypto, toHex, Uuid } from '../../../runtime/index.ts'

const path = fileURLToPath(new URL('../../vectors/record.json', import.meta.url))
const name = { collection: 'posts', id: 'p' }
const mapOf = (inputs: Record<string, FieldInput>): Map<string, FieldInput> => new Map(Object.entries(inputs))
const tick = (writer: number, ms: number) =>
  createTick(new Uint8Array(16).fill(writer + 16), () => ({
    ms,
    counter: 1,
    writer: new Uint8Array(8).fill(writer),
  }))

function build(): Record<string, RecordState> {
  const values = insertInto(
    undefined,
    name,
    mapOf({
      none: null,
      yes: true,
      whole: -500,
      double: 0.1,
      zero: -0,
      large: 2n ** 63n - 1n,
      text: 'é',
      bytes: Uint8Array.of(1, 2),
      date: new Date(1500),
      uuid: new Uuid(new Uint8Array(16).fill(9)),
      list: [1, ['x']],
      map: JSON.parse('{"b":1,"__proto__":2}') as FieldInput,
    }),
    tick(1, 1000),
  )
  const begun = { n: counter(5), tags: set(['x', 'y']), top: max(3), low: min('m') }
  const one = insertInto(undefined, name, mapOf({ ...begun, plain: 1 }), tick(1, 1000))
  const two = updateInto(one, name, mapOf({ n: increment(-2), tags: remove('x'), plain: 2 }), tick(1, 2000))
  const other = updateInto(
    one,
    name,
    mapOf({ n: increment(7), tags: add('x', 2), top: max(4) }),
    tick(2, 1500),
  )
  const merged = joinRecords(two, other, nodeCrypto)
  const removed = updateInto(merged, name, mapOf({ n: undefined, low: 'plain' }), tick(2, 3000))
  const deleted = deleteFrom(merged, tick(2, 4000))
  const blob = { blob: new Uint8Array(16).fill(3), bytes: 100_000, root: new Uint8Array(32).fill(4) }
  const reference = new LargeReference({ kind: 'large', ...blob })
  const large = updateInto(one, name, new Map([['plain', reference]]), tick(1, 5000))
  assert.ok(deleted !== undefined)
  return { values, one, two, other, merged, removed, deleted, versioned: { ...one, schema: 2 }, large }
}

test('bodies of records are the frozen ones, and read as what they were made of', () => {
  const states = build()
  const made = Object.fromEntries(
    Object.entries(states).map(([key, state]) => [key, toHex(encodeBody(state))]),
  )
  if (process.env['REWRITE'] === '1' || !existsSync(path)) {
    writeFileSync(path, `${JSON.stringify(made, null, 2)}\n`)
  }
  const frozen = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>

  assert.equal(made, frozen)
  for (const [key, state] of Object.entries(states)) {
    const header = { life: state.life, deleted: state.deleted !== undefined }
    const back = decodeBody(fromHex(frozen[key] ?? ''), header)
    assert.ok(equalRecords(back, state, nodeCrypto), key)
    for (const [field, { value }] of state.fields) assert.equal(back.fields.get(field)?.value, value, field)
  }
})

test('the frozen siblings join to the frozen whole', () => {
  const { two, other, merged } = build()

  assert.is(
    toHex(encodeBody(joinRecords(other as RecordState, two as RecordState, nodeCrypto))),
    toHex(encodeBody(merged as RecordState)),
  )
})

test.run()

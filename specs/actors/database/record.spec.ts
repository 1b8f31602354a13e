/** The join of record versions is a join, and deletes and lives win as REPLICATION rule 4 says. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { equalRecords, joinRecords } from '../../../actors/database/record/record.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { decodeBody, encodeBody, padmeLength } from '../../../actors/database/record/record-body.ts'
import { BlazeError, encodeCbor, equalValue, limits, nodeCrypto, toHex } from '../../../runtime/index.ts'
import { arbitraryRecord } from './arbitrary-record.ts'

const join = (a: RecordState, b: RecordState): RecordState => joinRecords(a, b, nodeCrypto)
const bytes = (state: RecordState): string => `${state.life} ${toHex(encodeBody(state))}`
const writer = new Uint8Array(8).fill(7)

function record(change: Partial<RecordState>): RecordState {
  return { collection: 'c', id: 'i', home: null, life: 1, deleted: undefined, fields: new Map(), ...change }
}

test('joining is commutative, associative and idempotent to the byte', () => {
  fc.assert(
    fc.property(arbitraryRecord, arbitraryRecord, arbitraryRecord, (a, b, c) => {
      assert.is(bytes(join(a, b)), bytes(join(b, a)))
      assert.is(bytes(join(join(a, b), c)), bytes(join(a, join(b, c))))
      assert.is(bytes(join(a, a)), bytes(a))
    }),
    { numRuns: 1500 },
  )
})

test('a join changes nothing exactly when the versions say so', () => {
  fc.assert(
    fc.property(arbitraryRecord, arbitraryRecord, (a, b) => {
      assert.is(equalRecords(join(a, b), a, nodeCrypto), bytes(join(a, b)) === bytes(a))
    }),
    { numRuns: 1500 },
  )
})

test('a delete wins over every write of its life, and the next life wins over the delete', () => {
  const early = { ms: 1, counter: 0, writer }
  const late = { ms: 9, counter: 0, writer }
  const written = record({ fields: new Map([['a', { value: 1, stamp: late }]]) })
  const deleted = record({ deleted: early })
  const restored = record({ life: 2, fields: new Map([['a', { value: 2, stamp: early }]]) })

  assert.is(join(written, deleted).deleted, early)
  assert.is(join(join(written, deleted), restored).fields.get('a')?.value, 2)
})

test('fields merge one by one, the later write of each', () => {
  const at = (ms: number, value: number) => ({ value, stamp: { ms, counter: 0, writer } })
  const a = record({
    fields: new Map([
      ['x', at(1, 1)],
      ['y', at(5, 5)],
    ]),
  })
  const b = record({
    fields: new Map([
      ['x', at(2, 2)],
      ['y', at(4, 4)],
      ['z', at(1, 1)],
    ]),
  })

  const fields = join(a, b).fields

  assert.equal(
    ['x', 'y', 'z'].map((name) => [name, fields.get(name)?.value]),
    [
      ['x', 2],
      ['y', 5],
      ['z', 1],
    ],
  )
})

test('a body survives encoding and decoding exactly', () => {
  fc.assert(
    fc.property(arbitraryRecord, (state) => {
      const plain = encodeBody(state)
      const back = decodeBody(plain, { life: state.life, deleted: state.deleted !== undefined })

      assert.is(bytes(back), bytes(state))
      for (const [name, { value }] of state.fields) {
        const other = back.fields.get(name)?.value
        assert.ok(value === undefined ? other === undefined : other !== undefined && equalValue(other, value))
      }
    }),
    { numRuns: 1000 },
  )
})

test('bodies are padded to PADMÉ lengths, and the largest record fits one envelope', () => {
  assert.equal([9, 10, 100, 1000, 1025, 63_488].map(padmeLength), [10, 10, 104, 1024, 1088, 63_488])
  const overhead =
    encodeCbor(['c', 'i', null, [[1, 0, writer]], ['f', 0, new Uint8Array(60_000)]]).length - 60_000
  const sized = (size: number): RecordState =>
    record({
      fields: new Map([
        ['f', { value: new Uint8Array(size - overhead), stamp: { ms: 1, counter: 0, writer } }],
      ]),
    })

  assert.is(encodeBody(sized(limits.recordCborBytesMax)).length, 63_488)
  assert.throws(
    () => encodeBody(sized(limits.recordCborBytesMax + 1)),
    (error: unknown) => error instanceof BlazeError && error.code === 'TOO_LARGE',
  )
})

test('a body that is not exactly what encoding makes is refused', () => {
  const good = record({
    fields: new Map([['a', { value: 'x'.repeat(70), stamp: { ms: 1, counter: 0, writer } }]]),
  })
  const rows: Record<string, unknown> = {
    'four items': ['c', 'i', null, []],
    'empty collection': ['', 'i', null, [], []],
    'long id': ['c', 'i'.repeat(256), null, [], []],
    'short home': ['c', 'i', new Uint8Array(15), [], []],
    'stamp without counter': ['c', 'i', null, [[1, writer]], []],
    'stamp of the future of numbers': ['c', 'i', null, [[2 ** 48, 0, writer]], []],
    'counter too large': ['c', 'i', null, [[1, 65_536, writer]], []],
    'short writer': ['c', 'i', null, [[1, 0, new Uint8Array(7)]], []],
    'fields in disorder': ['c', 'i', null, [[1, 0, writer]], ['b', 0, 1, 'a', 0, 1]],
    'a field twice': ['c', 'i', null, [[1, 0, writer]], ['a', 0, 1, 'a', 0, 1]],
    'a field id': ['c', 'i', null, [[1, 0, writer]], ['id', 0, 1]],
    'an unknown stamp': ['c', 'i', null, [[1, 0, writer]], ['a', 1, 1]],
    'a map of fields': ['c', 'i', null, [[1, 0, writer]], { a: 1 }],
    'a half field': ['c', 'i', null, [[1, 0, writer]], ['a', 0]],
  }
  const refused = (plain: Uint8Array, deleted = false): boolean => {
    try {
      decodeBody(plain, { life: 1, deleted })
      return false
    } catch (error) {
      return error instanceof BlazeError && error.code === 'BAD_VALUE'
    }
  }
  for (const [name, item] of Object.entries(rows)) assert.ok(refused(pad(encodeCbor(item as never))), name)
  const plain = encodeBody(good)
  assert.not(refused(plain))
  assert.ok(refused(plain, true), 'a deletion with fields')
  assert.ok(refused(plain.subarray(0, plain.length - 1)), 'padding cut off')
  assert.ok(refused(Uint8Array.of(...plain, 0)), 'too much padding')
  const dirty = plain.slice()
  dirty[dirty.length - 1] = 1
  assert.ok(refused(dirty), 'padding that is not zero')
})

function pad(cbor: Uint8Array): Uint8Array {
  const plain = new Uint8Array(padmeLength(4 + cbor.length))
  new DataView(plain.buffer).setUint32(0, cbor.length)
  plain.set(cbor, 4)
  return plain
}

test.run()

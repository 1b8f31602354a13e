/** Bytes of the mirror messages of PROTOCOL §12: they survive, and what the tables do not allow is refused. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { equalRecords } from '../../../../actors/database/record/record.ts'
import { sameInput } from '../../../../actors/database/index.ts'
import type { RecordInput } from '../../../../actors/database/index.ts'
import {
  encodeAttach,
  encodeAttached,
  encodeChanges,
  encodeItem,
  encodeMirrorAnswer,
  encodeMirrorWrite,
  parseAttach,
  parseAttached,
  parseChanges,
  parseMirrorAnswer,
  parseMirrorWrite,
} from '../../../../actors/topology/mirror/index.ts'
import type { MirrorWrite } from '../../../../actors/topology/mirror/index.ts'
import {
  ByteWriter,
  concatBytes,
  encodeCbor,
  equalValue,
  limits,
  nodeCrypto,
} from '../../../../runtime/index.ts'
import type { Value } from '../../../../runtime/index.ts'
import { arbitraryRecord } from '../../database/arbitrary-record.ts'
import { codeOf } from '../../../fixtures/code-of.ts'
import { arbitraryValue } from '../../../runtime/codec/arbitrary-value.ts'
import {
  attach,
  attached,
  changesHead,
  count,
  deletion,
  items,
  messages,
  record,
  write,
} from './mirror-sample.ts'

const refused = (parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array, message?: string): void =>
  assert.is(
    codeOf(() => parse(bytes)),
    'PROTOCOL_VIOLATION',
    message,
  )

/** A copy of `bytes` with some of them replaced. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice()
  copy.set(values, at)
  return copy
}

test('attach and attached survive their bytes, with and without a cursor', () => {
  const fresh = { ...attach, mode: 'readOnly' as const, cursor: undefined }
  const other = { ...attached, full: false, readOnly: true }

  assert.equal(parseAttach(encodeAttach(attach)), attach)
  assert.equal(parseAttach(encodeAttach(fresh)), fresh)
  assert.equal(parseAttached(encodeAttached(attached)), attached)
  assert.equal(parseAttached(encodeAttached(other)), other)
})

test('changes survive their bytes in order', () => {
  assert.equal(parseChanges(encodeChanges(changesHead, items.map(encodeItem))), { ...changesHead, items })
  const none = { caughtUp: false, upTo: 5, cursor: 0 }
  assert.equal(parseChanges(encodeChanges(none, [])), { ...none, items: [] })
})

test('every living record survives in an item', () => {
  fc.assert(
    fc.property(arbitraryRecord, (made) => {
      const state = { ...made, deleted: undefined }
      const item = encodeItem({ kind: 'record', tag: count(16, 1), state })

      const [back] = parseChanges(encodeChanges(changesHead, [item])).items

      assert.ok(back?.kind === 'record')
      assert.ok(equalRecords(back.state, state, nodeCrypto))
      for (const [name, { value }] of state.fields) {
        const found = back.state.fields.get(name)?.value
        assert.ok(value === undefined ? found === undefined : found !== undefined && equalValue(found, value))
      }
    }),
    { numRuns: 500 },
  )
})

test('every write survives its bytes', () => {
  const values = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 5 }).filter((name) => name !== 'id'),
    fc.option(arbitraryValue, { nil: undefined }),
    { maxKeys: 4 },
  )
  const inputs = fc.uniqueArray(
    fc.record({
      id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      values: values.map((made): RecordInput['values'] => new Map(Object.entries(made))),
    }),
    { minLength: 1, maxLength: 4, selector: ({ id }) => id },
  )
  const step = fc.constantFrom('insert' as const, 'put' as const, 'update' as const, 'restore' as const)

  fc.assert(
    fc.property(step, inputs, (one, made) => {
      const back = parseMirrorWrite(encodeMirrorWrite({ step: one, collection: 'bugs', inputs: made }))

      assert.is(back.step, one)
      assert.equal(
        back.inputs.map(({ id }) => id),
        made.map(({ id }) => id),
      )
      for (const [at, input] of made.entries()) assert.ok(sameValues(input, back.inputs[at]))
    }),
    { numRuns: 500 },
  )
  assert.equal(parseMirrorWrite(encodeMirrorWrite(deletion)), deletion)
  assert.equal(parseMirrorWrite(encodeMirrorWrite(write)).inputs.length, 2)
})

test('an answer survives its bytes', () => {
  for (const answer of [
    { arrival: 0, existed: false, hidden: [] },
    {
      arrival: 2 ** 48 - 1,
      existed: true,
      hidden: [
        { index: 0, tag: new Uint8Array(16).fill(1), life: 1 },
        { index: 255, tag: new Uint8Array(16).fill(2), life: 2 ** 48 - 1 },
      ],
    },
  ]) {
    assert.equal(parseMirrorAnswer(encodeMirrorAnswer(answer)), answer)
  }
})

test('every truncation and every extension of a message is refused', () => {
  for (const { name, bytes, parse } of messages) {
    for (let length = 0; length < bytes.length; length += 1) {
      // Changes that are cut between two items are shorter changes.
      const whole = name === 'changes' && itemEnds().includes(length)
      assert.is(
        codeOf(() => parse(bytes.subarray(0, length))),
        whole ? 'ok' : 'PROTOCOL_VIOLATION',
        `${name} ${length}`,
      )
    }
    refused(parse, concatBytes([bytes, Uint8Array.of(0)]), name)
  }
})

test('what was parsed shares no bytes with the message', () => {
  for (const { name, bytes, parse } of messages) {
    const message = bytes.slice()
    const parsed = parse(message)
    message.fill(0)
    assert.equal(parsed, parse(bytes), name)
  }
})

test('attach: a mode, a mark or a name outside the table is refused, and unknown features are not', () => {
  const bytes = encodeAttach(attach)

  refused(parseAttach, patched(bytes, 4, 0))
  refused(parseAttach, patched(bytes, 4, 3))
  refused(parseAttach, patched(bytes, 15, 2), 'cursor mark')
  refused(parseAttach, patched(bytes, 10, 0xff), 'ill-formed text')
  refused(parseAttach, encodeAttach({ ...attach, database: '' }))
  assert.equal(parseAttach(patched(bytes, 0, 1, 2, 3, 4)), attach)
})

test('attached: flags, and collections that are none, reserved or named twice, are refused', () => {
  const bytes = encodeAttached(attached)

  assert.is(bytes[70], 1, 'flags stand there')
  refused(parseAttached, patched(bytes, 70, 4))
  for (const collections of [[], ['~own'], ['bugs', 'bugs'], ['']]) {
    refused(parseAttached, encodeAttached({ ...attached, collections }), String(collections))
  }
  refused(parseAttached, encodeAttached({ ...attached, collections: ['x'.repeat(129)] }))
})

test('changes: flags, kinds, lives and a cursor ahead are refused', () => {
  const bytes = encodeChanges(changesHead, items.map(encodeItem))

  refused(parseChanges, patched(bytes, 0, 2))
  refused(parseChanges, patched(bytes, 12, 78), 'cursor 78 of 77')
  refused(parseChanges, patched(bytes, 13, 0))
  refused(parseChanges, patched(bytes, 13, 4))
  refused(parseChanges, patched(bytes, 30, 0, 0, 0, 0, 0, 0), 'life 0')
  refused(parseChanges, patched(bytes, 30, 255), 'life beyond all')
})

test('changes: a record that is none is refused with the same code', () => {
  const item = (cbor: Uint8Array, length = cbor.length): Uint8Array =>
    new ByteWriter().u8(1).bytes(count(16, 0)).u48(1).u32(length).bytes(cbor).finish()
  const parse = (bytes: Uint8Array): unknown =>
    parseChanges(concatBytes([encodeChanges(changesHead, []), bytes]))
  const row = (collection: string, id: string, home: Uint8Array | null = null): Uint8Array =>
    encodeCbor([collection, id, home, [], []])

  assert.is(
    codeOf(() => parse(item(row('bugs', 'a')))),
    'ok',
  )
  refused(parse, item(row('~own', 'a')), 'reserved collection')
  refused(parse, item(row('', 'a')))
  refused(parse, item(row('bugs', '')))
  refused(parse, item(row('bugs', 'x'.repeat(256))))
  refused(parse, item(row('bugs', 'a', count(15, 0))))
  refused(parse, item(encodeCbor([])))
  refused(parse, item(encodeCbor(['bugs', 'a', null, [], ['x', 0, 1]])), 'a stamp that is not there')
  refused(parse, item(Uint8Array.of(0xff)))
  refused(parse, item(concatBytes([row('bugs', 'a'), Uint8Array.of(0)])), 'bytes after the record')
  refused(parse, item(nested(limits.cborDepthMax + 1)))
  refused(parse, item(row('bugs', 'a'), 0xffff_ffff))
  refused(parse, item(new Uint8Array(limits.recordCborBytesMax + 1)))
})

test('changes: more than 256 items, or several beyond 256 KiB, are refused and never made', () => {
  const gone = encodeItem({ kind: 'deleted', tag: count(16, 0) })
  const head = encodeChanges(changesHead, [])
  const many = (n: number): Uint8Array[] => Array.from({ length: n }, () => gone)
  const large = encodeItem({ kind: 'record', tag: count(16, 0), state: largeRecord() })

  assert.is(parseChanges(concatBytes([head, ...many(256)])).items.length, 256)
  refused(parseChanges, concatBytes([head, ...many(257)]))
  assert.ok(large.length > 60_000)
  assert.is(parseChanges(encodeChanges(changesHead, [large, large, large, large])).items.length, 4)
  refused(parseChanges, concatBytes([head, large, large, large, large, large]))
  assert.throws(() => encodeChanges(changesHead, many(257)))
  assert.throws(() => encodeChanges(changesHead, [large, large, large, large, large]))
  assert.throws(() => encodeChanges({ ...changesHead, cursor: 78 }, []))
  assert.throws(() =>
    encodeItem({ kind: 'record', tag: count(16, 0), state: { ...record, deleted: stampOf() } }),
  )
})

test('a write outside the table is refused', () => {
  const raw = (
    step: number,
    collection: string,
    rows: readonly (readonly [string, Uint8Array])[],
    n = rows.length,
  ): Uint8Array => {
    const name = new TextEncoder().encode(collection)
    const writer = new ByteWriter().u8(step).u8(name.length).bytes(name).u16(n)
    for (const [id, cbor] of rows) {
      const bytes = new TextEncoder().encode(id)
      writer.u8(bytes.length).bytes(bytes).u32(cbor.length).bytes(cbor)
    }
    return writer.finish()
  }
  const values = encodeCbor(['title', 'x'])
  const none = encodeCbor([])

  assert.is(
    codeOf(() =>
      parseMirrorWrite(
        raw(1, 'bugs', [
          ['a', values],
          ['b', none],
        ]),
      ),
    ),
    'ok',
  )
  assert.is(
    codeOf(() => parseMirrorWrite(raw(5, 'bugs', [['a', none]]))),
    'ok',
  )
  refused(parseMirrorWrite, raw(0, 'bugs', [['a', values]]))
  refused(parseMirrorWrite, raw(6, 'bugs', [['a', values]]))
  refused(parseMirrorWrite, raw(1, '~own', [['a', values]]))
  refused(parseMirrorWrite, raw(1, '', [['a', values]]))
  refused(parseMirrorWrite, raw(1, 'bugs', []))
  refused(parseMirrorWrite, raw(1, 'bugs', [['', values]]))
  refused(
    parseMirrorWrite,
    raw(1, 'bugs', [
      ['a', values],
      ['a', values],
    ]),
    'an id twice',
  )
  refused(parseMirrorWrite, raw(1, 'bugs', [['a', values]], 2), 'a count that is too high')
  refused(parseMirrorWrite, raw(5, 'bugs', [['a', values]]), 'a delete with values')
  refused(
    parseMirrorWrite,
    raw(5, 'bugs', [
      ['a', none],
      ['b', none],
    ]),
    'a delete of two',
  )
  const rows = Array.from({ length: 257 }, (_, at) => [`${at}`, none] as const)
  assert.is(
    codeOf(() => parseMirrorWrite(raw(1, 'bugs', rows.slice(1)))),
    'ok',
  )
  refused(parseMirrorWrite, raw(1, 'bugs', rows))
  const cbors: [Uint8Array, string][] = [
    [encodeCbor({ title: 'x' }), 'a map'],
    [encodeCbor(['title']), 'a name without a value'],
    [encodeCbor([1, 'x']), 'a name that is no text'],
    [encodeCbor(['id', 'x']), 'the id as a field'],
    [encodeCbor(['', 'x']), 'an empty name'],
    [encodeCbor(['a', 1, 'a', 2]), 'a name twice'],
    [Uint8Array.of(0x82, 0x61, 0x61, 0x81, 0xf7), 'undefined inside a value'],
    [Uint8Array.of(0x82, 0x61, 0x61, 0xc0, 0x61, 0x61), 'a foreign tag'],
    [Uint8Array.of(0x9f, 0xff), 'an indefinite array'],
    [nested(limits.cborDepthMax + 1), 'a deep value'],
    [encodeCbor(['a', 'x'.repeat(limits.recordCborBytesMax)]), 'a record that is too long'],
  ]
  for (const [cbor, what] of cbors) refused(parseMirrorWrite, raw(1, 'bugs', [['a', cbor]]), what)
})

test('a write that does not fit is refused where it is made', () => {
  const text = (length: number): RecordInput['values'] =>
    new Map<string, Value>([['text', 'x'.repeat(length)]])
  const insert = (inputs: readonly RecordInput[]): MirrorWrite => ({
    step: 'insert',
    collection: 'bugs',
    inputs,
  })

  assert.is(
    codeOf(() => encodeMirrorWrite(insert([{ id: 'a', values: text(limits.recordCborBytesMax) }]))),
    'TOO_LARGE',
  )
  const many = Array.from({ length: 17 }, (_, at) => ({ id: `${at}`, values: text(63_000) }))
  assert.is(
    codeOf(() => encodeMirrorWrite(insert(many))),
    'TOO_LARGE',
  )
  assert.is(
    codeOf(() => encodeMirrorWrite(insert(many.slice(1)))),
    'ok',
  )
})

test('an answer outside the table is refused', () => {
  const hidden = [3, 4].map((index) => ({ index, tag: new Uint8Array(16), life: 1 }))
  const answer = encodeMirrorAnswer({ arrival: 1, existed: true, hidden })

  refused(parseMirrorAnswer, patched(answer, 6, 2))
  refused(parseMirrorAnswer, patched(answer, 7, 1), 'more than 256')
  refused(parseMirrorAnswer, patched(answer, 10, 4), 'not in order')
  refused(parseMirrorAnswer, patched(answer, 9, 1), 'an index that no write has')
  refused(parseMirrorAnswer, patched(answer, 32, 0), 'life 0')
})

test.run()

function sameValues(a: RecordInput, b: RecordInput | undefined): boolean {
  return (
    b !== undefined &&
    a.values.size === b.values.size &&
    [...a.values].every(([name, value]) => {
      const found = b.values.get(name)
      return sameInput(value, found)
    })
  )
}

/** Lengths at which the sample of changes may end. */
function itemEnds(): number[] {
  let end = encodeChanges(changesHead, []).length
  const ends = [end]
  for (const item of items) ends.push((end += encodeItem(item).length))
  return ends
}

/** CBOR of arrays within one another. */
function nested(depth: number): Uint8Array {
  return concatBytes([new Uint8Array(depth).fill(0x81), Uint8Array.of(0x01)])
}

function largeRecord(): typeof record {
  return { ...record, fields: new Map([['text', { value: 'x'.repeat(63_000), stamp: stampOf() }]]) }
}

function stampOf(): { ms: number; counter: number; writer: Uint8Array } {
  return { ms: 1, counter: 0, writer: count(8, 0) }
}

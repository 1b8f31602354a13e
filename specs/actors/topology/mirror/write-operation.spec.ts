/** Operations in the writes of guests: they cross as they are, and nothing crosses that is none. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FieldOperation } from '../../../../actors/database/index.ts'
import { encodeMirrorWrite, parseMirrorWrite } from '../../../../actors/topology/mirror/index.ts'
import { ByteWriter, encodeCbor, equalValue } from '../../../../runtime/index.ts'
import { arbitraryValue } from '../../../runtime/codec/arbitrary-value.ts'
import { codeOf } from '../../../fixtures/code-of.ts'

test('every operation survives its bytes', () => {
  const operation = fc.oneof(
    fc
      .tuple(fc.constantFrom('counter', 'increment', 'max', 'min'), fc.integer())
      .map(([name, value]) => new FieldOperation(name, [value])),
    fc
      .tuple(fc.constantFrom('set', 'add', 'remove'), fc.array(arbitraryValue, { maxLength: 3 }))
      .map(([name, elements]) => new FieldOperation(name, elements)),
  )

  fc.assert(
    fc.property(operation, (made) => {
      const inputs = [{ id: 'x', values: new Map([['f', made]]) }]

      const back = parseMirrorWrite(encodeMirrorWrite({ step: 'update', collection: 'bugs', inputs }))

      const found = back.inputs[0]?.values.get('f')
      assert.instance(found, FieldOperation)
      assert.is((found as FieldOperation).name, made.name)
      assert.ok(equalValue([...(found as FieldOperation).values], [...made.values]))
    }),
    { numRuns: 500 },
  )
})

test('what is no operation is refused', () => {
  const parse = (cbor: Uint8Array) => parseMirrorWrite(raw(cbor))
  const rows: readonly (readonly [Uint8Array, string])[] = [
    [encodeCbor([['a', 8], [1]]), 'an unknown operation'],
    [encodeCbor([['a', 0], [1]]), 'operation zero'],
    [encodeCbor([['a', 'set'], [1]]), 'an operation by its name'],
    [encodeCbor([['a'], [1]]), 'an operation without a number'],
    [encodeCbor([['a', 2, 2], [1]]), 'an operation of three parts'],
    [encodeCbor([['id', 2], [1]]), 'an operation on the id'],
    [encodeCbor([['a', 2], 1]), 'an operation without a list'],
    [
      encodeCbor([
        ['a', 5],
        [1, 1],
      ]),
      'an increment by two numbers',
    ],
    [encodeCbor([['a', 5], ['1']]), 'an increment by a text'],
    [encodeCbor([['a', 3], [null]]), 'a maximum of null'],
  ]

  assert.is(
    codeOf(() => parse(encodeCbor([['a', 5], [1]]))),
    'ok',
  )
  for (const [cbor, what] of rows)
    assert.is(
      codeOf(() => parse(cbor)),
      'PROTOCOL_VIOLATION',
      what,
    )
})

/** An insert of one record. */
function raw(cbor: Uint8Array): Uint8Array {
  const writer = new ByteWriter(64).u8(1)
  for (const name of ['bugs', 'x']) {
    const bytes = new TextEncoder().encode(name)
    writer.u8(bytes.length).bytes(bytes)
    if (name === 'bugs') writer.u16(1)
  }
  return writer.u32(cbor.length).bytes(cbor).finish()
}

test.run()

/** Values as JSON: nothing is lost, nothing is guessed. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatTagged, parseTagged } from '../../../actors/database/moving/tagged-json.ts'
import type { Json } from '../../../actors/database/moving/tagged-json.ts'
import { BlazeError, equalValue, setOwn, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { arbitraryValue } from '../../runtime/codec/arbitrary-value.ts'

const through = (value: Value): Value => parseTagged(JSON.parse(JSON.stringify(formatTagged(value))) as Json)

test('any value comes back from its JSON as it was', () => {
  const tagLike = fc.dictionary(
    fc.constantFrom('$bytes', '$map', '$number', '$x', '$', '__proto__', 'constructor'),
    arbitraryValue,
    { maxKeys: 2 },
  )
  fc.assert(
    fc.property(fc.oneof(arbitraryValue, tagLike), (value) => {
      assert.ok(equalValue(through(value as Value), value as Value))
    }),
    { numRuns: 2_000 },
  )
})

test('each type has the form that the document names', () => {
  const map: { [name: string]: Value } = {}
  setOwn(map, '__proto__', 1)
  const rows: [Value, string][] = [
    [null, 'null'],
    [true, 'true'],
    [1.5, '1.5'],
    [-0, '{"$number":"-0"}'],
    [NaN, '{"$number":"NaN"}'],
    [Infinity, '{"$number":"Infinity"}'],
    [-Infinity, '{"$number":"-Infinity"}'],
    [2n ** 60n, '{"$bigint":"1152921504606846976"}'],
    [2 ** 60, '{"$number":"1152921504606847000"}'],
    [-(2 ** 53), '{"$number":"-9007199254740992"}'],
    [1e21, '{"$number":"1e+21"}'],
    [2 ** 53 - 1, '9007199254740991'],
    ['é\n', '"é\\n"'],
    [new Uint8Array([1, 2, 255]), '{"$bytes":"AQL/"}'],
    [new Uint8Array(0), '{"$bytes":""}'],
    [new Date(1_700_000_000_123), '{"$date":"2023-11-14T22:13:20.123Z"}'],
    [new Date(-1e14), '{"$date":"-001199-02-15T14:13:20.000Z"}'],
    [Uuid.parse('01890a5d-ac96-774b-bcce-b302099a8057'), '{"$uuid":"01890a5d-ac96-774b-bcce-b302099a8057"}'],
    [[1, [NaN]], '[1,[{"$number":"NaN"}]]'],
    [{ a: -0, $b: 1 }, '{"a":{"$number":"-0"},"$b":1}'],
    [{ $date: 'mine' }, '{"$map":{"$date":"mine"}}'],
    [{ $map: { $map: 1 } }, '{"$map":{"$map":{"$map":{"$map":1}}}}'],
    [map, '{"__proto__":1}'],
  ]
  for (const [value, json] of rows) {
    assert.is(JSON.stringify(formatTagged(value)), json)
    assert.ok(equalValue(through(value), value), json)
  }
})

test('a tag that stands for nothing is BAD_VALUE', () => {
  const wrong: Json[] = [
    { $bytes: 'AQ' },
    { $bytes: '*' },
    { $bytes: 1 },
    { $date: '2023-11-14' },
    { $date: 'yesterday' },
    { $uuid: 'x' },
    { $bigint: '1.5' },
    { $bigint: '1'.repeat(1_000) },
    { $number: '1' },
    { $number: '9007199254740993' },
    { $number: '1152921504606846976' },
    { $map: 1 },
    { $map: [1] },
    { $other: 'x' },
    { $: null },
    [{ a: { $bytes: 7 } }],
  ]
  for (const json of wrong) {
    assert.throws(
      () => parseTagged(json),
      (error: unknown) => error instanceof BlazeError && error.code === 'BAD_VALUE',
      JSON.stringify(json).slice(0, 60),
    )
  }
})

test('what is nested deeper than any value is BAD_VALUE, and not the end of the stack', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
    ['{"$map":', '}'],
  ] as const) {
    const json: Json = JSON.parse(`${open.repeat(50_000)}1${close.repeat(50_000)}`)
    assert.throws(
      () => parseTagged(json),
      (error: unknown) => error instanceof BlazeError && error.code === 'BAD_VALUE',
      open,
    )
  }
})

test.run()

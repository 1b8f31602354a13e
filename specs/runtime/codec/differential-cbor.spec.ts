/** Our CBOR against `cborg`: the same bytes for the same item, and for any bytes the same verdict and the same item. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeCbor, encodeCbor, fromHex, limits, toHex, Uuid } from '../../../runtime/index.ts'
import type { CborItem, CborOptions, Value } from '../../../runtime/index.ts'
import { codeOf } from '../../fixtures/code-of.ts'
import { arbitraryValue } from './arbitrary-value.ts'
import { referenceDecode, referenceEncode } from './reference-cbor.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

/** Bytes in hexadecimal, or the code of the refusal. */
function encoded(encode: typeof encodeCbor, item: unknown, options?: CborOptions): string {
  let hex = ''
  const code = codeOf(() => (hex = toHex(encode(item as CborItem, options))))
  return code === 'ok' ? hex : code
}

/** Everything that tells two items apart as text, or the code of the refusal. */
function decoded(decode: typeof decodeCbor, bytes: Uint8Array, options?: CborOptions): string {
  let text = ''
  const code = codeOf(() => (text = textOf(decode(bytes, options))))
  return code === 'ok' ? text : code
}

function textOf(item: unknown): string {
  if (Object.is(item, -0)) return '-0'
  if (typeof item === 'bigint') return `${item}n`
  if (typeof item !== 'object' || item === null)
    return `${typeof item} ${JSON.stringify(item)} ${String(item)}`
  if (item instanceof Uint8Array) return `bytes ${item.constructor.name} ${toHex(item)}`
  if (item instanceof Date) return `date ${item.getTime()}`
  if (item instanceof Uuid) return `uuid ${item.toString()}`
  if (Array.isArray(item)) return `[${item.map(textOf).join()}]`
  assert.is(Object.getPrototypeOf(item), Object.prototype)
  return `{${Object.keys(item)
    .map((name) => `${JSON.stringify(name)}:${textOf((item as { [name: string]: unknown })[name])}`)
    .join()}}`
}

function agree(bytes: Uint8Array, options?: CborOptions): void {
  assert.is(decoded(decodeCbor, bytes, options), decoded(referenceDecode, bytes, options), toHex(bytes))
}

test('both write the same bytes and read them alike', () => {
  fc.assert(
    fc.property(arbitraryValue, (value) => {
      const bytes = encodeCbor(value)
      assert.is(toHex(bytes), toHex(referenceEncode(value)))
      agree(bytes)
    }),
    { seed, numRuns: 5000 },
  )
})

test('both write every kind of number alike', () => {
  const edges = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 60]
  const halves = Array.from({ length: 2 ** 16 }, (_, bits) => referenceDecode(fromHex(`f9${hex16(bits)}`)))
  const near = [2 ** -24, 2 ** -25, 2 ** -14, 2 ** -15, 65_504, 65_520, 65_536, 3.4e38, 3.5e38, 1e-45, 5e-324]
  const numbers = [...edges, ...edges.map((n) => -n - 1), ...(halves as number[]), ...near]
  for (const n of numbers) {
    for (const value of [n, -n, n + 0.5, n * 1.0001, n / 3]) {
      assert.is(encoded(encodeCbor, value), encoded(referenceEncode, value), String(value))
    }
  }
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.float(), fc.maxSafeInteger()), (value) => {
      assert.is(encoded(encodeCbor, value), encoded(referenceEncode, value))
    }),
    { seed, numRuns: 5000 },
  )
  for (const n of [2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 5n, 0n]) {
    for (const value of [n, -n, -n - 1n, n + 1n]) {
      assert.is(encoded(encodeCbor, value), encoded(referenceEncode, value), String(value))
    }
  }
})

test('both read every double and integer of each width alike', () => {
  const patterns = [
    '00',
    '01',
    '7f',
    '80',
    'ff',
    '7ff0',
    'fff0',
    '7ff8',
    '001f',
    '0020',
    '1fff',
    'ffff',
    '3f80',
  ]
  const random = fc.sample(fc.uint8Array({ minLength: 8, maxLength: 8 }), { seed, numRuns: 2000 })
  const bodies = [
    ...patterns.flatMap((a) => patterns.map((b) => `${a}${'00'.repeat(8)}`.slice(0, 14) + b.slice(-2))),
    ...patterns.map((a) => `${a}${'ff'.repeat(8)}`.slice(0, 16)),
    ...random.map(toHex),
    `001f${'ff'.repeat(6)}`,
    `0020${'00'.repeat(6)}`,
    `7f${'ff'.repeat(7)}`,
    `80${'00'.repeat(7)}`,
  ]
  for (const head of [
    '18',
    '19',
    '1a',
    '1b',
    '38',
    '39',
    '3a',
    '3b',
    'f9',
    'fa',
    'fb',
    'c1fb',
    'c11a',
    'c13b',
    'c11b',
  ]) {
    for (const body of bodies) {
      const width = 2 ** (Number.parseInt(head.slice(-1), 16) & 3)
      const bytes = fromHex(head + body.slice(0, width * 2))
      agree(bytes)
    }
  }
})

test('both order the keys of a map alike', () => {
  const unit = fc.constantFrom(
    'a',
    'b',
    'Z',
    '',
    'é',
    'ß',
    '\u07ff',
    '\u0800',
    '\uD7FF',
    '\uE000',
    '\uFFFD',
    '\uFFFF',
    '😀',
    '\u{10FFFF}',
  )
  const name = fc.array(unit, { maxLength: 4 }).map((units) => units.join(''))
  fc.assert(
    fc.property(fc.dictionary(fc.oneof(name, fc.string()), fc.integer(), { maxKeys: 8 }), (map) => {
      assert.is(encoded(encodeCbor, map), encoded(referenceEncode, map))
    }),
    { seed, numRuns: 3000 },
  )
})

test('both refuse a key that comes twice, whatever it is called', () => {
  const name = fc.constantFrom('', 'a', 'b', 'é', '__proto__', 'constructor', 'a name of more than sixteen')
  fc.assert(
    fc.property(fc.array(name, { maxLength: 4 }), fc.boolean(), (names, short) => {
      const entries = names.map((key, at) => `${toHex(encodeCbor(key))}0${at}`)
      agree(fromHex(head(0xa0, Math.max(0, names.length - (short ? 1 : 0))) + entries.join('')))
    }),
    { seed, numRuns: 1000 },
  )
})

test('both take or refuse text alike, at every length around a switch of method', () => {
  const runs = [
    '61',
    'c3bc',
    'eda080',
    'ff',
    'c080',
    'e28080',
    'efbfbd',
    'efbbbf',
    'f09f9880',
    'f4908080',
    '80',
    'c3',
  ]
  for (let length = 0; length <= 60; length += 1) {
    for (const run of runs) {
      for (const text of ['61'.repeat(length) + run, run + '61'.repeat(length), run.repeat(length % 8)]) {
        agree(fromHex(head(0x60, text.length / 2) + text))
      }
    }
    for (const unit of ['a', 'é', '€', '😀', '\uD800', '\uDC00', '\uFEFF']) {
      const text = 'x'.repeat(length) + unit
      assert.is(encoded(encodeCbor, text), encoded(referenceEncode, text))
      assert.is(encoded(encodeCbor, unit.repeat(length)), encoded(referenceEncode, unit.repeat(length)))
    }
  }
  for (const length of [22, 23, 24, 85, 86, 255, 256, 21_845, 21_846, 65_535, 65_536]) {
    for (const unit of ['a', 'é', '€', '😀']) {
      const text = unit.repeat(length)
      assert.is(encoded(encodeCbor, text), encoded(referenceEncode, text))
    }
  }
})

test('both give one verdict on damaged bytes', () => {
  const options: CborOptions[] = [
    {},
    { undefinedAtDepth: 0 },
    { undefinedAtDepth: 1 },
    { undefinedAtDepth: 2 },
  ]
  const damage = fc.record({
    at: fc.nat(),
    byte: fc.oneof(
      fc.nat(255),
      fc.constantFrom(0xf7, 0x1b, 0x5f, 0x7f, 0x9f, 0xbf, 0xc1, 0xd8, 0xff, 0xfb, 0x60),
    ),
    kind: fc.constantFrom('set', 'cut', 'insert', 'append'),
  })
  fc.assert(
    fc.property(
      arbitraryValue,
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...options),
      (value: Value, damages, option) => {
        const bytes = [...encodeCbor([value, [value]])]
        for (const { at, byte, kind } of damages) {
          const place = at % (bytes.length + 1)
          if (kind === 'set') bytes[Math.min(place, bytes.length - 1)] = byte
          else if (kind === 'cut') bytes.splice(place, 1 + (byte & 3))
          else if (kind === 'insert') bytes.splice(place, 0, byte)
          else bytes.push(byte)
          if (bytes.length === 0) bytes.push(byte)
        }
        agree(Uint8Array.from(bytes), option)
      },
    ),
    { seed, numRuns: 10_000 },
  )
})

test('both give one verdict on random bytes', () => {
  const weighted = fc.oneof(
    fc.nat(255),
    fc.constantFrom(
      0x81,
      0x82,
      0xa1,
      0xa2,
      0x61,
      0x41,
      0x50,
      0xc1,
      0xd8,
      37,
      0xf6,
      0xf7,
      0xf9,
      0x18,
      0x78,
      0x98,
    ),
  )
  fc.assert(
    fc.property(fc.array(weighted, { maxLength: 24 }), fc.integer({ min: -1, max: 2 }), (bytes, depth) => {
      agree(Uint8Array.from(bytes), depth < 0 ? {} : { undefinedAtDepth: depth })
    }),
    { seed, numRuns: 20_000 },
  )
})

test('both bound nesting by arrays, maps, dates and UUIDs alike', () => {
  const max = limits.cborDepthMax
  for (const depth of [max - 2, max - 1, max, max + 1]) {
    for (const open of ['81', 'a16161']) {
      for (const leaf of ['01', '80', 'a0', '40', '60', 'c101', `d82550${'00'.repeat(16)}`, 'f7']) {
        agree(fromHex(open.repeat(depth) + leaf), { undefinedAtDepth: depth })
      }
    }
    for (const leaf of [
      1,
      [],
      {},
      new Uint8Array(1),
      '',
      new Date(0),
      Uuid.v7(0, new Uint8Array(10)),
      undefined,
    ]) {
      let inArrays: unknown = leaf
      let inMaps: unknown = leaf
      for (let at = 0; at < depth; at += 1) {
        inArrays = [inArrays]
        inMaps = { a: inMaps }
      }
      for (const item of [inArrays, inMaps]) {
        const options = { undefinedAtDepth: depth }
        assert.is(encoded(encodeCbor, item, options), encoded(referenceEncode, item, options))
      }
    }
  }
})

function hex16(bits: number): string {
  return bits.toString(16).padStart(4, '0')
}

/** A first byte and a length below 65,536. */
function head(major: number, length: number): string {
  if (length < 24) return (major | length).toString(16).padStart(2, '0')
  if (length < 256) return (major | 24).toString(16) + length.toString(16).padStart(2, '0')
  return (major | 25).toString(16) + hex16(length)
}

test.run()

/** Bytes of counters, sets, maxima and minima in the body of an envelope: each has one form. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeRecord, encodeRecord } from '../../../actors/database/record/record-body.ts'
import { equalRecords } from '../../../actors/database/record/record.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { encodeCbor, limits, nodeCrypto } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { codeOf } from '../../fixtures/code-of.ts'

test('a merge that is not exactly what encoding makes is refused', () => {
  const writer = new Uint8Array(8).fill(7)
  const boot = new Uint8Array(8).fill(3)
  const low = new Uint8Array(8).fill(2)
  const x = encodeCbor('x').slice()
  const decode = (kind: unknown, payload: unknown): RecordState => {
    const item = ['c', 'i', null, [[1, 0, writer]], ['f', kind, payload]]
    return decodeRecord(encodeCbor(item as never, { undefinedAtDepth: 2 }), { life: 1, deleted: false })
  }
  const good: readonly (readonly [unknown, unknown, Value])[] = [
    [[0, 1], [writer, [boot, 1, 5]], 5],
    [[0, 1], [low, [low, 1, 5, boot, 2, -7], writer, [boot, 1, 5]], 3],
    [[0, 2], [[], []], []],
    [
      [0, 2],
      [
        [writer, [boot, 2]],
        [x, 0, 2],
      ],
      ['x'],
    ],
    [[0, 3], 5, 5],
    [[0, 4], 'text', 'text'],
  ]
  const bad: Record<string, readonly [unknown, unknown]> = {
    'an unknown kind': [[0, 5], 5],
    'kind zero': [[0, 0], 5],
    'a stamp alone in a list': [[0], 5],
    three: [[0, 3, 1], 5],
    'an unknown stamp': [[1, 3], 5],
    'a maximum of NaN': [[0, 3], Number.NaN],
    'a maximum of nothing': [[0, 3], undefined],
    'a maximum of null': [[0, 3], null],
    'a counter of nobody': [[0, 1], []],
    'a replica without boots': [
      [0, 1],
      [writer, []],
    ],
    'a short replica': [
      [0, 1],
      [writer.subarray(1), [boot, 1, 5]],
    ],
    'a short boot': [
      [0, 1],
      [writer, [boot.subarray(1), 1, 5]],
    ],
    'a sum with a fraction': [
      [0, 1],
      [writer, [boot, 1, 0.5]],
    ],
    'a sum of −0': [
      [0, 1],
      [writer, [boot, 1, -0]],
    ],
    'a sum too large': [
      [0, 1],
      [writer, [boot, 1, limits.counterSumMax + 1]],
    ],
    'number zero': [
      [0, 1],
      [writer, [boot, 0, 5]],
    ],
    'replicas in disorder': [
      [0, 1],
      [writer, [boot, 1, 5], low, [boot, 1, 5]],
    ],
    'a replica twice': [
      [0, 1],
      [writer, [low, 1, 5], writer, [boot, 1, 5]],
    ],
    'boots in disorder': [
      [0, 1],
      [writer, [boot, 1, 5, low, 1, 5]],
    ],
    'a boot twice': [
      [0, 1],
      [writer, [boot, 1, 5, boot, 1, 5]],
    ],
    'a set of one part': [[0, 2], [[]]],
    'an element of nobody': [
      [0, 2],
      [[], [x, 0, 1]],
    ],
    'an add that was not seen': [
      [0, 2],
      [
        [writer, [boot, 2]],
        [x, 0, 3],
      ],
    ],
    'an element twice': [
      [0, 2],
      [
        [writer, [boot, 2]],
        [x, 0, 1, x, 0, 2],
      ],
    ],
    'an element that is no CBOR': [
      [0, 2],
      [
        [writer, [boot, 2]],
        [Uint8Array.of(0xff), 0, 1],
      ],
    ],
    'an element of two forms': [
      [0, 2],
      [
        [writer, [boot, 2]],
        [Uint8Array.of(0x18, 1), 0, 1],
      ],
    ],
  }

  for (const [kind, payload, shown] of good) {
    const state = decode(kind, payload)
    assert.equal(state.fields.get('f')?.value, shown)
    const again = decodeRecord(encodeRecord(state), { life: 1, deleted: false })
    assert.ok(equalRecords(again, state, nodeCrypto))
  }
  for (const [what, [kind, payload]] of Object.entries(bad)) {
    assert.is(
      codeOf(() => decode(kind, payload)),
      'BAD_VALUE',
      what,
    )
  }
})

test('a counter alone in its record has room for some 4,500 openings, each of 11 to 14 bytes', () => {
  const writer = new Uint8Array(8).fill(7)
  const bytesOf = (openings: number, n: number, sum: number): number => {
    const boots = Array.from({ length: openings }, (_, at) => {
      const boot = new Uint8Array(8)
      new DataView(boot.buffer).setUint32(0, at)
      return [boot, n, sum]
    })
    const item = ['c', 'i', null, [[1, 0, writer]], ['f', [0, 1], [writer, boots.flat()]]]
    const bytes = encodeCbor(item as never, { undefinedAtDepth: 2 }).slice()
    assert.is(decodeRecord(bytes, { life: 1, deleted: false }).fields.get('f')?.value, openings * sum)
    return bytes.length
  }

  assert.is((bytesOf(3_000, 1, 1) - bytesOf(2_000, 1, 1)) / 1_000, 11)
  assert.is((bytesOf(3_000, 200, 20_000) - bytesOf(2_000, 200, 20_000)) / 1_000, 14)
  assert.ok(bytesOf(4_500, 200, 20_000) <= limits.recordCborBytesMax)
  assert.ok(bytesOf(4_600, 200, 20_000) > limits.recordCborBytesMax)
})

test.run()

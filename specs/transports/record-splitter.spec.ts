/** Cutting a byte stream into records, however it is chopped. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, concatBytes, limits } from '../../runtime/index.ts'
import { RecordSplitter } from '../../transports/record-splitter.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

function framed(record: Uint8Array): Uint8Array {
  const header = new Uint8Array(4)
  new DataView(header.buffer).setUint32(0, record.length)
  return concatBytes([header, record])
}

function readAll(splitter: RecordSplitter): Uint8Array[] {
  const records: Uint8Array[] = []
  for (let record = splitter.next(); record !== undefined; record = splitter.next())
    records.push(record.slice())
  return records
}

test('records come out whole and in order wherever the stream is chopped', () => {
  const record = fc.uint8Array({ minLength: 1, maxLength: 40 })
  const property = fc.property(
    fc.array(record, { maxLength: 20 }),
    fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
    (records, cuts) => {
      const splitter = new RecordSplitter()
      const stream = concatBytes(records.map(framed))
      const got: Uint8Array[] = []
      for (let at = 0, n = 0; at < stream.length; n++) {
        const length = cuts[n % cuts.length] ?? 1
        splitter.add(stream.subarray(at, at + length))
        if (n % 3 !== 2) got.push(...readAll(splitter))
        at += length
      }
      got.push(...readAll(splitter))
      assert.equal(got, records)
      assert.ok(splitter.empty)
    },
  )
  fc.assert(property, { seed, numRuns: 300 })
})

test('a length of 0 or above 65,535 is PROTOCOL_VIOLATION, 65,535 is not', () => {
  const start = (length: number): RecordSplitter => {
    const splitter = new RecordSplitter()
    splitter.add(framed(new Uint8Array(length)).subarray(0, 4))
    return splitter
  }
  const isViolation = (error: unknown): boolean =>
    error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION'

  const fine = start(limits.recordBytesMax)
  assert.is(fine.next(), undefined)
  fine.add(new Uint8Array(limits.recordBytesMax))
  assert.is(fine.next()?.length, limits.recordBytesMax)
  assert.throws(() => start(0).next(), isViolation)
  assert.throws(() => start(limits.recordBytesMax + 1).next(), isViolation)
})

test('long records that come in parts are whole, and between them nothing of their size is held', () => {
  const lengths = [4_096, 4_097, 65_535, 5_000, 65_535, 1]
  const records = lengths.map((length, index) => new Uint8Array(length).fill(index + 1))
  const stream = concatBytes(records.map(framed))
  const splitter = new RecordSplitter()
  const got: Uint8Array[] = []
  const gatheredIn: ArrayBufferLike[] = []
  for (let at = 0; at < stream.length; at += 3_000) {
    splitter.add(stream.subarray(at, at + 3_000))
    for (let record = splitter.next(); record !== undefined; record = splitter.next()) {
      got.push(record.slice())
      if (record.length > 4_096) gatheredIn.push(record.buffer)
    }
  }
  assert.equal(got, records)
  assert.is(new Set(gatheredIn).size, 1, 'while there is always a next one they share memory')

  // At a boundary with nothing left it is let go: the next one has memory of its own.
  const next = framed(new Uint8Array(65_535).fill(9))
  splitter.add(next.subarray(0, 60_000))
  assert.is(splitter.next(), undefined)
  splitter.add(next.subarray(60_000))
  const record = splitter.next()
  assert.equal(record, next.subarray(4))
  assert.not.ok(gatheredIn.includes(record?.buffer ?? new ArrayBuffer(0)))
})

test('a stream that ends within a head or a record is not empty', () => {
  const splitter = new RecordSplitter()
  splitter.add(Uint8Array.of(0, 0))
  assert.is(splitter.next(), undefined)
  assert.not.ok(splitter.empty)
  splitter.add(Uint8Array.of(0, 2, 7))
  assert.is(splitter.next(), undefined)
  assert.not.ok(splitter.empty)
  splitter.add(Uint8Array.of(8))
  assert.equal(splitter.next(), Uint8Array.of(7, 8))
  assert.ok(splitter.empty)
})

test.run()

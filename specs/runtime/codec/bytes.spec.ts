/** Specs of the byte reader, the writer and the operations on byte strings. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ByteReader,
  ByteWriter,
  bytesKey,
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  toHex,
  U48_MAX,
} from '../../../runtime/index.ts'

const bytes = (): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: 40 })

test('a reader returns what a writer wrote', () => {
  const u = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
  fc.assert(
    fc.property(
      fc.tuple(u(255), u(65_535), u(2 ** 32 - 1), u(U48_MAX)),
      bytes(),
      fc.string(),
      (numbers, e, f) => {
        const [a, b, c, d] = numbers
        const length = new TextEncoder().encode(f).length
        const written = new ByteWriter(1)
          .u8(a)
          .u16(b)
          .u32(c)
          .u48(d)
          .u8(e.length)
          .bytes(e)
          .u8(length)
          .text(f)
          .finish()

        const reader = new ByteReader(written, 'spec')
        assert.equal([reader.u8(), reader.u16(), reader.u32(), reader.u48()], numbers)
        assert.equal(toHex(reader.bytes(reader.u8())), toHex(e))
        assert.is(reader.text(reader.u8()), f)
        reader.end()
      },
    ),
  )
})

test('numbers are big-endian', () => {
  const written = new ByteWriter().u16(0x0102).u32(0x0304_0506).u48(0x0708_090a_0b0c).finish()

  assert.is(toHex(written), '0102030405060708090a0b0c')
})

test('a reader refuses to pass its end, to leave bytes over and to read ill-formed text', () => {
  const violation = { code: 'PROTOCOL_VIOLATION' }
  const refused = (read: (reader: ByteReader) => unknown): void => {
    assert.throws(
      () => read(new ByteReader(Uint8Array.of(0xff, 0xfe, 0xfd), 'spec')),
      (error: unknown) => error instanceof Error && 'code' in error && error.code === violation.code,
    )
  }

  refused((reader) => reader.u32())
  refused((reader) => reader.skip(2).u16())
  refused((reader) => reader.u48())
  refused((reader) => reader.bytes(4))
  refused((reader) => reader.bytes(2 ** 40))
  refused((reader) => reader.skip(2).end())
  refused((reader) => reader.text(3))
  refused((reader) => {
    reader.rest()
    reader.u8()
  })
})

test('a writer treats a number that does not fit as a bug', () => {
  assert.throws(() => new ByteWriter().u8(256), /0\.\.255/)
  assert.throws(() => new ByteWriter().u16(-1), /0\.\.65535/)
  assert.throws(() => new ByteWriter().u32(0.5), /0\.\.4294967295/)
  assert.throws(() => new ByteWriter().u48(2 ** 48), /0\.\.281474976710655/)
})

test('comparing, equality, concatenation, keys and hexadecimal agree with each other', () => {
  fc.assert(
    fc.property(bytes(), bytes(), (a, b) => {
      const order = Math.sign(compareBytes(a, b))
      const keyA = bytesKey(a)
      const keyB = bytesKey(b)

      assert.is(order, keyA < keyB ? -1 : keyA > keyB ? 1 : 0)
      assert.is(order, Math.sign(Buffer.compare(a, b)))
      assert.is(equalBytes(a, b), order === 0)
      assert.is(toHex(concatBytes([a, b])), toHex(a) + toHex(b))
      assert.is(toHex(fromHex(toHex(a))), toHex(a))
    }),
  )
  assert.throws(() => fromHex('abc'), TypeError)
  assert.throws(() => fromHex('zz'), TypeError)
})

test('a key names every byte of ids of 8 and 16 bytes', () => {
  for (const length of [8, 16]) {
    const id = Uint8Array.from({ length }, (_, at) => at * 7 + 200)
    assert.is(bytesKey(id), Buffer.from(id).toString('latin1'))
  }
})

test.run()

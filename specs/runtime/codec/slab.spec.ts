/** Byte strings of a slab: zeroed, apart from each other, and on their own when small or large. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits, Slab } from '../../../runtime/index.ts'

test('what a slab hands out is zeroed and overlaps nothing handed out before', () => {
  const slab = new Slab()

  const taken = Array.from({ length: 300 }, (_, n) => {
    const bytes = slab.take(n * 7)
    assert.ok(bytes.every((byte) => byte === 0))
    return bytes.fill((n % 255) + 1)
  })

  for (const [n, bytes] of taken.entries()) {
    assert.is(bytes.length, n * 7)
    assert.ok(bytes.every((byte) => byte === (n % 255) + 1))
  }
})

test('a slab is shared by middling byte strings only, so that a kept one keeps little', () => {
  const slab = new Slab()
  const bufferBytes = (length: number): number => slab.take(length).buffer.byteLength

  assert.is(bufferBytes(64), 64)
  assert.is(bufferBytes(65), limits.slabBytesMax)
  assert.is(bufferBytes(limits.slabBytesMax / 4), limits.slabBytesMax)
  assert.is(bufferBytes(limits.slabBytesMax / 4 + 1), limits.slabBytesMax / 4 + 1)
})

test.run()

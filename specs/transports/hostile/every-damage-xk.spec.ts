// time limit: 180 s
/** A handshake under XK with any one bit of any message flipped, or any message cut anywhere, ends without a channel. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { damageAll, messageLengths } from './every-damage.ts'

test('every single-bit flip and every truncation of hello, welcome, verify and complete', async () => {
  const lengths = await messageLengths('XK')
  const bytes = lengths.reduce((sum, length) => sum + length, 0)

  const { flips, cuts } = await damageAll('XK')

  assert.ok(lengths.every((length) => length > 64))
  assert.is(flips, bytes * 8)
  assert.is(cuts, bytes - lengths.length)
  console.log(`${flips} flips and ${cuts} truncations of messages of ${lengths.join(', ')} bytes`)
})

test.run()

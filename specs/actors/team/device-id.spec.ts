/** A device id is short enough to read aloud, and a slip of the tongue is found. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { formatDeviceId, parseDeviceId } from '../../../actors/team/device-id.ts'
import { nodeCrypto } from '../../../runtime/index.ts'

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const idOf = (fill: number): string => formatDeviceId(nodeCrypto, new Uint8Array(32).fill(fill))
const bare = (id: string): string => id.replaceAll('-', '')
const isRefused = (error: unknown): boolean => error instanceof TypeError

test('an id is seven groups of four digits, always the same for a key and another for another', () => {
  assert.match(idOf(1), /^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/)
  assert.is(idOf(1), 'K30C-JRB7-JGE2-J6E4-MQP3-KZCB-VRJQ')
  assert.is(new Set(Array.from({ length: 256 }, (_, fill) => idOf(fill))).size, 256)
})

test('an id reads in either case, with blanks for hyphens, and with letters that look like digits', () => {
  for (let fill = 0; fill < 50; fill += 1) {
    const id = idOf(fill)
    const sloppy = id.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')
    assert.is(parseDeviceId(id), id)
    assert.is(parseDeviceId(`  ${sloppy} `), id)
    assert.is(parseDeviceId(bare(id).replaceAll('1', 'i')), id)
  }
})

test('every single wrong digit is found', () => {
  for (const fill of [1, 2, 3]) {
    const id = bare(idOf(fill))
    for (let at = 0; at < id.length; at += 1) {
      for (const digit of DIGITS) {
        if (digit === id[at]) continue
        assert.throws(
          () => parseDeviceId(id.slice(0, at) + digit + id.slice(at + 1)),
          isRefused,
          `${at} ${digit}`,
        )
      }
    }
  }
})

test('every swap of two different digits is found, also of a check digit', () => {
  for (let fill = 0; fill < 40; fill += 1) {
    const id = Array.from(bare(idOf(fill)))
    for (let i = 0; i < id.length; i += 1) {
      for (let j = i + 1; j < id.length; j += 1) {
        if (id[i] === id[j]) continue
        const swapped = id.with(i, id[j] ?? '').with(j, id[i] ?? '')
        assert.throws(() => parseDeviceId(swapped.join('')), isRefused, `${fill}: ${i} ${j}`)
      }
    }
  }
})

test('text of another length or with other letters is no id', () => {
  const id = idOf(1)
  for (const text of [
    '',
    id.slice(1),
    `${id}0`,
    id.replace(/.$/, 'U'),
    id.replace(/.$/, '*'),
    '😀'.repeat(14),
  ])
    assert.throws(() => parseDeviceId(text), isRefused, text)
})

test.run()

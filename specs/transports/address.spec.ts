/** Whom bounds per address count as one, in every way an address is written. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { addressOf } from '../../transports/address.ts'

test('an IPv4 address counts as itself, also when a socket for both families names it', () => {
  for (const remote of [
    '192.0.2.7:50123',
    '[::ffff:192.0.2.7]:50123',
    '[::FFFF:192.0.2.7]:1',
    '[0:0:0:0:0:ffff:192.0.2.7]:1',
    '192.0.2.7',
    '::ffff:192.0.2.7',
  ])
    assert.is(addressOf(remote), '192.0.2.7', remote)
})

test('all addresses of an IPv6 line count as one, those of the next line do not', () => {
  const line = addressOf('[2001:db8:1:2::1]:50123')
  for (const same of [
    '2001:db8:1:2::ffff',
    '2001:0db8:0001:0002:1:2:3:4',
    '2001:DB8:1:2:aaaa::',
    '2001:db8:1:2::1%eth0',
    '2001:db8:1:2::192.0.2.7',
  ])
    assert.is(addressOf(`[${same}]:1`), line, same)
  assert.is(addressOf('2001:db8:1:2::9'), line)
  for (const other of ['2001:db8:1:3::1', '2001:db8::1:2', '::1', 'fe80::1'])
    assert.is.not(addressOf(`[${other}]:1`), line, other)
  assert.is(addressOf('[::1]:1'), addressOf('[0:0:0:0:9::]:1'))
})

test('a name counts as itself', () => {
  assert.is(addressOf('pi:1'), 'pi')
  assert.is(addressOf('pi'), 'pi')
})

test.run()

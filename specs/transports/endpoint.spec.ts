/** Endpoints as text. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError } from '../../runtime/index.ts'
import { formatEndpoint, parseEndpoint } from '../../transports/index.ts'

test('an endpoint survives the way to text and back', () => {
  for (const text of [
    'tls://127.0.0.1:0',
    'tls://[::1]:8080',
    'tls://pi.duckdns.org:65535',
    'memory://pi:1',
  ]) {
    assert.is(formatEndpoint(parseEndpoint(text)), text)
  }
  assert.equal(parseEndpoint('tls://[fe80::1]:9'), { transport: 'tls', host: 'fe80::1', port: 9 })
})

test('anything else is BAD_CONFIG', () => {
  const bad = [
    '',
    'tls://',
    'tls://host',
    'tls://host:65536',
    'tls://host:-1',
    'tls://host:80/path',
    'tls://::1:80',
    'tls://user@host:80',
    'http://host:80',
    'tls://ho st:80',
    `tls://${'a'.repeat(254)}:80`,
  ]
  for (const text of bad) {
    assert.throws(
      () => parseEndpoint(text),
      (error: unknown) => error instanceof BlazeError && error.code === 'BAD_CONFIG',
      text,
    )
  }
})

test.run()

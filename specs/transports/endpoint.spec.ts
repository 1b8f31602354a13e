/** Endpoints as text. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, limits } from '../../runtime/index.ts'
import { formatEndpoint, parseEndpoint } from '../../transports/index.ts'
import type { LocalEndpoint } from '../../transports/index.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

test('an endpoint survives the way to text and back', () => {
  for (const text of [
    'tls://127.0.0.1:0',
    'tls://[::1]:8080',
    'tls://pi.duckdns.org:65535',
    'memory://pi:1',
    'uds:/home/jo/group#bugs',
    'uds:/home/jo%20e/%C3%BC%23%25#a%2Fb%20%E2%9C%93',
  ]) {
    assert.is(formatEndpoint(parseEndpoint(text)), text)
  }
  assert.equal(parseEndpoint('tls://[fe80::1]:9'), { transport: 'tls', host: 'fe80::1', port: 9 })
  assert.equal(parseEndpoint('uds:/home/jo%20e/%23#a%2Fb'), {
    transport: 'uds',
    directory: '/home/jo e/#',
    name: 'a/b',
  })
})

test('a local endpoint of any text survives the way to text and back', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
  const segment = text.filter((part) => !/^\.\.?$|[/\0]/.test(part))
  const property = fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), text, (segments, name) => {
    const endpoint: LocalEndpoint = { transport: 'uds', directory: `/${segments.join('/')}`, name }
    const formatted = formatEndpoint(endpoint)
    assert.match(formatted, /^uds:[!-~]+$/)
    assert.equal(parseEndpoint(formatted), endpoint)
  })
  fc.assert(property, { seed, numRuns: 300 })
})

test('a directory or name that is none has no text', () => {
  const good: LocalEndpoint = { transport: 'uds', directory: '/a', name: 'b' }
  const bad: Partial<LocalEndpoint>[] = [
    { directory: '' },
    { directory: '/' },
    { directory: 'a' },
    { directory: './a' },
    { directory: '/a/' },
    { directory: '/a/../b' },
    { directory: '/a//b' },
    { directory: '/a\0' },
    { directory: '/\ud800' },
    { directory: `/${'ä'.repeat(2_000)}` },
    { name: '' },
    { name: 'x'.repeat(256) },
    { name: 'ä'.repeat(128) },
    { name: '\udfff' },
  ]
  for (const part of bad) {
    assert.throws(
      () => formatEndpoint({ ...good, ...part }),
      (error: unknown) => error instanceof BlazeError && error.code === 'BAD_CONFIG',
      JSON.stringify(part).slice(0, 80),
    )
  }
})

test('a host has 253 characters, a directory 4,000 bytes, a name 255, and one more is BAD_CONFIG', () => {
  const texts: [limit: number, text: (length: number) => string][] = [
    [limits.hostCharsMax, (length) => `tls://${'a'.repeat(length)}:80`],
    [limits.directoryBytesMax, (length) => `uds:/${'d'.repeat(length - 1)}#b`],
    [limits.localNameBytesMax, (length) => `uds:/a#${'n'.repeat(length)}`],
  ]
  for (const [limit, text] of texts) {
    assert.is(formatEndpoint(parseEndpoint(text(limit))), text(limit))
    assert.throws(
      () => parseEndpoint(text(limit + 1)),
      (error: unknown) => error instanceof BlazeError && error.code === 'BAD_CONFIG',
      `${limit}`,
    )
  }
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
    'uds:',
    'uds:/a',
    'uds:/a#',
    'uds:#b',
    'uds:a#b',
    'uds://host/a#b',
    'uds:/a/#b',
    'uds:/a/../b#c',
    'uds:/a#b#c',
    'uds:/a?x#b',
    'uds:/a b#c',
    'uds:/%61#b',
    'uds:/%c3%bc#b',
    'uds:/a%2Fb#c',
    'uds:/%#b',
    'uds:/%FF#b',
    'uds:/a%00#b',
    `uds:/a#${'x'.repeat(256)}`,
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

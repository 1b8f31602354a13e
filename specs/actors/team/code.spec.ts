/** Enrolment codes and invites as text, PROTOCOL §11. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { formatCode, parseCode } from '../../../actors/team/index.ts'
import type { EnrolmentCode, InviteCode } from '../../../actors/team/index.ts'
import { BlazeError, concatBytes } from '../../../runtime/index.ts'
import { derive, device } from './roster.ts'

const secret = derive('code secret')
const serverKey = device('server').keys.dhKey
const enrolment: EnrolmentCode = {
  kind: 'enroll',
  host: 'pi.example.org',
  port: 8080,
  codeId: derive('code id', 16),
  secret,
  serverKey,
}
const invite: InviteCode = {
  kind: 'invite',
  host: '192.168.1.20',
  port: 443,
  inviteId: derive('invite id', 16),
  secret,
  serverKey,
  spaceId: derive('space', 16),
  inviteHash: derive('invite hash'),
}

function refusal(text: string): BlazeError {
  try {
    parseCode(text)
  } catch (error) {
    if (error instanceof BlazeError) return error
    throw error
  }
  throw new Error(`accepted: ${text}`)
}

test('both kinds of code come back from their text', () => {
  assert.equal(parseCode(formatCode(enrolment)), enrolment)
  assert.equal(parseCode(formatCode(invite)), invite)
})

test('an IPv6 host stands in brackets in the text and without them in the code', () => {
  for (const host of ['::1', 'fe80::1:2', '2001:db8:0:0:0:0:0:1', '::ffff:10.0.0.1']) {
    const text = formatCode({ ...enrolment, host })

    assert.ok(text.startsWith(`blazedb://[${host}]:8080/enroll/`), text)
    assert.is(parseCode(text).host, host)
  }
})

test('any host, port and bytes come back', () => {
  const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: length, maxLength: length })
  const codes = fc.record({
    host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
    port: fc.integer({ min: 1, max: 65_535 }),
    codeId: bytes(16),
    secret: bytes(32),
    point: bytes(64),
  })
  const check = fc.property(codes, ({ point, ...rest }) => {
    const code: EnrolmentCode = { kind: 'enroll', ...rest, serverKey: concatBytes([Uint8Array.of(4), point]) }
    assert.equal(parseCode(formatCode(code)), code)
  })
  fc.assert(check, { numRuns: 200 })
})

test('spaces around a pasted code do not matter', () => {
  assert.equal(parseCode(`\n  ${formatCode(invite)} \t`), invite)
})

test('every character cut from the end or the start is CODE_INVALID', () => {
  const text = formatCode(invite)
  for (let at = 0; at < text.length; at++) {
    assert.is(refusal(text.slice(0, at)).code, 'CODE_INVALID')
    if (at > 0) assert.is(refusal(text.slice(at)).code, 'CODE_INVALID')
  }
})

test('bad text is CODE_INVALID and says what was expected', () => {
  const good = formatCode(enrolment)
  const payload = good.slice(good.lastIndexOf('/') + 1)
  const with_ = (host: string, port: string, kind = 'enroll', bytes = payload): string =>
    `blazedb://${host}:${port}/${kind}/${bytes}`
  const cases: [string, RegExp][] = [
    ['', /expected blazedb:\/\/HOST:PORT/],
    [good.replace('blazedb:', 'https:'), /expected blazedb:\/\/HOST:PORT/],
    [with_('h', '8080', 'join'), /expected blazedb:\/\/HOST:PORT/],
    [with_('', '8080'), /expected a host name or an address/],
    [with_('a b', '8080'), /expected a host name or an address/],
    [with_('user@h', '8080'), /expected a host name or an address/],
    [with_('1.2.3.999', '8080'), /expected a host name or an address/],
    [with_('[::1', '8080'), /expected blazedb:\/\/HOST:PORT/],
    [with_('::1', '8080'), /expected blazedb:\/\/HOST:PORT/],
    [with_('[1:2]', '8080'), /expected a host name or an address/],
    [with_('h'.repeat(254), '8080'), /expected a host name or an address/],
    [with_('h', '0'), /expected a port from 1 to 65535, got 0/],
    [with_('h', '65536'), /expected a port from 1 to 65535, got 65536/],
    [with_('h', '123456'), /expected blazedb:\/\/HOST:PORT/],
    [with_('h', '80', 'enroll', payload.replaceAll(/[-_A]/g, '+')), /expected a whole code in base64url/],
    [with_('h', '80', 'enroll', `${payload}=`), /expected a whole code in base64url/],
    [with_('h', '80', 'enroll', payload.slice(4)), /expected a whole code of 114 bytes, got 111 bytes/],
    [with_('h', '80', 'invite'), /expected a whole code of 162 bytes, got 114 bytes/],
    [with_('h', '80', 'enroll', `Ag${payload.slice(2)}`), /expected a code of version 1, got version 2/],
    [`${good}${' x'.repeat(1000)}`, /expected at most 1024 characters/],
  ]
  for (const [text, expected] of cases) {
    const error = refusal(text)
    assert.is(error.code, 'CODE_INVALID')
    assert.match(error.message, expected)
  }
})

test('a server key that does not start 0x04 is CODE_INVALID', () => {
  const compressed = serverKey.slice()
  compressed[0] = 2

  assert.match(
    refusal(formatCode({ ...enrolment, serverKey: compressed })).message,
    /server key starting 0x04/,
  )
})

test('a refusal never repeats the code', () => {
  const good = formatCode(invite)
  const payload = good.slice(good.lastIndexOf('/') + 1)
  for (const text of [good.slice(0, -3), `${good}=`, good.replace('/invite/', '/enroll/'), `x${good}`]) {
    const { message, details } = refusal(text)
    assert.not.ok(`${message}${JSON.stringify(details)}`.includes(payload.slice(0, 12)))
  }
})

test('a code with a field of the wrong length is a TypeError at the door', () => {
  const bad: [Partial<EnrolmentCode>, RegExp][] = [
    [{ secret: secret.slice(1) }, /fields of 114 bytes together, got 113/],
    [{ host: 'a/b' }, /host/],
    [{ host: '' }, /host/],
    [{ port: 0 }, /port/],
    [{ port: 80.5 }, /port/],
  ]
  for (const [part, expected] of bad) {
    assert.throws(
      () => formatCode({ ...enrolment, ...part }),
      (error: unknown) => error instanceof TypeError && expected.test(error.message),
    )
  }
})

test.run()

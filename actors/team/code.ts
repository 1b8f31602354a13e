/**
 * The two URLs that people pass on, PROTOCOL §11: an enrolment code of a server, an invite to a team.
 * Invariant: text that parses formats back to itself, and no error message repeats a secret.
 */
import {
  BlazeError,
  ByteReader,
  ByteWriter,
  limits,
  P256_PUBLIC_KEY_BYTES,
  redacted,
} from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'

const VERSION = 1
const ENROLL_BYTES = 1 + 16 + 32 + P256_PUBLIC_KEY_BYTES
const INVITE_BYTES = ENROLL_BYTES + 16 + 32
const HOST_CHARS_MAX = 253
const EXPECTED = 'blazedb://HOST:PORT/enroll/... or blazedb://HOST:PORT/invite/...'

interface Address {
  /** Name or address; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** The pinned static key of the server, 65 bytes. */
  readonly serverKey: Uint8Array
}

/** Lets a device host spaces on a server; carries no key of any space. */
export interface EnrolmentCode extends Address {
  readonly kind: 'enroll'
  /** 16 bytes. */
  readonly codeId: Uint8Array
}

/** Lets a device join a team. */
export interface InviteCode extends Address {
  readonly kind: 'invite'
  /** 16 bytes. */
  readonly inviteId: Uint8Array
  readonly spaceId: Uint8Array
  /** Hash of the invite entry: pins the log up to it. */
  readonly inviteHash: Uint8Array
}

/** `TypeError` when a field cannot stand in such a URL. */
export function formatCode(code: EnrolmentCode | InviteCode): string {
  const { host, port, secret, serverKey } = code
  const shown = host.includes(':') ? `[${host}]` : host
  if (!isHost(shown)) throw new TypeError('host: expected a host name or an address')
  if (!isPort(port)) throw new TypeError(`port: expected 1 to 65535, got ${port}`)
  const writer = new ByteWriter(INVITE_BYTES).u8(VERSION)
  writer
    .bytes(code.kind === 'enroll' ? code.codeId : code.inviteId)
    .bytes(secret)
    .bytes(serverKey)
  if (code.kind === 'invite') writer.bytes(code.spaceId).bytes(code.inviteHash)
  const expected = code.kind === 'enroll' ? ENROLL_BYTES : INVITE_BYTES
  if (writer.length !== expected)
    throw new TypeError(
      `${code.kind} code: expected fields of ${expected} bytes together, got ${writer.length}`,
    )
  return `blazedb://${shown}:${port}/${code.kind}/${Buffer.from(writer.finish()).toString('base64url')}`
}

/** Takes text as pasted, with spaces around. `CODE_INVALID` says what was expected. */
export function parseCode(text: string): EnrolmentCode | InviteCode {
  if (typeof text !== 'string') throw new TypeError('code: expected text that starts with blazedb://')
  const trimmed = text.trim()
  if (trimmed.length > limits.codeCharsMax)
    throw invalid(`at most ${limits.codeCharsMax} characters`, `${trimmed.length}`)
  const found = /^blazedb:\/\/(\[[^\]/]*\]|[^:/[\]]*):([0-9]{1,5})\/(enroll|invite)\/([^/]*)$/.exec(trimmed)
  if (found === null) throw invalid(EXPECTED, 'text of another form')
  const [, shown = '', portText = '', kind = '', payload = ''] = found
  if (!isHost(shown)) throw invalid('a host name or an address before the port', 'neither')
  const port = Number(portText)
  if (!isPort(port)) throw invalid('a port from 1 to 65535', portText)
  const reader = new ByteReader(
    decodePayload(payload, kind === 'enroll' ? ENROLL_BYTES : INVITE_BYTES),
    'code',
  )
  const version = reader.u8()
  if (version !== VERSION) throw invalid(`a code of version ${VERSION}`, `version ${version}`)
  const id = reader.bytes(16)
  const address = {
    host: shown.replace(/^\[|\]$/g, ''),
    port,
    secret: redacted(reader.bytes(32)),
    serverKey: reader.bytes(P256_PUBLIC_KEY_BYTES),
  }
  if (address.serverKey[0] !== 4) throw invalid('a server key starting 0x04', `${address.serverKey[0]}`)
  if (kind === 'enroll') return { kind, ...address, codeId: id }
  return { kind: 'invite', ...address, inviteId: id, spaceId: reader.bytes(16), inviteHash: reader.bytes(32) }
}

/** Psk of the pairing handshake by an enrolment code, 32 bytes. */
export function enrolmentPsk(
  crypto: CryptoProvider,
  code: { codeId: Uint8Array; secret: Uint8Array },
): Uint8Array {
  return crypto.hkdfSha256(code.secret, code.codeId, 'blazedb/enroll', 32)
}

function decodePayload(payload: string, length: number): Uint8Array {
  const bytes = Buffer.from(payload, 'base64url')
  // Node skips what is no base64url; only the one canonical spelling is taken.
  if (bytes.toString('base64url') !== payload) throw invalid('a whole code in base64url', 'other characters')
  if (bytes.length !== length) throw invalid(`a whole code of ${length} bytes`, `${bytes.length} bytes`)
  return Uint8Array.from(bytes)
}

/** `shown` as in a URL, an IPv6 address in brackets. */
function isHost(shown: string): boolean {
  if (shown.length > HOST_CHARS_MAX || !/^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)$/.test(shown)) return false
  return URL.canParse(`http://${shown}/`)
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

function invalid(expected: string, got: string): BlazeError {
  return new BlazeError('CODE_INVALID', `expected ${expected}, got ${got}; copy the code again, whole`)
}

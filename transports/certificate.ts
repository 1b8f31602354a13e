/**
 * A self-signed TLS certificate made in memory (RFC 5280, 4.1). It proves nothing about who we are and is not meant to: identity comes
 * from the secure channel, which is bound to the TLS session. Its key never leaves the process.
 */
import type { Env } from '../runtime/index.ts'

/** PEM texts. */
export interface Certificate {
  readonly certificate: string
  readonly privateKey: string
}

const keyKind = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signatureKind = { name: 'ECDSA', hash: 'SHA-256' } as const
/** Nobody checks the dates; a clock that is wrong by days must not matter either. */
const VALID_MS = 10 * 365 * 86_400_000

const tags = {
  integer: 0x02,
  bits: 0x03,
  utf8: 0x0c,
  shortTime: 0x17,
  longTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const
const ecdsaWithSha256 = Buffer.from('06082a8648ce3d040302', 'hex')
const commonName = Buffer.from('0603550403', 'hex')
/** Version 3. */
const version = der(tags.version, der(tags.integer, Buffer.of(2)))
const nameOfAll = der(
  tags.sequence,
  der(tags.set, der(tags.sequence, commonName, der(tags.utf8, Buffer.from('blazedb')))),
)

export async function createCertificate(env: Env): Promise<Certificate> {
  const { subtle } = globalThis.crypto
  const { privateKey, publicKey } = await subtle.generateKey(keyKind, true, ['sign', 'verify'])
  const algorithm = der(tags.sequence, ecdsaWithSha256)
  const content = der(
    tags.sequence,
    version,
    // The leading 01 keeps it positive.
    der(tags.integer, Buffer.of(1), env.entropy(15)),
    algorithm,
    nameOfAll,
    der(tags.sequence, timeOf(env.now() - VALID_MS), timeOf(env.now() + VALID_MS)),
    nameOfAll,
    new Uint8Array(await subtle.exportKey('spki', publicKey)),
  )
  const signature = new Uint8Array(await subtle.sign(signatureKind, privateKey, content))
  const [r, s] = [integer(signature.subarray(0, 32)), integer(signature.subarray(32))]
  const bits = der(tags.bits, Buffer.of(0), der(tags.sequence, r, s))
  return {
    certificate: pem('CERTIFICATE', der(tags.sequence, content, algorithm, bits)),
    privateKey: pem('PRIVATE KEY', new Uint8Array(await subtle.exportKey('pkcs8', privateKey))),
  }
}

/** X.690, 8.1: tag, length, contents. */
function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(contents)
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), body])
}

/** Without zeros in front, but one where the first bit would make it negative. */
function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0)
  const digits = start < 0 ? Uint8Array.of(0) : bytes.subarray(start)
  return der(tags.integer, (digits[0] ?? 0) < 0x80 ? Buffer.of() : Buffer.of(0), digits)
}

/** UTCTime with two digits of the year from 1950 to 2049, else GeneralizedTime (RFC 5280, 4.1.2.5). */
function timeOf(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  const isShort = text >= '1950' && text < '2050'
  return isShort ? der(tags.shortTime, Buffer.from(text.slice(2))) : der(tags.longTime, Buffer.from(text))
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

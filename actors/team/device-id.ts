/**
 * A device's name for people, PROTOCOL §1: 128 bits of the hash of its Ed25519 key in Crockford base32, with two check digits.
 * Invariant: one wrong digit, or two that were swapped, never reads as another device. Keys are compared in full; an id is only shown and read.
 */
import { concatBytes } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'

const ID_BYTES = 16
/** Crockford's: without I, L, O and U. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 128 bits and two zeros. */
const DATA_DIGITS = 26
const CHECK_DIGITS = 2
const GROUP_DIGITS = 4
/** The largest prime below 32². No power of 32 that a place can have, and no difference of two, is a multiple of it. */
const CHECK_MODULUS = 1021n
const DOMAIN: Uint8Array = new TextEncoder().encode('blazedb/device-id/1')

/** Seven groups of four, for instance `7MZ4-...`. */
export function formatDeviceId(crypto: CryptoProvider, signKey: Uint8Array): string {
  const hash = crypto.sha256(concatBytes([DOMAIN, signKey]))
  let value = 0n
  for (const byte of hash.subarray(0, ID_BYTES)) value = (value << 8n) | BigInt(byte)
  value <<= 2n
  return group(digitsOf(value, DATA_DIGITS) + digitsOf(value % CHECK_MODULUS, CHECK_DIGITS))
}

/** The id as `formatDeviceId` writes it, from what a person typed. `TypeError` says what is wrong with it. */
export function parseDeviceId(text: string): string {
  const digits = text.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')
  const length = DATA_DIGITS + CHECK_DIGITS
  if (digits.length !== length)
    throw new TypeError(`device id: expected ${length} digits, got ${digits.length}`)
  const places = Array.from(digits).map((digit) => DIGITS.indexOf(digit))
  if (places.includes(-1)) throw new TypeError('device id: expected digits of Crockford base32')
  const value = numberOf(places.slice(0, DATA_DIGITS))
  const check = numberOf(places.slice(DATA_DIGITS))
  if (value % CHECK_MODULUS !== check || value % 4n !== 0n)
    throw new TypeError('device id: expected check digits that fit; a digit is wrong or two were swapped')
  return group(digits)
}

function digitsOf(value: bigint, count: number): string {
  let digits = ''
  for (let rest = value, at = 0; at < count; at += 1, rest >>= 5n)
    digits = DIGITS.charAt(Number(rest & 31n)) + digits
  return digits
}

function numberOf(places: readonly number[]): bigint {
  return places.reduce((value, place) => (value << 5n) | BigInt(place), 0n)
}

function group(digits: string): string {
  return (digits.match(new RegExp(`.{${GROUP_DIGITS}}`, 'g')) ?? []).join('-')
}

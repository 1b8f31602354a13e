/**
 * The bytes of the handshake, PROTOCOL §8: what goes around and into the Noise messages, and what is signed.
 * Invariant: a parser takes exactly what its encoder makes, of this version; all else is `PROTOCOL_VIOLATION`.
 */
import {
  ByteReader,
  ByteWriter,
  concatBytes,
  errorOfNumber,
  limits,
  P256_PUBLIC_KEY_BYTES,
} from '../../runtime/index.ts'
import type { ErrorCode } from '../../runtime/index.ts'
import { parseErrorBody } from './error-body.ts'

export type ChannelPattern = 'XK' | 'XXpsk3'

/** Bytes of the id of a code or an invite. */
export const PAIRING_ID_BYTES = 16
export const SESSION_ID_BYTES = 16
export const CHALLENGE_BYTES = 32
/** Bytes of a pairing result, so that *complete* fits one record. */
export const PAIRING_RESULT_BYTES_MAX = 60_000

const VERSION = 1
const HELLO_MAGIC = text('BLZ')
const WELCOME = 2
const VERIFY = 3
const REFUSAL = 255
const REASONS = { refused: 1, busy: 2 } as const
const PATTERN_NUMBERS = { XK: 1, XXpsk3: 2 } as const
const DEVICE_KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const MAY_HOST = 1
const SUCCESSOR = 2

export type RefusalReason = keyof typeof REASONS

export interface Hello {
  readonly pattern: ChannelPattern
  /** Empty for XK. */
  readonly id: Uint8Array
  readonly message: Uint8Array
}

export interface Welcome {
  readonly challenge: Uint8Array
  readonly timeMs: number
  readonly streamsMax: number
}

/** A device's signing key and its signature over the transcript. */
export interface DeviceProof {
  readonly deviceKey: Uint8Array
  readonly signature: Uint8Array
}

export interface Grant extends DeviceProof {
  readonly sessionId: Uint8Array
  /** The server's pinned key, which is not the one of the handshake in pairing. */
  readonly staticKey: Uint8Array
  readonly mayHost: boolean
  /** `staticKey` follows the one that was dialled, which is retired. */
  readonly successor: boolean
  readonly pairing: Uint8Array
}

export type Complete =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'denied'; readonly code: ErrorCode; readonly text: string }

export function encodePrologue(pattern: ChannelPattern, id: Uint8Array, binding: Uint8Array): Uint8Array {
  return concatBytes([text('blazed/1'), Uint8Array.of(PATTERN_NUMBERS[pattern], id.length), id, binding])
}

export function encodeHello({ pattern, id, message }: Hello): Uint8Array {
  return concatBytes([HELLO_MAGIC, Uint8Array.of(VERSION, PATTERN_NUMBERS[pattern], id.length), id, message])
}

export function parseHello(record: Uint8Array): Hello {
  const reader = new ByteReader(record, 'hello')
  if (!HELLO_MAGIC.every((byte) => reader.u8() === byte))
    throw reader.violation('expected it to begin with BLZ')
  const version = reader.u8()
  if (version !== VERSION) throw reader.violation(`expected version ${VERSION}, got ${version}`)
  const number = reader.u8()
  const pattern = number === PATTERN_NUMBERS.XK ? 'XK' : 'XXpsk3'
  if (number !== PATTERN_NUMBERS[pattern]) throw reader.violation(`expected pattern 1 or 2, got ${number}`)
  const idBytes = reader.u8()
  const expected = pattern === 'XK' ? 0 : PAIRING_ID_BYTES
  if (idBytes !== expected) throw reader.violation(`expected an id of ${expected} bytes, got ${idBytes}`)
  return { pattern, id: reader.bytes(idBytes), message: reader.rest() }
}

/** Payload of the first Noise message. No feature exists yet, so what the peer offers does not matter. */
export function encodeFeatures(): Uint8Array {
  return new ByteWriter(4).u32(0).finish()
}

export function parseFeatures(payload: Uint8Array): void {
  const reader = new ByteReader(payload, 'features')
  reader.u32()
  reader.end()
}

export function encodeWelcome(message: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(WELCOME), message])
}

export function encodeVerify(message: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(VERIFY), message])
}

export function encodeRefusal(reason: RefusalReason): Uint8Array {
  return Uint8Array.of(REFUSAL, REASONS[reason])
}

/** Undefined when the record is no refusal. An unknown reason reads as `refused`. */
export function parseRefusal(record: Uint8Array): RefusalReason | undefined {
  if (record.length !== 2 || record[0] !== REFUSAL) return undefined
  return record[1] === REASONS.busy ? 'busy' : 'refused'
}

/** The Noise message within. */
export function parseWelcome(record: Uint8Array): Uint8Array {
  return parseNumbered(record, WELCOME, 'welcome')
}

/** The Noise message within. */
export function parseVerify(record: Uint8Array): Uint8Array {
  return parseNumbered(record, VERIFY, 'verify')
}

export function encodeWelcomePayload({ challenge, timeMs, streamsMax }: Welcome): Uint8Array {
  const writer = new ByteWriter(64).bytes(challenge).u48(timeMs)
  return writer.u32(limits.recordBytesMax).u32(limits.messageBytesMax).u16(streamsMax).finish()
}

/** A server that takes less than this version's records and messages cannot be served: a violation. */
export function parseWelcomePayload(payload: Uint8Array): Welcome {
  const reader = new ByteReader(payload, 'welcome')
  const challenge = reader.bytes(CHALLENGE_BYTES).slice()
  const timeMs = reader.u48()
  if (reader.u32() < limits.recordBytesMax) throw reader.violation('the server takes shorter records only')
  if (reader.u32() < limits.messageBytesMax) throw reader.violation('the server takes shorter messages only')
  const streamsMax = reader.u16()
  reader.end()
  return { challenge, timeMs, streamsMax }
}

/** What the client's device signs. `hash`: the handshake hash after message 2. */
export function deviceProofBytes(hash: Uint8Array, challenge: Uint8Array, staticKey: Uint8Array): Uint8Array {
  return concatBytes([text('blazedb/device/1'), hash, challenge, staticKey])
}

/** What the server's device signs. `hash`: the final handshake hash. */
export function serverProofBytes(hash: Uint8Array, sessionId: Uint8Array, staticKey: Uint8Array): Uint8Array {
  return concatBytes([text('blazedb/server/1'), hash, sessionId, staticKey])
}

export function encodeDeviceProof({ deviceKey, signature }: DeviceProof): Uint8Array {
  return concatBytes([deviceKey, signature])
}

export function parseDeviceProof(payload: Uint8Array): DeviceProof {
  const reader = new ByteReader(payload, 'verify')
  const proof = readDeviceProof(reader)
  reader.end()
  return proof
}

/** A denial is encoded by `encodeErrorBody`. */
export function encodeGrant(grant: Grant): Uint8Array {
  const writer = new ByteWriter(512).u16(0).bytes(grant.deviceKey).bytes(grant.signature)
  writer
    .bytes(grant.sessionId)
    .bytes(grant.staticKey)
    .u8((grant.mayHost ? MAY_HOST : 0) | (grant.successor ? SUCCESSOR : 0))
  return writer.u32(grant.pairing.length).bytes(grant.pairing).finish()
}

export function parseComplete(body: Uint8Array): Complete {
  const reader = new ByteReader(body, 'complete')
  const number = reader.u16()
  if (number !== 0) {
    return { kind: 'denied', code: errorOfNumber(number), text: parseErrorBody(body, 'complete').text }
  }
  const proof = readDeviceProof(reader)
  const sessionId = reader.bytes(SESSION_ID_BYTES).slice()
  const staticKey = reader.bytes(P256_PUBLIC_KEY_BYTES).slice()
  // Rights of later versions are not ours to refuse.
  const rights = reader.u8()
  const mayHost = (rights & MAY_HOST) !== 0
  const successor = (rights & SUCCESSOR) !== 0
  const pairing = reader.bytes(reader.u32()).slice()
  reader.end()
  return { kind: 'granted', grant: { ...proof, sessionId, staticKey, mayHost, successor, pairing } }
}

function readDeviceProof(reader: ByteReader): DeviceProof {
  return {
    deviceKey: reader.bytes(DEVICE_KEY_BYTES).slice(),
    signature: reader.bytes(SIGNATURE_BYTES).slice(),
  }
}

function parseNumbered(record: Uint8Array, number: number, what: string): Uint8Array {
  const reader = new ByteReader(record, what)
  const got = reader.u8()
  if (got !== number) throw reader.violation(`expected it to begin with ${number}, got ${got}`)
  return reader.rest()
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

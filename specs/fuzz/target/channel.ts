/** Decoders of what comes over a link before or below the messages of relays: PROTOCOL §7 to §9, §11. */
import {
  encodeDatabaseRegistration,
  encodeIntroduction,
  encodeInviteRegistration,
  encodeRequest,
  encodeReset,
  encodeResponse,
  parseDatabaseRegistration,
  parseIntroduction,
  parseInviteRegistration,
  parseRequest,
  parseReset,
  parseResponse,
} from '../../../actors/connection/request.ts'
import { BlazeError, nodeCrypto } from '../../../runtime/index.ts'
import { encodeErrorBody, parseErrorBody } from '../../../transports/channel/error-body.ts'
import { FRAME_HEADER_BYTES, layFrame, readFrames } from '../../../transports/channel/frame.ts'
import {
  encodeDeviceProof,
  encodeFeatures,
  encodeGrant,
  encodeHello,
  encodeVerify,
  encodeWelcome,
  encodeWelcomePayload,
  parseComplete,
  parseDeviceProof,
  parseFeatures,
  parseHello,
  parseRefusal,
  parseVerify,
  parseWelcome,
  parseWelcomePayload,
} from '../../../transports/channel/handshake-message.ts'
import { Inbox } from '../../../transports/channel/inbox.ts'
import { StreamTable } from '../../../transports/channel/stream.ts'
import { parseEndpoint } from '../../../transports/endpoint.ts'
import { RecordSplitter } from '../../../transports/record-splitter.ts'
import { createHandshake, createP256Dh } from '../../../transports/noise/index.ts'
import type { FuzzTarget } from '../fuzz.ts'

const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const point = nodeCrypto.createP256(fill(32, 3)).publicKey
const proof = { deviceKey: fill(32, 1), signature: fill(64, 2) }
const violation = ['PROTOCOL_VIOLATION'] as const

function frame(type: number, stream: number, body: Uint8Array, more = false): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length)
  layFrame(bytes, 0, { type, more, stream }, body)
  return bytes
}

const record = Uint8Array.of(
  ...frame(8, 1, fill(16, 0)),
  ...frame(16, 1, fill(5, 1), true),
  ...frame(1, 0, fill(8, 2)),
  ...frame(3, 1, Uint8Array.of(0, 0, 0, 0)),
  ...frame(16, 1, fill(3, 3)),
  ...frame(6, 0, encodeRequest({ id: 1, operation: 1, body: fill(20, 4) })),
  ...frame(9, 1, encodeErrorBody(3, 'over')),
  ...frame(4, 0, encodeErrorBody(0, '')),
)

/** What gathers the frames of a channel, with credit and bounds. */
function readInbox(bytes: Uint8Array): void {
  const streams = new StreamTable('acceptor')
  new Inbox(streams, {
    message: () => undefined,
    own: () => undefined,
    ended: (stream) => streams.end(stream.id),
    alive: () => true,
  }).read(bytes)
}

function split(bytes: Uint8Array): void {
  const splitter = new RecordSplitter()
  // In pieces, as a socket gives them.
  for (let at = 0; at < bytes.length; at += 7) {
    splitter.add(bytes.subarray(at, at + 7))
    while (splitter.next() !== undefined);
  }
}

/** Message 1 of XK, as a server reads it. */
function readNoise(bytes: Uint8Array): void {
  const dh = createP256Dh(nodeCrypto)
  const staticKey = dh.fromPrivate(fill(32, 1))
  const prologue = fill(40, 5)
  const entropy = (length: number): Uint8Array => fill(length, 6)
  createHandshake({
    pattern: 'XK',
    dh,
    crypto: nodeCrypto,
    initiator: false,
    prologue,
    staticKey,
    entropy,
  }).readMessage(bytes)
}

function noiseHello(): Uint8Array {
  const dh = createP256Dh(nodeCrypto)
  return createHandshake({
    pattern: 'XK',
    dh,
    crypto: nodeCrypto,
    initiator: true,
    prologue: fill(40, 5),
    staticKey: dh.fromPrivate(fill(32, 2)),
    remoteStatic: dh.fromPrivate(fill(32, 1)).publicKey,
    entropy: (length) => fill(length, 6),
  }).writeMessage(encodeFeatures())
}

export const channelTargets: readonly FuzzTarget[] = [
  {
    name: 'records of a stream',
    codes: violation,
    decode: split,
    seeds: [Uint8Array.of(0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 1, 9)],
  },
  {
    name: 'frames of a record',
    codes: violation,
    decode: (bytes) => readFrames(bytes, () => true),
    seeds: [record],
  },
  {
    name: 'messages of a channel',
    codes: ['PROTOCOL_VIOLATION', 'FRAME_TOO_LARGE'],
    decode: readInbox,
    seeds: [record],
  },
  {
    name: 'hello',
    codes: violation,
    decode: parseHello,
    seeds: [
      encodeHello({ pattern: 'XK', id: new Uint8Array(0), message: fill(85, 1) }),
      encodeHello({ pattern: 'XXpsk3', id: fill(16, 7), message: fill(85, 1) }),
    ],
  },
  {
    name: 'Noise message',
    codes: ['PROTOCOL_VIOLATION', 'HANDSHAKE_FAILED'],
    decode: readNoise,
    seeds: [noiseHello()],
  },
  { name: 'features', codes: violation, decode: parseFeatures, seeds: [encodeFeatures()] },
  { name: 'welcome', codes: violation, decode: parseWelcome, seeds: [encodeWelcome(fill(120, 1))] },
  {
    name: 'payload of welcome',
    codes: violation,
    decode: parseWelcomePayload,
    seeds: [encodeWelcomePayload({ challenge: fill(32, 1), timeMs: 1_700_000_000_000, streamsMax: 1_024 })],
  },
  { name: 'verify', codes: violation, decode: parseVerify, seeds: [encodeVerify(fill(120, 1))] },
  {
    name: 'proof of a device',
    codes: violation,
    decode: parseDeviceProof,
    seeds: [encodeDeviceProof(proof)],
  },
  { name: 'refusal', codes: [], decode: parseRefusal, seeds: [Uint8Array.of(255, 1)] },
  {
    name: 'complete',
    codes: violation,
    decode: parseComplete,
    seeds: [
      encodeGrant({
        ...proof,
        sessionId: fill(16, 4),
        staticKey: point,
        mayHost: true,
        successor: false,
        pairing: fill(30, 5),
      }),
      encodeErrorBody(4, 'no such code'),
    ],
  },
  {
    name: 'text of an error',
    codes: violation,
    decode: (bytes) => parseErrorBody(bytes, 'bye'),
    seeds: [encodeErrorBody(3, 'nö ☕')],
  },
  {
    name: 'request',
    codes: violation,
    decode: parseRequest,
    seeds: [encodeRequest({ id: 7, operation: 1, body: fill(9, 1) })],
  },
  {
    name: 'response',
    codes: violation,
    decode: parseResponse,
    seeds: [
      encodeResponse({ id: 7, body: fill(9, 1) }),
      encodeResponse({ id: 7, code: 'FORBIDDEN', text: 'not you' }),
    ],
  },
  {
    name: 'reset',
    codes: violation,
    decode: parseReset,
    seeds: [encodeReset(new BlazeError('FORBIDDEN', 'not you'))],
  },
  {
    name: 'database registration',
    codes: violation,
    decode: parseDatabaseRegistration,
    seeds: [encodeDatabaseRegistration({ name: 'bügs', spaceId: fill(16, 1) })],
  },
  {
    name: 'introduction',
    codes: violation,
    decode: parseIntroduction,
    seeds: [encodeIntroduction({ spaceId: fill(16, 1), entries: [fill(80, 2), fill(300, 3)] })],
  },
  {
    name: 'invite registration',
    codes: violation,
    decode: parseInviteRegistration,
    seeds: [
      encodeInviteRegistration({
        inviteId: fill(16, 1),
        spaceId: fill(16, 2),
        channelKey: fill(32, 3),
        role: 3,
        expiresMs: 1_700_000_000_000,
        box: fill(80, 4),
      }),
    ],
  },
  {
    name: 'endpoint',
    codes: ['BAD_CONFIG'],
    decode: (bytes) => parseEndpoint(Buffer.from(bytes).toString('utf8')),
    seeds: [
      'tls://127.0.0.1:8080',
      'tls://[::1]:8080',
      'memory://pi:1',
      'wss://pi:8080/sync',
      'ws://127.0.0.1:1/sync?channelBinding=none',
      'uds:/home/jo/group#bugs%20x',
    ].map(text),
    hostile: [text(`uds:/${'%'.repeat(9_000)}#a`), text(`tls://${'['.repeat(9_000)}:1`)],
  },
]

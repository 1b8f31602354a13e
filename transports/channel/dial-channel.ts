/**
 * The dialling side of the secure channel: proves who we are to a server that we know by its key, or by a code.
 * Invariant: nothing that the server says is applied before its *complete* has verified.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { CryptoProvider, Env, Signer } from '../../runtime/index.ts'
import type { Link } from '../link.ts'
import { createHandshake, createP256Dh } from '../noise/index.ts'
import type { Channel } from './channel.ts'
import { frameType, readFrames, violation } from './frame.ts'
import { HandshakeExchange } from './handshake-exchange.ts'
import {
  deviceProofBytes,
  encodeDeviceProof,
  encodeFeatures,
  encodeHello,
  encodePrologue,
  encodeVerify,
  PAIRING_ID_BYTES,
  parseComplete,
  parseRefusal,
  parseWelcome,
  parseWelcomePayload,
  serverProofBytes,
} from './handshake-message.ts'
import type { Grant, RefusalReason } from './handshake-message.ts'
import { createRecordCipher } from './record-cipher.ts'
import type { RecordCipher } from './record-cipher.ts'
import { SecureChannel } from './secure-channel.ts'

interface DialIdentity {
  readonly env: Env
  readonly crypto: CryptoProvider
  /** Our P-256 private key, 32 bytes. */
  readonly staticKey: Uint8Array
  readonly device: Signer
  /** Bind the channel to the link. Default true; both endpoints are configured alike. */
  readonly bound?: boolean
}

export type DialChannelOptions = DialIdentity &
  (
    | {
        readonly pattern: 'XK'
        readonly serverKey: Uint8Array
        /** The server's Ed25519 key as pairing told it: only this one may name another key to pin. Absent: none may. */
        readonly serverDevice?: Uint8Array
      }
    | {
        readonly pattern: 'XXpsk3'
        /** Of the code or invite, 16 bytes. */
        readonly id: Uint8Array
        /** 32 bytes. */
        readonly psk: Uint8Array
        /** The key that the server has to own for good, when the code names it. */
        readonly expectServerKey?: Uint8Array
      }
  )

export interface ChannelServer {
  /** Ed25519, 32 bytes. */
  readonly deviceKey: Uint8Array
  /** P-256, 65 bytes: the key to pin; under XK another than was dialled only where the server's device signed it as its successor. */
  readonly staticKey: Uint8Array
  readonly rights: { readonly mayHost: boolean }
  readonly pairing: Uint8Array
  /** The server's clock at its welcome, ms since the epoch. */
  readonly timeMs: number
  readonly sessionId: Uint8Array
}

/**
 * Takes the link over; on any failure it is ended. Rejects with the code of the server's *complete*, or `SERVER_KEY_MISMATCH`,
 * `CODE_INVALID` (the code is unknown or wrong), `BUSY`, `HANDSHAKE_TIMEOUT`, `HANDSHAKE_FAILED`, `LINK_CLOSED`,
 * `PROTOCOL_VIOLATION`.
 */
export async function dialChannel(
  link: Link,
  options: DialChannelOptions,
): Promise<{ channel: Channel; server: ChannelServer }> {
  const exchange = new HandshakeExchange(options.env, link)
  try {
    const { grant, cipher, timeMs, streamsMax } = await shake(exchange, link, options)
    exchange.release()
    const { deviceKey, staticKey, sessionId, pairing, mayHost } = grant
    const { env } = options
    return {
      channel: new SecureChannel({ env, link, cipher, role: 'dialer', sessionId, streamsMax }),
      server: { deviceKey, staticKey, rights: { mayHost }, pairing, timeMs, sessionId },
    }
  } catch (error) {
    exchange.abandon(error)
    throw error
  }
}

interface Shaken {
  readonly grant: Grant
  readonly cipher: RecordCipher
  readonly timeMs: number
  readonly streamsMax: number
}

async function shake(exchange: HandshakeExchange, link: Link, options: DialChannelOptions): Promise<Shaken> {
  const { crypto, env, pattern } = options
  const dh = createP256Dh(crypto)
  const staticKey = dh.fromPrivate(options.staticKey)
  const id = pattern === 'XK' ? new Uint8Array(0) : options.id
  if (pattern !== 'XK' && id.length !== PAIRING_ID_BYTES) {
    throw new TypeError(`id: expected ${PAIRING_ID_BYTES} bytes, got ${id.length}`)
  }
  const binding = options.bound === false ? new Uint8Array(0) : link.binding
  const handshake = createHandshake({
    pattern,
    dh,
    crypto,
    initiator: true,
    prologue: encodePrologue(pattern, id, binding),
    staticKey,
    ...(pattern === 'XK' ? { remoteStatic: options.serverKey } : { psk: options.psk }),
    entropy: (bytes) => env.entropy(bytes),
  })

  exchange.send(encodeHello({ pattern, id, message: handshake.writeMessage(encodeFeatures()) }))
  const answer = await exchange.next()
  const refusal = parseRefusal(answer)
  if (refusal !== undefined) throw refusedHello(refusal, options, link.remote)
  const welcome = parseWelcomePayload(handshake.readMessage(parseWelcome(answer)))

  const proof = deviceProofBytes(handshake.handshakeHash, welcome.challenge, staticKey.publicKey)
  const { device } = options
  const payload = encodeDeviceProof({ deviceKey: device.publicKey, signature: device.sign(proof) })
  exchange.send(encodeVerify(handshake.writeMessage(payload)))
  const transcript = handshake.handshakeHash
  const cipher = createRecordCipher(handshake.split())

  const last = await exchange.next()
  const lateRefusal = parseRefusal(last)
  if (lateRefusal !== undefined) throw refusedVerify(lateRefusal, options)
  const grant = openComplete(cipher, last, link.remote)
  checkGrant(grant, transcript, options)
  return { grant, cipher, timeMs: welcome.timeMs, streamsMax: welcome.streamsMax }
}

function openComplete(cipher: RecordCipher, record: Uint8Array, remote: string): Grant {
  const plaintext = cipher.open(record)
  if (plaintext === undefined) {
    throw new BlazeError('LINK_CLOSED', `a record from ${remote} did not authenticate`)
  }
  let frames = 0
  let body = plaintext
  readFrames(plaintext, (head, frame) => {
    frames++
    if (frames > 1 || head.type !== frameType.complete || head.more || head.stream !== 0) {
      throw violation('expected nothing but a complete')
    }
    body = frame
    return true
  })
  const complete = parseComplete(body)
  if (complete.kind === 'denied') throw new BlazeError(complete.code, complete.text)
  return complete.grant
}

function checkGrant(grant: Grant, transcript: Uint8Array, options: DialChannelOptions): void {
  const { crypto } = options
  const proof = serverProofBytes(transcript, grant.sessionId, grant.staticKey)
  if (!crypto.createVerifier(grant.deviceKey).verify(proof, grant.signature)) {
    throw new BlazeError('HANDSHAKE_FAILED', 'the proof of the server does not verify')
  }
  const expected = options.pattern === 'XK' ? options.serverKey : options.expectServerKey
  if (expected === undefined || crypto.equal(expected, grant.staticKey)) return
  if (isSuccessor(grant, options)) return
  throw new BlazeError(
    'SERVER_KEY_MISMATCH',
    options.pattern === 'XK'
      ? 'the server names another key than the pinned one, and the device known from pairing has not signed the change'
      : 'the server has another key than the one in the code: the key was changed since the code was made, or another server answers; make a new code on the server',
  )
}

/** The handshake has proven the old key, and `checkGrant` the signature over this session and the new one. */
function isSuccessor(grant: Grant, options: DialChannelOptions): boolean {
  if (options.pattern !== 'XK' || options.serverDevice === undefined || !grant.successor) return false
  return options.crypto.equal(options.serverDevice, grant.deviceKey)
}

function refusedHello(reason: RefusalReason, options: DialChannelOptions, remote: string): BlazeError {
  if (reason === 'busy' || options.pattern !== 'XK') return refusedVerify(reason, options)
  return new BlazeError(
    'SERVER_KEY_MISMATCH',
    `${remote} does not own the pinned key: it was set up anew, or somebody answers in its place`,
  )
}

function refusedVerify(reason: RefusalReason, options: DialChannelOptions): BlazeError {
  if (reason === 'busy') return new BlazeError('BUSY', 'the server takes no more connections now')
  return options.pattern === 'XK'
    ? new BlazeError('HANDSHAKE_FAILED', 'the server refused our proof')
    : new BlazeError(
        'CODE_INVALID',
        'the server does not know this code or invite; perhaps another server made it',
      )
}

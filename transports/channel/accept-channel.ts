/**
 * The accepting side of the secure channel: learns who dials, by key or by code, and says yes or no.
 * Invariant: until the client has proven itself the only answers are `refused` and `busy`; after that it gets the exact code.
 */
import { assert, BlazeError, errorNumber, limits } from '../../runtime/index.ts'
import type { CryptoProvider, Env, ErrorCode, Signer } from '../../runtime/index.ts'
import type { Link } from '../link.ts'
import { createHandshake, createP256Dh } from '../noise/index.ts'
import type { Handshake } from '../noise/index.ts'
import type { Channel } from './channel.ts'
import { encodeErrorBody } from './error-body.ts'
import { FRAME_HEADER_BYTES, frameType, layFrame } from './frame.ts'
import type { HeldBytes } from './held-bytes.ts'
import { HandshakeExchange } from './handshake-exchange.ts'
import {
  CHALLENGE_BYTES,
  deviceProofBytes,
  encodeGrant,
  encodePrologue,
  encodeRefusal,
  encodeWelcome,
  encodeWelcomePayload,
  PAIRING_RESULT_BYTES_MAX,
  parseDeviceProof,
  parseFeatures,
  parseHello,
  parseVerify,
  serverProofBytes,
  SESSION_ID_BYTES,
} from './handshake-message.ts'
import type { ChannelPattern, DeviceProof, Hello, RefusalReason } from './handshake-message.ts'
import { createRecordCipher } from './record-cipher.ts'
import type { RecordCipher } from './record-cipher.ts'
import { SecureChannel } from './secure-channel.ts'

/** A client that has proven itself. */
export interface ProvenClient {
  /** Ed25519, 32 bytes. */
  readonly deviceKey: Uint8Array
  /** P-256, 65 bytes. */
  readonly staticKey: Uint8Array
  readonly pattern: ChannelPattern
  /** Of the code or invite, 16 bytes; empty for XK. */
  readonly id: Uint8Array
}

/** `pairing`: at most 60,000 bytes. */
export type Authorization =
  | { readonly ok: true; readonly mayHost: boolean; readonly pairing: Uint8Array }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

export interface AcceptChannelOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  /** The P-256 private key that clients pin, 32 bytes. */
  readonly staticKey: Uint8Array
  /** Keys that it took the place of: who still pins one learns the present key, and no less than that. */
  readonly retiredKeys?: readonly Uint8Array[]
  /** Another one, for pairing only. */
  readonly pairingStaticKey: Uint8Array
  readonly device: Signer
  /** What all channels of this server hold together. */
  readonly held?: HeldBytes | undefined
  /** Bind the channel to the link. Default true; both endpoints are configured alike. */
  readonly bound?: boolean
  /** The key of a code or invite, 32 bytes; also of a used or expired one, which `authorize` refuses with its exact code. */
  psk(id: Uint8Array): Promise<Uint8Array | undefined> | Uint8Array | undefined
  authorize(client: ProvenClient): Promise<Authorization> | Authorization
}

/**
 * Takes the link over; on any failure it is ended. Rejects with the code of `authorize`, or `CODE_INVALID`, `HANDSHAKE_TIMEOUT`,
 * `HANDSHAKE_FAILED`, `LINK_CLOSED`, `PROTOCOL_VIOLATION`; what `psk` or `authorize` throws comes through.
 */
export async function acceptChannel(
  link: Link,
  options: AcceptChannelOptions,
): Promise<{ channel: Channel; client: ProvenClient & { readonly mayHost: boolean } }> {
  const { env } = options
  const exchange = new HandshakeExchange(env, link)
  try {
    const { handshake, hello, staticKey, successor } = await welcome(exchange, link, options)
    const { client, transcript, cipher } = await verify(exchange, handshake, hello, options)

    const authorization = await exchange.within(options.authorize(client))
    if (!authorization.ok) {
      const { code, message } = authorization
      exchange.refuse(sealComplete(cipher, encodeErrorBody(errorNumber(code), message)))
      throw new BlazeError(code, message)
    }
    const { mayHost, pairing } = authorization
    if (pairing.length > PAIRING_RESULT_BYTES_MAX) {
      throw new TypeError(
        `pairing: expected at most ${PAIRING_RESULT_BYTES_MAX} bytes, got ${pairing.length}`,
      )
    }
    const sessionId = env.entropy(SESSION_ID_BYTES)
    const { device } = options
    const signature = device.sign(serverProofBytes(transcript, sessionId, staticKey))
    const deviceKey = device.publicKey
    exchange.send(
      sealComplete(
        cipher,
        encodeGrant({ deviceKey, signature, sessionId, staticKey, mayHost, successor, pairing }),
      ),
    )
    exchange.release()
    const streamsMax = limits.streamsMax
    return {
      channel: new SecureChannel({
        env,
        link,
        cipher,
        role: 'acceptor',
        sessionId,
        streamsMax,
        held: options.held,
      }),
      client: { ...client, mayHost },
    }
  } catch (error) {
    exchange.abandon(error)
    throw error
  }
}

/** Turns a link away without a handshake, as `busy` when the server is at its limit. */
export function refuseLink(link: Link, reason: RefusalReason): void {
  link.send(encodeRefusal(reason))
  link.close()
}

interface Welcomed {
  readonly handshake: Handshake
  readonly hello: Hello & { readonly challenge: Uint8Array }
  /** The public key to pin. */
  readonly staticKey: Uint8Array
  /** The client dialled a key that is retired. */
  readonly successor: boolean
}

async function welcome(
  exchange: HandshakeExchange,
  link: Link,
  options: AcceptChannelOptions,
): Promise<Welcomed> {
  const { crypto, env } = options
  const record = await exchange.next()
  const challenge = env.entropy(CHALLENGE_BYTES)
  try {
    const hello = parseHello(record)
    const { id, pattern } = hello
    const psk = pattern === 'XK' ? undefined : await exchange.within(options.psk(id))
    if (pattern !== 'XK' && psk === undefined) {
      throw new BlazeError('CODE_INVALID', 'a client came with an unknown code or invite')
    }
    const dh = createP256Dh(crypto)
    const pinned = dh.fromPrivate(options.staticKey)
    const respond = (key: Uint8Array): Answered => {
      const handshake = createHandshake({
        pattern,
        dh,
        crypto,
        initiator: false,
        prologue: encodePrologue(pattern, id, options.bound === false ? new Uint8Array(0) : link.binding),
        staticKey: key === options.staticKey ? pinned : dh.fromPrivate(key),
        ...(psk === undefined ? {} : { psk }),
        entropy: (bytes) => env.entropy(bytes),
      })
      return { handshake, features: handshake.readMessage(hello.message), successor: key !== keys[0] }
    }
    const keys =
      pattern === 'XK' ? [options.staticKey, ...(options.retiredKeys ?? [])] : [options.pairingStaticKey]
    const { handshake, features, successor } = respondWith(keys, respond)
    parseFeatures(features)
    const payload = encodeWelcomePayload({ challenge, timeMs: env.now(), streamsMax: limits.streamsMax })
    exchange.send(encodeWelcome(handshake.writeMessage(payload)))
    return { handshake, hello: { ...hello, challenge }, staticKey: pinned.publicKey, successor }
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'BUSY') exchange.refuse(encodeRefusal('busy'))
    else if (isRefusable(error)) exchange.refuse(encodeRefusal('refused'))
    throw error
  }
}

interface Answered {
  readonly handshake: Handshake
  readonly features: Uint8Array
  readonly successor: boolean
}

/** With the first of the keys that the hello was made to. Throws what the last one says when it was made to none. */
function respondWith(
  [key, ...others]: readonly Uint8Array[],
  respond: (key: Uint8Array) => Answered,
): Answered {
  assert(key !== undefined, 'a server has a key')
  if (others.length === 0) return respond(key)
  try {
    return respond(key)
  } catch (error) {
    if (!(error instanceof BlazeError && error.code === 'HANDSHAKE_FAILED')) throw error
    return respondWith(others, respond)
  }
}

interface Verified {
  readonly client: ProvenClient
  readonly transcript: Uint8Array
  readonly cipher: RecordCipher
}

async function verify(
  exchange: HandshakeExchange,
  handshake: Handshake,
  { pattern, id, challenge }: Welcomed['hello'],
  options: AcceptChannelOptions,
): Promise<Verified> {
  // A record that is no verify came by a damaged link: there is nothing to say to it.
  const message = parseVerify(await exchange.next())
  const hash = handshake.handshakeHash
  let proof: DeviceProof
  try {
    proof = parseDeviceProof(handshake.readMessage(message))
  } catch (error) {
    // In pairing this is how a wrong psk shows. Under XK our welcome has proven us: only damage is left.
    if (pattern !== 'XK' && isRefusable(error)) exchange.refuse(encodeRefusal('refused'))
    throw error
  }
  const staticKey = handshake.remoteStatic
  const verifier = options.crypto.createVerifier(proof.deviceKey)
  if (
    staticKey === undefined ||
    !verifier.verify(deviceProofBytes(hash, challenge, staticKey), proof.signature)
  ) {
    exchange.refuse(encodeRefusal('refused'))
    throw new BlazeError('HANDSHAKE_FAILED', 'the proof of the client does not verify')
  }
  return {
    client: { deviceKey: proof.deviceKey, staticKey, pattern, id },
    transcript: handshake.handshakeHash,
    cipher: createRecordCipher(handshake.split()),
  }
}

/** The peer is wrong, and not merely gone. */
function isRefusable(error: unknown): boolean {
  if (!(error instanceof BlazeError)) return false
  return (
    error.code === 'PROTOCOL_VIOLATION' || error.code === 'HANDSHAKE_FAILED' || error.code === 'CODE_INVALID'
  )
}

function sealComplete(cipher: RecordCipher, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length)
  layFrame(frame, 0, { type: frameType.complete, more: false, stream: 0 }, body)
  return cipher.seal(frame)
}

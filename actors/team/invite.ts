/**
 * What one invite secret is split into, PROTOCOL §9: a channel key for the server, a box key and a join key that it never has.
 * Invariant: no function here hands two of the three to the same place, and the box opens only with its key, id and space.
 */
import {
  AEAD_NONCE_BYTES,
  BlazeError,
  ByteReader,
  ByteWriter,
  concatBytes,
  equalBytes,
  limits,
} from '../../runtime/index.ts'
import type { CryptoProvider, Env, Signer } from '../../runtime/index.ts'
import { encodeDeviceKeys } from './device.ts'
import type { DeviceKeys } from './device.ts'

const BOX_VERSION = 1
const BOX_DOMAIN = new TextEncoder().encode('blazedb/box/1')
const JOIN_DOMAIN = new TextEncoder().encode('blazedb/join/1')

export interface InviteKeys {
  /** 32 bytes, registered with the server: psk of the pairing handshake. */
  readonly channelKey: Uint8Array
  /** 32 bytes, members only. */
  readonly boxKey: Uint8Array
  /** Members only; its public half stands in the invite entry. */
  readonly joinSigner: Signer
}

export interface NewInvite {
  /** 16 bytes, public. */
  readonly inviteId: Uint8Array
  /** 32 bytes; stands in the invite's URL and nowhere else. */
  readonly secret: Uint8Array
  readonly keys: InviteKeys
}

/** What a newcomer receives. */
export interface BoxContents {
  readonly spaceId: Uint8Array
  readonly tagKey: Uint8Array
  /** Hash of the invite entry: pins the log up to it. */
  readonly inviteHash: Uint8Array
  readonly epochs: readonly { readonly epoch: number; readonly key: Uint8Array }[]
}

export function createInvite(options: { crypto: CryptoProvider; env: Env; spaceId: Uint8Array }): NewInvite {
  const { crypto, env, spaceId } = options
  const inviteId = env.entropy(16)
  const secret = env.entropy(32)
  return { inviteId, secret, keys: deriveInviteKeys({ crypto, secret, spaceId }) }
}

export function deriveInviteKeys(options: {
  crypto: CryptoProvider
  secret: Uint8Array
  spaceId: Uint8Array
}): InviteKeys {
  const { crypto, secret, spaceId } = options
  const derive = (name: string): Uint8Array =>
    crypto.hkdfSha256(secret, spaceId, `blazedb/invite/${name}`, 32)
  return {
    channelKey: derive('channel'),
    boxKey: derive('box'),
    joinSigner: crypto.createSigner(derive('join')),
  }
}

export function sealBox(options: {
  crypto: CryptoProvider
  env: Env
  boxKey: Uint8Array
  inviteId: Uint8Array
  contents: BoxContents
}): Uint8Array {
  const { crypto, env, boxKey, inviteId, contents } = options
  const { spaceId, tagKey, inviteHash, epochs } = contents
  if (epochs.length > limits.boxEpochsMax)
    throw new TypeError(`epochs: expected at most ${limits.boxEpochsMax}, got ${epochs.length}`)
  const writer = new ByteWriter(256).u8(BOX_VERSION).bytes(spaceId).bytes(tagKey).bytes(inviteHash)
  writer.u16(epochs.length)
  for (const { epoch, key } of epochs) writer.u32(epoch).bytes(key)
  const nonce = env.entropy(AEAD_NONCE_BYTES)
  const sealed = crypto.createAead(boxKey).seal(nonce, boxData(inviteId, spaceId), writer.finish())
  return concatBytes([nonce, sealed])
}

/** `CODE_INVALID` unless the box was sealed with this key for this invite, space and invite entry. */
export function openBox(options: {
  crypto: CryptoProvider
  boxKey: Uint8Array
  inviteId: Uint8Array
  spaceId: Uint8Array
  /** As the invite's URL names it. */
  inviteHash: Uint8Array
  box: Uint8Array
}): BoxContents {
  const { crypto, boxKey, inviteId, spaceId, inviteHash, box } = options
  const nonce = box.subarray(0, AEAD_NONCE_BYTES)
  const plaintext =
    nonce.length === AEAD_NONCE_BYTES
      ? crypto.createAead(boxKey).open(nonce, boxData(inviteId, spaceId), box.subarray(AEAD_NONCE_BYTES))
      : undefined
  if (plaintext === undefined)
    throw new BlazeError(
      'CODE_INVALID',
      'expected the box of this invite, got one that its secret does not open',
    )
  const contents = parseBox(plaintext)
  if (!equalBytes(contents.spaceId, spaceId) || !equalBytes(contents.inviteHash, inviteHash))
    throw new BlazeError('CODE_INVALID', 'expected the box of this invite, got one that names another invite')
  return contents
}

/** The join key's signature over the newcomer's keys, for the body of the join entry. */
export function signJoin(options: {
  joinSigner: Signer
  spaceId: Uint8Array
  inviteHash: Uint8Array
  keys: DeviceKeys
}): Uint8Array {
  return options.joinSigner.sign(joinMessage(options))
}

export function verifyJoin(options: {
  crypto: CryptoProvider
  joinKey: Uint8Array
  spaceId: Uint8Array
  inviteHash: Uint8Array
  keys: DeviceKeys
  joinSignature: Uint8Array
}): boolean {
  return options.crypto.createVerifier(options.joinKey).verify(joinMessage(options), options.joinSignature)
}

function joinMessage(options: { spaceId: Uint8Array; inviteHash: Uint8Array; keys: DeviceKeys }): Uint8Array {
  return concatBytes([JOIN_DOMAIN, options.spaceId, options.inviteHash, encodeDeviceKeys(options.keys)])
}

function boxData(inviteId: Uint8Array, spaceId: Uint8Array): Uint8Array {
  return concatBytes([BOX_DOMAIN, inviteId, spaceId])
}

function parseBox(plaintext: Uint8Array): BoxContents {
  const reader = new ByteReader(plaintext, 'invite box')
  const version = reader.u8()
  if (version !== BOX_VERSION) throw reader.violation(`expected version ${BOX_VERSION}, got ${version}`)
  const spaceId = reader.bytes(16)
  const tagKey = reader.bytes(32)
  const inviteHash = reader.bytes(32)
  const count = reader.u16()
  if (count > limits.boxEpochsMax)
    throw reader.violation(`expected at most ${limits.boxEpochsMax} epochs, got ${count}`)
  const epochs: { epoch: number; key: Uint8Array }[] = []
  for (let i = 0; i < count; i++) epochs.push({ epoch: reader.u32(), key: reader.bytes(32) })
  reader.end()
  return { spaceId, tagKey, inviteHash, epochs }
}

/** Runs one Noise vector in the cacophony layout, and describes what it must give. */
import * as assert from 'uvu/assert'

import type { CryptoProvider } from '../../../runtime/index.ts'
import { createHandshake } from '../../../transports/noise/index.ts'
import type { CipherState, DhFunction, Handshake, PatternName } from '../../../transports/noise/index.ts'
import { fromHex, toHex } from '../../runtime/crypto/shared-vector.ts'

export interface NoiseVector {
  readonly protocol_name: string
  readonly init_prologue: string
  readonly init_ephemeral: string
  readonly init_static?: string
  readonly init_remote_static?: string
  readonly init_psks?: readonly string[]
  readonly resp_prologue: string
  readonly resp_ephemeral: string
  readonly resp_static?: string
  readonly resp_remote_static?: string
  readonly resp_psks?: readonly string[]
  readonly handshake_hash: string
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[]
}

/** What both ends produced when the vector's payloads were sent. */
export interface Transcript {
  readonly ciphertexts: readonly string[]
  readonly handshakeHash: string
  readonly rekeyed: readonly string[]
}

const EMPTY = new Uint8Array(0)

/** Sends every payload of the vector from one end to the other and asserts that it arrives. */
export function runVector(vector: NoiseVector, dh: DhFunction, crypto: CryptoProvider): Transcript {
  const ends = [end(vector, 'init', dh, crypto), end(vector, 'resp', dh, crypto)] as const
  const ciphertexts: string[] = []
  let ciphers: readonly { send: CipherState; receive: CipherState }[] | undefined

  vector.messages.forEach(({ payload }, index) => {
    const [from, to] = index % 2 === 0 ? [0, 1] : [1, 0]
    const plain = fromHex(payload)
    if (!ends[0].finished) {
      const message = ends[from]?.writeMessage(plain) ?? EMPTY
      ciphertexts.push(toHex(message))
      assert.is(toHex(ends[to]?.readMessage(message) ?? EMPTY), payload, `payload ${index}`)
      return
    }
    ciphers ??= ends.map((one) => one.split())
    const message = ciphers[from]?.send.encrypt(EMPTY, plain) ?? EMPTY
    ciphertexts.push(toHex(message))
    assert.is(toHex(ciphers[to]?.receive.decrypt(EMPTY, message) ?? EMPTY), payload, `payload ${index}`)
  })

  assert.ok(ends[0].finished && ends[1].finished, 'both ends finished')
  assert.is(toHex(ends[0].handshakeHash), toHex(ends[1].handshakeHash))
  ciphers ??= ends.map((one) => one.split())
  return { ciphertexts, handshakeHash: toHex(ends[0].handshakeHash), rekeyed: ciphers.map(rekeyOnce) }
}

/** The first message after a rekey, so that frozen vectors cover it too. */
function rekeyOnce(ciphers: { send: CipherState; receive: CipherState }): string {
  ciphers.send.rekey()
  return toHex(ciphers.send.encrypt(EMPTY, EMPTY))
}

function end(vector: NoiseVector, side: 'init' | 'resp', dh: DhFunction, crypto: CryptoProvider): Handshake {
  const staticKey = vector[`${side}_static`]
  const remoteStatic = vector[`${side}_remote_static`]
  const psk = vector[`${side}_psks`]?.[0]
  return createHandshake({
    pattern: patternOf(vector) as PatternName,
    dh,
    crypto,
    initiator: side === 'init',
    prologue: fromHex(vector[`${side}_prologue`]),
    ephemeralKey: dh.fromPrivate(fromHex(vector[`${side}_ephemeral`])),
    ...(staticKey === undefined ? {} : { staticKey: dh.fromPrivate(fromHex(staticKey)) }),
    ...(remoteStatic === undefined ? {} : { remoteStatic: fromHex(remoteStatic) }),
    ...(psk === undefined ? {} : { psk: fromHex(psk) }),
    entropy: () => {
      throw new Error('a vector names its ephemeral keys')
    },
  })
}

/** The pattern out of `Noise_PATTERN_DH_CIPHER_HASH`. */
export function patternOf(vector: NoiseVector): string {
  return vector.protocol_name.split('_')[1] ?? ''
}

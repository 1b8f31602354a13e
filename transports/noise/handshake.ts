/**
 * One end of a Noise handshake, revision 34 (HandshakeState, §5.3, with psk tokens of §9), AESGCM and SHA256.
 * Invariant: the messages go strictly in turn; after the first fault nothing is written, read or split any more.
 */

import { AEAD_TAG_BYTES, BlazeError, assert } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { NOISE_MESSAGE_BYTES_MAX } from './cipher-state.ts'
import type { CipherState } from './cipher-state.ts'
import type { DhFunction, DhKey } from './dh-function.ts'
import { parsePattern } from './pattern.ts'
import type { Pattern, PatternName, Token } from './pattern.ts'
import { SymmetricState, concat } from './symmetric-state.ts'

export interface HandshakeOptions {
  readonly pattern: PatternName
  readonly dh: DhFunction
  readonly crypto: CryptoProvider
  readonly initiator: boolean
  /** Mixed into the transcript: two ends with different prologues never agree. */
  readonly prologue: Uint8Array
  /** Our static key; needed where the pattern sends it or the peer knows it. */
  readonly staticKey?: DhKey
  /** Set by specs that replay vectors; else drawn from `entropy`. */
  readonly ephemeralKey?: DhKey
  /** The peer's static public key; needed where the pattern presumes it known, refused elsewhere. */
  readonly remoteStatic?: Uint8Array
  /** 32 bytes; needed by psk patterns, refused elsewhere. */
  readonly psk?: Uint8Array
  readonly entropy: (bytes: number) => Uint8Array
}

export interface Handshake {
  /** The next message with that payload. Asserts that it is our turn. `TypeError` above 65,535 bytes in all. */
  writeMessage(payload: Uint8Array): Uint8Array
  /** The payload of the peer's next message. `HANDSHAKE_FAILED` on anything wrong, and the handshake is over. */
  readMessage(message: Uint8Array): Uint8Array
  /** True once the last message was written or read: time to `split`. */
  readonly finished: boolean
  /** The peer's static public key, once known. */
  readonly remoteStatic: Uint8Array | undefined
  /** The transcript hash after the messages so far, 32 bytes; after the last it names the session (§11.2). */
  readonly handshakeHash: Uint8Array
  /** The two transport ciphers, once only: a second pair would repeat nonces under the same keys. */
  split(): { send: CipherState; receive: CipherState }
}

/** `TypeError` when the pattern needs a key that is missing, or is given one that it does not use. */
export function createHandshake(options: HandshakeOptions): Handshake {
  return new NoiseHandshake(options)
}

class NoiseHandshake implements Handshake {
  readonly #options: HandshakeOptions
  readonly #pattern: Pattern
  readonly #symmetric: SymmetricState
  #ephemeral: DhKey | undefined
  #remoteStatic: Uint8Array | undefined
  #remoteEphemeral: Uint8Array | undefined
  #nextMessage = 0
  #over: 'no' | 'failed' | 'split' = 'no'

  constructor(options: HandshakeOptions) {
    const { dh, initiator } = options
    this.#options = options
    this.#pattern = parsePattern(options.pattern)
    checkKeys(options, this.#pattern)
    this.#remoteStatic = options.remoteStatic
    this.#symmetric = new SymmetricState(options.crypto, `Noise_${options.pattern}_${dh.name}_AESGCM_SHA256`)
    this.#symmetric.mixHash(options.prologue)
    // Pre-messages (§7.1), the initiator's first.
    const ours = options.staticKey?.publicKey
    const [initiatorStatic, responderStatic] = initiator
      ? [ours, options.remoteStatic]
      : [options.remoteStatic, ours]
    if (this.#pattern.initiatorStaticKnown) this.#symmetric.mixHash(known(initiatorStatic))
    if (this.#pattern.responderStaticKnown) this.#symmetric.mixHash(known(responderStatic))
  }

  get finished(): boolean {
    return this.#over !== 'failed' && this.#nextMessage === this.#pattern.messages.length
  }

  get remoteStatic(): Uint8Array | undefined {
    return this.#remoteStatic
  }

  get handshakeHash(): Uint8Array {
    return this.#symmetric.hash
  }

  writeMessage(payload: Uint8Array): Uint8Array {
    assert(this.#over === 'no' && this.#ourTurn(true), 'a handshake message is written in turn')
    if (payload.length > NOISE_MESSAGE_BYTES_MAX) throw tooLong(payload.length)
    try {
      const parts = this.#takeTokens().map((token) => this.#writeToken(token))
      const message = concat(...parts, this.#symmetric.encryptAndHash(payload))
      if (message.length > NOISE_MESSAGE_BYTES_MAX) throw tooLong(message.length)
      return message
    } catch (error) {
      this.#over = 'failed'
      // The only key at fault here can be the peer's: ours were checked when they were made.
      throw error instanceof BlazeError ? failed(error.message, error) : error
    }
  }

  readMessage(message: Uint8Array): Uint8Array {
    if (this.#over !== 'no') throw failed('expected no message after the end of the handshake')
    try {
      if (!this.#ourTurn(false)) throw failed('expected no message before our own, got one')
      return this.#read(message)
    } catch (error) {
      this.#over = 'failed'
      const peerFault = error instanceof BlazeError && error.code !== 'HANDSHAKE_FAILED'
      throw peerFault ? failed(error.message, error) : error
    }
  }

  split(): { send: CipherState; receive: CipherState } {
    assert(this.finished && this.#over === 'no', 'a handshake is split once, after its last message')
    this.#over = 'split'
    const [toResponder, toInitiator] = this.#symmetric.split()
    return this.#options.initiator
      ? { send: toResponder, receive: toInitiator }
      : { send: toInitiator, receive: toResponder }
  }

  #ourTurn(write: boolean): boolean {
    const initiatorWrites = this.#nextMessage % 2 === 0
    return !this.finished && (initiatorWrites === this.#options.initiator) === write
  }

  #takeTokens(): readonly Token[] {
    const tokens = this.#pattern.messages[this.#nextMessage]
    assert(tokens !== undefined, 'a handshake has a next message while it is not finished')
    this.#nextMessage += 1
    return tokens
  }

  #writeToken(token: Token): Uint8Array {
    const { dh, staticKey } = this.#options
    switch (token) {
      case 'e':
        this.#ephemeral = this.#options.ephemeralKey ?? dh.generate(this.#options.entropy)
        this.#mixEphemeral(this.#ephemeral.publicKey)
        return this.#ephemeral.publicKey
      case 's':
        return this.#symmetric.encryptAndHash(known(staticKey).publicKey)
      default:
        this.#mixToken(token)
        return new Uint8Array(0)
    }
  }

  #read(message: Uint8Array): Uint8Array {
    if (message.length > NOISE_MESSAGE_BYTES_MAX)
      throw failed(`expected at most 65535 bytes, got ${message.length}`)
    let rest = message
    for (const token of this.#takeTokens()) rest = this.#readToken(token, rest)
    const payload = this.#symmetric.decryptAndHash(rest)
    if (payload === undefined)
      throw failed('expected an authentic payload: the peer has other keys or another prologue')
    // A copy also where the payload came in the clear: the caller may reuse the message's memory.
    return Uint8Array.from(payload)
  }

  /** Takes the token's bytes off the front of `rest` and returns what follows. */
  #readToken(token: Token, rest: Uint8Array): Uint8Array {
    if (token !== 'e' && token !== 's') {
      this.#mixToken(token)
      return rest
    }
    const tagBytes = token === 's' && this.#symmetric.keyed ? AEAD_TAG_BYTES : 0
    const length = this.#options.dh.publicKeyBytes + tagBytes
    if (rest.length < length) throw failed(`expected a public key in ${length} bytes, got ${rest.length}`)
    const bytes = rest.slice(0, length)
    if (token === 'e') {
      this.#remoteEphemeral = bytes
      this.#mixEphemeral(bytes)
    } else {
      this.#remoteStatic = this.#symmetric.decryptAndHash(bytes)
      if (this.#remoteStatic === undefined) throw failed('expected an authentic static key')
    }
    return rest.subarray(length)
  }

  /** §9.2: in a psk handshake the ephemeral key is also a key input, which randomises the keys before the first DH. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey)
    if (this.#pattern.usesPsk) this.#symmetric.mixKey(publicKey)
  }

  /** The first letter is the initiator's key, the second the responder's. */
  #mixToken(token: 'ee' | 'es' | 'se' | 'ss' | 'psk'): void {
    if (token === 'psk') {
      this.#symmetric.mixKeyAndHash(known(this.#options.psk))
      return
    }
    const [initiatorKey, responderKey] = token
    const [ours, theirs] = this.#options.initiator
      ? [initiatorKey, responderKey]
      : [responderKey, initiatorKey]
    const key = known(ours === 'e' ? this.#ephemeral : this.#options.staticKey)
    this.#symmetric.mixKey(key.dh(known(theirs === 'e' ? this.#remoteEphemeral : this.#remoteStatic)))
  }
}

function checkKeys(options: HandshakeOptions, pattern: Pattern): void {
  const { dh, initiator, psk, remoteStatic } = options
  const sendsStatic = pattern.messages.some(
    (tokens, i) => (i % 2 === 0) === initiator && tokens.includes('s'),
  )
  const weAreKnown = initiator ? pattern.initiatorStaticKnown : pattern.responderStaticKnown
  const peerIsKnown = initiator ? pattern.responderStaticKnown : pattern.initiatorStaticKnown
  expectPresence('staticKey', options.staticKey, sendsStatic || weAreKnown, options.pattern)
  expectPresence('remoteStatic', remoteStatic, peerIsKnown, options.pattern)
  expectPresence('psk', psk, pattern.usesPsk, options.pattern)
  if (psk !== undefined && psk.length !== 32) throw new TypeError(`psk: expected 32 bytes, got ${psk.length}`)
  if (remoteStatic !== undefined && remoteStatic.length !== dh.publicKeyBytes) {
    throw new TypeError(`remoteStatic: expected ${dh.publicKeyBytes} bytes, got ${remoteStatic.length}`)
  }
}

function expectPresence(name: string, value: unknown, needed: boolean, pattern: string): void {
  if (needed === (value !== undefined)) return
  throw new TypeError(
    `${name}: expected ${needed ? 'one' : 'none'} for ${pattern}, got ${needed ? 'none' : 'one'}`,
  )
}

function known<Value>(value: Value | undefined): Value {
  assert(value !== undefined, 'a key was checked when the handshake was created')
  return value
}

function tooLong(length: number): TypeError {
  return new TypeError(`message: expected at most ${NOISE_MESSAGE_BYTES_MAX} bytes, got ${length}`)
}

function failed(message: string, cause?: unknown): BlazeError {
  return new BlazeError('HANDSHAKE_FAILED', message, { cause })
}

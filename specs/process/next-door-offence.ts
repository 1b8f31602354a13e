/** What a modified guest may say wrong once it is in. Invariant: each is one thing, said over a link of its own. */
import { randomBytes } from 'node:crypto'
import { encodeRequest } from '../../actors/connection/request.ts'
import {
  encodeAttach,
  encodeMirrorWrite,
  MIRROR_MARK,
  MIRROR_WRITE,
  mirrorFrame,
} from '../../actors/topology/mirror/index.ts'
import { concatBytes } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { FRAME_HEADER_BYTES, layFrame } from '../../transports/channel/frame.ts'
import { frameType } from '../../transports/index.ts'
import type { BareGuest } from '../actors/topology/host/bare-guest.ts'

/** Seals what it is told to instead of what a channel wants to send. */
export class Forgery {
  readonly crypto: CryptoProvider
  #next: Uint8Array | undefined

  constructor(inner: CryptoProvider) {
    this.crypto = {
      ...inner,
      createAead: (key) => {
        const aead = inner.createAead(key)
        return {
          open: (nonce, aad, sealed) => aead.open(nonce, aad, sealed),
          seal: (nonce, aad, plaintext) =>
            aead.seal(nonce, aad, aad.length > 0 ? plaintext : this.#take(plaintext)),
        }
      },
    }
  }

  /** The next record of the guest has this plaintext. */
  send(guest: BareGuest, plaintext: Uint8Array): void {
    this.#next = plaintext
    guest.channel.ping()
  }

  #take(plaintext: Uint8Array): Uint8Array {
    const forged = this.#next ?? plaintext
    this.#next = undefined
    return forged
  }
}

/** One that has a mirror over its stream. */
export type Offence = (guest: BareGuest, forgery: Forgery) => void

const none = new Uint8Array(0)
const attach = encodeAttach({ mode: 'readWrite', pid: 1, database: 'Bugs', cursor: undefined })
const write = encodeMirrorWrite({
  step: 'insert',
  collection: 'bugs',
  inputs: [{ id: 'x', values: new Map([['n', 1]]) }],
})

function request(operation: number, body: Uint8Array): Offence {
  return (guest) => guest.channel.send(0, frameType.request, encodeRequest({ id: 1, operation, body }))
}

function say(frame: number, body: Uint8Array): Offence {
  return (guest) => guest.send(frame, body)
}

interface Forged {
  readonly type: number
  readonly body?: Uint8Array
  readonly stream?: 'own' | number
  readonly more?: boolean
}

function frames(guest: BareGuest, forged: readonly Forged[]): Uint8Array {
  return concatBytes(
    forged.map(({ type, body = none, stream = 0, more = false }) => {
      const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length)
      layFrame(bytes, 0, { type, more, stream: stream === 'own' ? guest.stream : stream }, body)
      return bytes
    }),
  )
}

function forge(...forged: readonly Forged[]): Offence {
  return (guest, forgery) => forgery.send(guest, frames(guest, forged))
}

function plain(bytes: (guest: BareGuest) => Uint8Array): Offence {
  return (guest, forgery) => forgery.send(guest, bytes(guest))
}

/** By what it is. Each ends the link with `PROTOCOL_VIOLATION`. */
export const offences: ReadonlyMap<string, Offence> = new Map<string, Offence>([
  ['a second attach', say(mirrorFrame.attach, attach)],
  ['an answer to an attach', say(mirrorFrame.attached, attach)],
  ['changes of its own', say(mirrorFrame.changes, new Uint8Array(13))],
  ['a frame of a relay', say(16, none)],
  ['a second stream', (guest) => void guest.openStream()],
  ['a stream of a space', (guest) => void guest.openStream(new Uint8Array(16).fill(1))],
  ['an unknown operation', request(1, none)],
  ['random bytes as a write', request(MIRROR_WRITE, randomBytes(300))],
  ['an empty write', request(MIRROR_WRITE, none)],
  ['a cut write', request(MIRROR_WRITE, write.slice(0, -1))],
  ['a write with more behind it', request(MIRROR_WRITE, Uint8Array.of(...write, 0))],
  ['a write of an unknown step', request(MIRROR_WRITE, Uint8Array.of(9, ...write.slice(1)))],
  ['a mark with a body', request(MIRROR_MARK, Uint8Array.of(0))],
  ['a request that is cut', forge({ type: frameType.request, body: randomBytes(5) })],
  ['a request on a stream', forge({ type: frameType.request, body: write, stream: 'own' })],
  ['a response that is cut', forge({ type: frameType.response, body: randomBytes(3) })],
  ['a ping of seven bytes', forge({ type: frameType.ping, body: randomBytes(7) })],
  ['a pong of nine bytes', forge({ type: frameType.pong, body: randomBytes(9) })],
  ['a credit of three bytes', forge({ type: frameType.credit, body: randomBytes(3), stream: 'own' })],
  ['too much credit', forge({ type: frameType.credit, body: new Uint8Array(4).fill(255), stream: 'own' })],
  ['an open of fifteen bytes', forge({ type: frameType.open, body: randomBytes(15), stream: 99 })],
  [
    'an open of the stream that is open',
    forge({ type: frameType.open, body: new Uint8Array(16), stream: 'own' }),
  ],
  ['an open of stream 0', forge({ type: frameType.open, body: new Uint8Array(16) })],
  ['a reset that is cut', forge({ type: frameType.reset, body: randomBytes(1), stream: 'own' })],
  ['a complete', forge({ type: frameType.complete, body: randomBytes(200) })],
  ['a frame of type 0', forge({ type: 0 })],
  ['a frame of type 12', forge({ type: 12 })],
  ['a mirror frame on stream 0', forge({ type: mirrorFrame.attach, body: attach })],
  [
    'a mirror frame of a stream that never was',
    forge({ type: mirrorFrame.attach, body: attach, stream: 77 }),
  ],
  ['an empty fragment', forge({ type: mirrorFrame.attach, stream: 'own', more: true })],
  ['a record without a frame', plain(() => none)],
  ['random bytes as frames', plain(() => Uint8Array.of(255, ...randomBytes(500)))],
  [
    'half a frame',
    plain((guest) => frames(guest, [{ type: frameType.ping, body: randomBytes(8) }]).slice(0, 12)),
  ],
  [
    'unknown flags of a frame',
    plain((guest) => {
      const bytes = frames(guest, [{ type: frameType.ping, body: randomBytes(8) }])
      bytes[5] = 128
      return bytes
    }),
  ],
])

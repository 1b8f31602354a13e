/** A planned change of the server's key: who still pins the old one learns the new one, from nobody but the server it paired with. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { nodeCrypto } from '../../../runtime/index.ts'
import type { Signer } from '../../../runtime/index.ts'
import { dialChannel, frameType } from '../../../transports/index.ts'
import type { Link } from '../../../transports/index.ts'
import { FRAME_HEADER_BYTES, layFrame } from '../../../transports/channel/frame.ts'
import { HandshakeExchange } from '../../../transports/channel/handshake-exchange.ts'
import {
  encodeGrant,
  encodePrologue,
  encodeWelcome,
  encodeWelcomePayload,
  parseHello,
  parseVerify,
  serverProofBytes,
} from '../../../transports/channel/handshake-message.ts'
import { createRecordCipher } from '../../../transports/channel/record-cipher.ts'
import { createHandshake, createP256Dh } from '../../../transports/noise/index.ts'
import { codes, createWorld, serverDevice, serverKey, settle, shake, xk } from './channel-world.ts'
import type { Shaken, World } from './channel-world.ts'

const fill = (value: number): Uint8Array => new Uint8Array(32).fill(value)
/** What the clients of this file pin: the key of `channel-world.ts`. */
const oldScalar = fill(1)
const newScalar = fill(21)
const olderScalar = fill(22)
const newKey = nodeCrypto.createP256(newScalar).publicKey
const stranger: Signer = nodeCrypto.createSigner(fill(23))

interface Change {
  readonly retired: readonly Uint8Array[]
  readonly device?: Signer
  readonly known?: Uint8Array | undefined
  readonly pinned?: Uint8Array
}

/** A client that pins the old key against a server whose key is the new one. */
async function meet({ retired, device = serverDevice, known, pinned = serverKey }: Change): Promise<Shaken> {
  const world = createWorld()
  return shake(
    world,
    await world.link(),
    {
      pattern: 'XK',
      serverKey: pinned,
      ...(known === undefined ? {} : { serverDevice: known }),
    },
    { staticKey: newScalar, retiredKeys: retired, device },
  )
}

/** A server that says of the new key what it is told to say. */
async function grantBare({ pi }: World, link: Link, successor: boolean): Promise<void> {
  const exchange = new HandshakeExchange(pi, link)
  const dh = createP256Dh(nodeCrypto)
  const handshake = createHandshake({
    pattern: 'XK',
    dh,
    crypto: nodeCrypto,
    initiator: false,
    prologue: encodePrologue('XK', new Uint8Array(0), link.binding),
    staticKey: dh.fromPrivate(oldScalar),
    entropy: (bytes) => pi.entropy(bytes),
  })
  handshake.readMessage(parseHello(await exchange.next()).message)
  const payload = encodeWelcomePayload({ challenge: fill(9), timeMs: pi.now(), streamsMax: 8 })
  exchange.send(encodeWelcome(handshake.writeMessage(payload)))
  handshake.readMessage(parseVerify(await exchange.next()))
  const sessionId = new Uint8Array(16)
  const proof = serverProofBytes(handshake.handshakeHash, sessionId, newKey)
  const body = encodeGrant({
    deviceKey: serverDevice.publicKey,
    signature: serverDevice.sign(proof),
    sessionId,
    staticKey: newKey,
    mayHost: false,
    successor,
    pairing: new Uint8Array(0),
  })
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length)
  layFrame(frame, 0, { type: frameType.complete, more: false, stream: 0 }, body)
  exchange.send(createRecordCipher(handshake.split()).seal(frame))
  exchange.release()
}

const named = ({ client }: Shaken): Uint8Array | undefined =>
  client.ok ? client.value.server.staticKey : undefined

test('a client that pins a retired key is let in and told the new one, signed by the device it paired with', async () => {
  const known = serverDevice.publicKey
  for (const retired of [[oldScalar], [olderScalar, oldScalar]]) {
    const result = await meet({ retired, known })

    assert.equal(codes(result), ['ok', 'ok'])
    assert.equal(named(result), newKey)
  }
})

test('a client that pins the present key is told of no change', async () => {
  const result = await meet({ retired: [oldScalar], known: serverDevice.publicKey, pinned: newKey })

  assert.equal(codes(result), ['ok', 'ok'])
  assert.equal(named(result), newKey)
})

test('whoever has the old key only, and another device, moves nobody', async () => {
  const result = await meet({ retired: [oldScalar], device: stranger, known: serverDevice.publicKey })

  assert.equal(codes(result), ['SERVER_KEY_MISMATCH', 'ok'])
})

test('another key that is not said to be a successor is no change, whoever signs it', async () => {
  for (const successor of [true, false]) {
    const world = createWorld()
    const [near, far] = await world.link()
    const server = grantBare(world, far, successor)
    const known = serverDevice.publicKey
    const dialled = dialChannel(near, { ...xk(world.app), serverDevice: known })
    const result = await settle(world.simulation, dialled)
    await server

    assert.is(result.ok ? 'ok' : result.code, successor ? 'ok' : 'SERVER_KEY_MISMATCH')
  }
})

test('a client that does not know the device takes no other key', async () => {
  assert.equal(codes(await meet({ retired: [oldScalar] })), ['SERVER_KEY_MISMATCH', 'ok'])
})

test('a key that was forgotten is SERVER_KEY_MISMATCH', async () => {
  const result = await meet({ retired: [olderScalar], known: serverDevice.publicKey })

  assert.equal(codes(result), ['SERVER_KEY_MISMATCH', 'HANDSHAKE_FAILED'])
})

test('a code that names the old key is refused: it is made anew after a change', async () => {
  const world = createWorld()
  const result = await shake(
    world,
    await world.link(),
    { pattern: 'XXpsk3', expectServerKey: serverKey },
    { staticKey: newScalar, retiredKeys: [oldScalar] },
  )

  assert.is(codes(result)[0], 'SERVER_KEY_MISMATCH')
})

test.run()

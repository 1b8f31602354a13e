/** System `blazedb` of group `channel`: the secure channel over each transport. Invariant: credit is given back only for what was echoed. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createNodeEnv, nodeCrypto } from '../../runtime/index.ts'
import {
  acceptChannel,
  createTlsTransport,
  createUdsTransport,
  createWebSocketTransport,
  dialChannel,
  frameType,
} from '../../transports/index.ts'
import type { Channel, ChannelHandlers, Endpoint, Link, Transport } from '../../transports/index.ts'
import type { ChannelPlace, ChannelSystem, ChannelTransport, EchoLink } from './channel-calls.ts'

const ECHO = 21
const NAME = 'echo'
const dialMs = 30_000
const env = createNodeEnv()
const fill = (value: number, bytes: number): Uint8Array => new Uint8Array(bytes).fill(value)
const serverScalar = fill(1, 32)
/** Made once, as the supervisor and a device do. */
const serverDevice = nodeCrypto.createSigner(fill(4, 32))
const clientDevice = nodeCrypto.createSigner(fill(5, 32))
const serverKey = nodeCrypto.createP256(serverScalar).publicKey

function transportOf(transport: ChannelTransport, side: 'listen' | 'dial'): Transport {
  if (transport === 'uds') return createUdsTransport(env, nodeCrypto)
  // WebSockets are taken by the listener of TLS.
  return transport === 'tls' || side === 'listen' ? createTlsTransport(env) : createWebSocketTransport(env)
}

async function listen(transport: ChannelTransport, stage: string): Promise<ChannelPlace> {
  const directory = join(stage, 'private')
  mkdirSync(directory, { mode: 0o700, recursive: true })
  const endpoint: Endpoint =
    transport === 'uds'
      ? { transport, directory, name: NAME }
      : { transport: 'tls', host: '127.0.0.1', port: 0 }
  const listener = await transportOf(transport, 'listen').listen(endpoint, (link) => void accept(link))
  const port = listener.endpoint.transport === 'uds' ? 0 : listener.endpoint.port
  return { transport, path: directory, port }
}

async function accept(link: Link): Promise<void> {
  const { channel } = await acceptChannel(link, {
    env,
    crypto: nodeCrypto,
    staticKey: serverScalar,
    pairingStaticKey: fill(3, 32),
    device: serverDevice,
    psk: () => undefined,
    authorize: () => ({ ok: true, mayHost: false, pairing: new Uint8Array(0) }),
  })
  channel.attach(new EchoServer(channel))
}

class EchoServer implements ChannelHandlers {
  readonly #channel: Channel
  /** Bytes that were echoed while the stream had no room. */
  #owed = 0

  constructor(channel: Channel) {
    this.#channel = channel
  }

  message(stream: number, type: number, body: Uint8Array): void {
    if (type !== ECHO) return
    if (this.#channel.send(stream, type, body)) this.#channel.consumed(stream, body.length)
    else this.#owed += body.length
  }

  writable(stream: number): void {
    this.#channel.consumed(stream, this.#owed)
    this.#owed = 0
  }

  closed(): void {}
}

async function dial(place: ChannelPlace): Promise<EchoLink> {
  const { transport, path, port } = place
  const endpoint: Endpoint =
    transport === 'uds'
      ? { transport, directory: path, name: NAME }
      : { transport: transport === 'ws' ? 'wss' : 'tls', host: '127.0.0.1', port }
  const link = await transportOf(transport, 'dial').dial(endpoint, { timeoutMs: dialMs })
  const { channel } = await dialChannel(link, {
    env,
    crypto: nodeCrypto,
    pattern: 'XK',
    serverKey,
    staticKey: fill(2, 32),
    device: clientDevice,
  })
  return new ChannelEcho(channel)
}

class ChannelEcho implements EchoLink {
  readonly #channel: Channel
  readonly #stream: number
  #back: (bytes: number) => void = () => undefined
  #room: () => void = () => undefined
  #failed: (error: Error) => void = () => undefined

  constructor(channel: Channel) {
    this.#channel = channel
    channel.attach({
      message: (stream, type, body) => {
        if (type !== ECHO) return
        channel.consumed(stream, body.length)
        this.#back(body.length)
      },
      writable: () => this.#room(),
      closed: (error) => this.#failed(error ?? new Error('the channel has ended')),
    })
    this.#stream = channel.open()
    channel.send(this.#stream, frameType.open, new Uint8Array(16))
  }

  trip(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#failed = reject
      this.#back = (length) => (length === bytes ? resolve() : reject(new Error(`${length} bytes came back`)))
      this.#channel.send(this.#stream, ECHO, new Uint8Array(bytes))
    })
  }

  stream(messages: number, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const body = new Uint8Array(bytes)
      let [sent, back] = [0, 0]
      this.#failed = reject
      this.#back = () => {
        back += 1
        if (back === messages) resolve()
      }
      this.#room = () => {
        while (sent < messages) {
          sent += 1
          if (!this.#channel.send(this.#stream, ECHO, body)) return
        }
      }
      this.#room()
    })
  }

  close(): void {
    this.#failed = () => undefined
    this.#channel.close()
  }
}

export const blazedbChannel: ChannelSystem = { listen, dial }

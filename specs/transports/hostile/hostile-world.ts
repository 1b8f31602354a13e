/**
 * A listening supervisor, an honest device that uses it, and whoever attacks it from here, over real sockets.
 *
 * Invariant: after an attack each connection that was turned away is counted and logged once, nobody else noticed, nothing of it is
 * left, and the memory of the process is what it was.
 */
import { connect } from 'node:net'
import type { Socket, TcpNetConnectOpts } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import * as assert from 'uvu/assert'
import { enrolmentPsk } from '../../../actors/team/code.ts'
import { parseCode } from '../../../actors/team/index.ts'
import { createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { Child } from '../../../scripts/process/child.ts'
import { Stage } from '../../../scripts/process/stage.ts'
import { createTlsTransport } from '../../../transports/index.ts'
import { SocketLink } from '../../../transports/socket-link.ts'
import type { DialChannelOptions, Link, NetworkEndpoint, Transport } from '../../../transports/index.ts'
import { SpecDevice } from '../../server/device.ts'
import type { Connected } from '../../server/device.ts'
import type { ServerCalls, ServerStatus } from './server-child.ts'

const callMs = 30_000
/** What a process of Node holds more or less for reasons of its own: compiled code, pools, buffers of its sockets. */
const MEMORY_TOLERANCE_BYTES = 6 * 1_048_576
/** A refusal as it comes over a socket, and nothing else may: its record says `refused`. */
const REFUSAL = Buffer.from([0, 0, 0, 2, 255, 1])
const BUSY = Buffer.from([0, 0, 0, 2, 255, 2])

/** A socket of the attacker. */
export interface Attack {
  readonly socket: Socket
  /** All that came. */
  readonly got: () => Buffer
  readonly closed: Promise<void>
}

/** A socket with a link over it, so that bytes can be put beside records. */
export interface LinkAttack extends Attack {
  readonly link: Link
}

export class HostileWorld {
  readonly env: Env = createNodeEnv()
  readonly transport: Transport = createTlsTransport(this.env)
  readonly device: SpecDevice = new SpecDevice(this.env, this.transport)
  readonly #stage = new Stage('hostile')
  readonly #speed: number
  readonly #child: Child<ServerCalls>
  port = 0
  serverKey: Uint8Array = new Uint8Array(0)
  #honest: Connected | undefined
  #requests = 0
  #baseline = 0

  constructor(options: { speed?: number } = {}) {
    this.#speed = options.speed ?? 1
    this.#child = new Child(this.#stage, {
      name: 'server',
      module: './server-child',
      base: import.meta.url,
    })
  }

  async open(): Promise<void> {
    const directory = this.#stage.makeDirectory('data')
    const { port } = await this.#child.call('start', { directory, speed: this.#speed }, { timeoutMs: callMs })
    this.port = port
    const url = await this.code()
    this.serverKey = parseCode(url).serverKey
    await this.device.redeem(url, this.endpoint)
    this.#honest = await this.device.connect(this.endpoint, this.serverKey)
    // What the first attack of a process loads and compiles is not what the attack left behind.
    await this.attack(1, async () => {
      const link = await this.dial()
      link.attach({ record: () => undefined, drain: () => undefined, closed: () => undefined })
      link.send(Uint8Array.of(1, 2, 3))
    })
    this.#baseline = await this.memory()
  }

  async close(): Promise<void> {
    this.#honest?.close()
    await this.#stage.close()
  }

  get endpoint(): NetworkEndpoint {
    return { transport: 'tls', host: '127.0.0.1', port: this.port }
  }

  code(): Promise<string> {
    return this.#child.call('code', null, { timeoutMs: callMs })
  }

  status(): Promise<ServerStatus> {
    return this.#child.call('status', null, { timeoutMs: callMs })
  }

  memory(): Promise<number> {
    return this.#child.call('memory', null, { timeoutMs: callMs })
  }

  dial(): Promise<Link> {
    return this.transport.dial(this.endpoint, { timeoutMs: 10_000 })
  }

  /** As the honest device. */
  xk(): DialChannelOptions & { pattern: 'XK' } {
    const { signer, dhScalar } = this.device.identity
    const { env, serverKey } = this
    return { env, crypto: nodeCrypto, pattern: 'XK', serverKey, staticKey: dhScalar, device: signer }
  }

  async pairing(): Promise<DialChannelOptions & { pattern: 'XXpsk3' }> {
    const code = parseCode(await this.code())
    assert.is(code.kind, 'enroll')
    if (code.kind !== 'enroll') throw new Error('not an enrolment code')
    const { pattern: _, serverKey: __, ...rest } = this.xk()
    return { ...rest, pattern: 'XXpsk3', id: code.codeId, psk: enrolmentPsk(nodeCrypto, code) }
  }

  plain(options: Partial<TcpNetConnectOpts> = {}): Attack {
    return watch(connect({ port: this.port, host: '127.0.0.1', ...options }))
  }

  /** Ready when the handshake of TLS is done. */
  async tls(options: ConnectionOptions = {}): Promise<Attack> {
    return await this.#tls(options)
  }

  async link(): Promise<LinkAttack> {
    const attack = await this.#tls({})
    const { socket } = attack
    const binding = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    const about = { transport: 'tls', remote: 'the supervisor', binding: Uint8Array.from(binding) } as const
    return { ...attack, link: new SocketLink(this.env, socket, about) }
  }

  async #tls(options: ConnectionOptions): Promise<Attack & { readonly socket: TLSSocket }> {
    const socket = connectTls({
      port: this.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['blazed/1'],
      ...options,
    })
    const attack = watch(socket)
    await Promise.race([new Promise((resolve) => socket.once('secureConnect', resolve)), attack.closed])
    return attack
  }

  /**
   * Does what is in `work`, and sees to it that so many connections were turned away because of it and nothing else happened. A range
   * where it is a matter of time who hangs up first.
   */
  async attack(
    refusals: number | readonly [least: number, most: number],
    work: () => Promise<void>,
  ): Promise<void> {
    const [least, most] = typeof refusals === 'number' ? [refusals, refusals] : refusals
    const before = await this.status()
    await work()
    const wanted = sum(before.refused) + least
    const status = await this.#settled((now) => sum(now.refused) >= wanted && now.clients === 1)
    const counted = sum(status.refused) - sum(before.refused)
    const told = status.told - before.told
    const codes = JSON.stringify(status.refused)
    assert.ok(
      counted >= least && counted <= most,
      `${least} to ${most} were expected, ${counted} counted: ${codes}`,
    )
    assert.is(status.clients, 1, 'only the honest device is left')
    // Beyond that the log says how many it leaves out, with the next line.
    if (most <= 20) assert.is(told, counted, 'each is told once')
    else assert.ok(told <= counted, 'none is told twice')
    assert.ok(status.healthy)
    await this.#peace()
    const bytes = await this.memory()
    if (this.#baseline > 0)
      assert.ok(
        bytes - this.#baseline < MEMORY_TOLERANCE_BYTES,
        `${bytes - this.#baseline} bytes more than before the attacks`,
      )
  }

  /** The old connection of the honest device still answers, and so does a new one. */
  async #peace(): Promise<void> {
    const honest = this.#honest
    assert.ok(honest !== undefined)
    const fresh = await this.device.connect(this.endpoint, this.serverKey)
    for (const connected of [honest, fresh]) {
      const spaceId = new Uint8Array(16).fill(7)
      assert.is((await connected?.registerDatabase(`proof-${this.#requests++ % 50}`, spaceId))?.length, 0)
    }
    fresh.close()
    await this.#settled((now) => now.clients === 1)
  }

  async #settled(done: (status: ServerStatus) => boolean): Promise<ServerStatus> {
    const untilMs = performance.now() + 10_000
    for (;;) {
      const status = await this.status()
      if (done(status) || performance.now() > untilMs) return status
      await pause(10)
    }
  }
}

/** All that came is a refusal, or nothing at all. */
export function expectRefusal(attack: Attack): void {
  const got = attack.got()
  assert.ok(
    got.length === 0 || got.equals(REFUSAL) || got.equals(BUSY),
    `expected the plain refusal or nothing, got ${got.toString('hex')}`,
  )
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

function watch<S extends Socket>(socket: S): Attack & { readonly socket: S } {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset is a way to hang up.
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve, reject) => {
    socket.once('close', () => resolve())
    socket.setTimeout(60_000, () => reject(new Error('the supervisor did not hang up')))
  })
  closed.catch(() => undefined)
  return { socket, got: () => Buffer.concat(chunks), closed }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0)
}

/** A device as the server sees it: pairs by code, connects by key, asks, opens spaces. Only what specs of the server need. */
import { parseCode } from '../../actors/team/index.ts'
import { createDeviceIdentity } from '../../actors/team/device.ts'
import type { DeviceIdentity } from '../../actors/team/device.ts'
import { enrolmentPsk } from '../../actors/team/code.ts'
import { pair } from '../../actors/connection/pair.ts'
import type { Paired } from '../../actors/connection/pair.ts'
import { encodeDatabaseRegistration, encodeInviteRegistration } from '../../actors/connection/request.ts'
import type { InviteRegistration } from '../../actors/connection/request.ts'
import { Session } from '../../actors/connection/session.ts'
import { nodeCrypto } from '../../runtime/index.ts'
import type { BlazeError, Env } from '../../runtime/index.ts'
import { dialChannel } from '../../transports/index.ts'
import type { Channel, Endpoint, Transport } from '../../transports/index.ts'

export interface Connected {
  readonly mayHost: boolean
  readonly channel: Channel
  registerDatabase(name: string, spaceId: Uint8Array): Promise<Uint8Array>
  registerInvite(invite: InviteRegistration): Promise<Uint8Array>
  request(operation: number, body: Uint8Array): Promise<Uint8Array>
  /** Resolves when the other side ended the connection: undefined for a goodbye. */
  readonly closed: Promise<BlazeError | undefined>
  /** Opens the space on a new stream; resolves with the error by which the server ended it, if it does. */
  open(spaceId: Uint8Array): Promise<BlazeError>
  close(): void
}

export class SpecDevice {
  readonly env: Env
  readonly identity: DeviceIdentity
  readonly #transport: Transport

  constructor(env: Env, transport: Transport) {
    this.env = env
    this.identity = createDeviceIdentity({ crypto: nodeCrypto, env })
    this.#transport = transport
  }

  get key(): Uint8Array {
    return this.identity.keys.signKey
  }

  /** Redeems an enrolment code, at the address where the supervisor is rather than where the code says. */
  redeem(url: string, endpoint: Endpoint): Promise<Paired> {
    const code = parseCode(url)
    if (code.kind !== 'enroll') throw new Error('expected an enrolment code')
    const psk = enrolmentPsk(nodeCrypto, code)
    return this.pair({ id: code.codeId, psk, serverKey: code.serverKey, endpoint })
  }

  pair(o: { id: Uint8Array; psk: Uint8Array; serverKey: Uint8Array; endpoint: Endpoint }): Promise<Paired> {
    const { signer, dhScalar } = this.identity
    const { env } = this
    const { endpoint, ...rest } = o
    return pair({
      ...rest,
      endpoints: [endpoint],
      env,
      crypto: nodeCrypto,
      transport: this.#transport,
      staticKey: dhScalar,
      device: signer,
    })
  }

  async connect(endpoint: Endpoint, serverKey: Uint8Array): Promise<Connected> {
    const { env } = this
    const { signer, dhScalar } = this.identity
    const link = await this.#transport.dial(endpoint, { timeoutMs: 5_000 })
    const { channel, server } = await dialChannel(link, {
      env,
      crypto: nodeCrypto,
      pattern: 'XK',
      serverKey,
      staticKey: dhScalar,
      device: signer,
    })
    let ended: (error: BlazeError | undefined) => void = () => {}
    const closed = new Promise<BlazeError | undefined>((resolve) => {
      ended = resolve
    })
    const resets = new Map<number, (error: BlazeError) => void>()
    const session = new Session({
      channel,
      env,
      handlers: {
        request() {},
        open() {},
        reset: (stream, error) => resets.get(stream)?.(error),
        closed: (error) => ended(error),
      },
    })
    const request = (operation: number, body: Uint8Array): Promise<Uint8Array> =>
      session.request(operation, body, 5_000)
    return {
      mayHost: server.rights.mayHost,
      channel,
      request,
      closed,
      registerDatabase: (name, spaceId) => request(1, encodeDatabaseRegistration({ name, spaceId })),
      registerInvite: (invite) => request(2, encodeInviteRegistration(invite)),
      open: (spaceId) =>
        new Promise((resolve) => {
          resets.set(session.openStream(spaceId), resolve)
        }),
      close: () => channel.close(),
    }
  }
}

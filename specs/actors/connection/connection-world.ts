/**
 * A supervisor that is nothing but a listener with accepted connections, and devices that dial it, over a simulated network.
 * Invariant: what the supervisor grants is decided by the spec, call by call.
 */
import {
  acceptedConnection,
  dialedConnection,
  MarkTable,
  type AcceptedMessage,
  type ConnectionAccess,
  type ConnectionReport,
  type DialedMessage,
  type DialedOptions,
} from '../../../actors/connection/index.ts'
import type { Space } from '../../../actors/team/index.ts'
import { createSystem, nodeCrypto } from '../../../runtime/index.ts'
import type { Ref, System } from '../../../runtime/index.ts'
import { createMemoryNetwork, dialChannel } from '../../../transports/index.ts'
import type { Channel, Listener, MemoryNetwork } from '../../../transports/index.ts'
import { ExchangeWorld, type Member } from '../relay/exchange-world.ts'
import { derive, device, replicaId } from '../team/roster.ts'

export const PI = { transport: 'memory', host: 'pi', port: 8080 } as const
const pinned: Uint8Array = nodeCrypto.createP256(derive('pi static')).publicKey

export class ConnectionWorld extends ExchangeWorld {
  readonly network: MemoryNetwork = createMemoryNetwork(this.simulation.env('network'), { latencyMs: 1 })
  readonly system: System = createSystem({ env: this.simulation.env('pi cells') })
  readonly accepted: Ref<AcceptedMessage>[] = []
  dials = 0
  /** Keys of the supervisor for links from now on. */
  identity: { staticKey: Uint8Array; retiredKeys: Uint8Array[] } = {
    staticKey: derive('pi static'),
    retiredKeys: [],
  }
  #listener: Listener | undefined
  #number = 0

  async listen(access: ConnectionAccess): Promise<void> {
    this.#listener = await this.listenAt(PI, access)
  }

  /** Another address of the supervisor, on a network of its own; or another server at that address, with another key. */
  listenAt(
    endpoint: typeof PI | { transport: 'memory'; host: string; port: number },
    access: ConnectionAccess,
    staticKey?: Uint8Array,
  ): Promise<Listener> {
    return this.network.transport(endpoint.host).listen(endpoint, (link) => {
      const identity = {
        ...this.identity,
        ...(staticKey === undefined ? {} : { staticKey }),
        pairingKey: derive('pi pairing'),
        device: device('pi').signer,
      }
      const behaviour = acceptedConnection({ link, crypto: nodeCrypto, identity, access })
      this.#number += 1
      this.accepted.push(
        this.system.spawn({ name: `client-${this.#number}`, restart: 'temporary', behaviour }),
      )
    })
  }

  async deaf(): Promise<void> {
    await this.#listener?.close()
  }

  /** The connection actor of a device, in a system of its own. */
  dial(member: Member, over: Partial<DialedOptions> = {}): Dialed {
    const system = createSystem({ env: member.env })
    const transport = this.network.transport(member.name)
    const dialed: Dialed = { system, reports: [], marks: new MarkTable(), ref: undefined }
    dialed.ref = system.spawn({
      name: 'connection',
      behaviour: dialedConnection({
        transport: {
          ...transport,
          dial: (endpoint, options) => {
            this.dials += 1
            return transport.dial(endpoint, options)
          },
        },
        endpoints: [PI],
        serverKey: pinned,
        staticKey: derive(`${member.name} dh scalar`),
        device: device(member.name).signer,
        crypto: nodeCrypto,
        space: member.space,
        ownReplica: replicaId(member.name),
        marks: dialed.marks,
        report: (report) => void dialed.reports.push(report),
        ...over,
      }),
    })
    return dialed
  }

  /** A bare channel of a device, to say what no honest one says. */
  async channel(name: string): Promise<Channel> {
    const env = this.simulation.env(name)
    const link = await this.settle(this.network.transport(name).dial(PI, { timeoutMs: 1_000 }))
    const { channel } = await this.settle(
      dialChannel(link, {
        env,
        crypto: nodeCrypto,
        pattern: 'XK',
        serverKey: pinned,
        staticKey: derive(`${name} dh scalar`),
        device: device(name).signer,
      }),
    )
    return channel
  }
}

export interface Dialed {
  readonly system: System
  readonly reports: ConnectionReport[]
  readonly marks: MarkTable
  ref: Ref<DialedMessage> | undefined
}

export function lastOf(dialed: Dialed): ConnectionReport {
  const report = dialed.reports.at(-1)
  if (report === undefined) throw new Error('the connection has not reported yet')
  return report
}

/** Grants everything, of one space. Counts what is given out and back. */
export class OpenAccess implements ConnectionAccess {
  opened = 0
  released = 0
  requested = 0
  readonly #space: Space

  constructor(space: Space) {
    this.#space = space
  }

  psk(): undefined {
    return undefined
  }

  authorize(): { ok: true; mayHost: boolean; pairing: Uint8Array } {
    return { ok: true, mayHost: true, pairing: new Uint8Array(0) }
  }

  async request(): Promise<Uint8Array> {
    this.requested += 1
    return new Uint8Array(0)
  }

  async openSpace(): Promise<{ space: Space; release(): void }> {
    this.opened += 1
    return {
      space: this.#space,
      release: () => {
        this.released += 1
      },
    }
  }
}

/** How many listen to the space now. */
export function countListeners(space: Space): () => number {
  let count = 0
  const counted =
    <A>(subscribe: (listener: A) => () => void) =>
    (listener: A): (() => void) => {
      count += 1
      const end = subscribe(listener)
      return () => {
        count -= 1
        end()
      }
    }
  const { replica } = space
  Object.assign(space, { onTeamChanged: counted(space.onTeamChanged.bind(space)) })
  Object.assign(replica, {
    onCommitted: counted(replica.onCommitted.bind(replica)),
    onPoisoned: counted(replica.onPoisoned.bind(replica)),
  })
  return () => count
}

/**
 * The supervisor: the tree `supervisor` → `storage`, `access`, `clients`, `listeners`, `operations`, on any world, real or simulated.
 *
 * Invariant: started left to right, so that nobody is let in before what they need is there; stopped right to left; a part that
 * crashes takes those after it along, since they may hold what it had given them. It reads no argument, no environment and no signal.
 */
import { formatCode, formatDeviceId, supervisorSocket } from '../actors/index.ts'
import type { Volume } from '../actors/index.ts'
import { assert, BlazeError, createSystem, limits, spawnUnder, supervisor, toHex } from '../runtime/index.ts'
import type { Behaviour, CellInfo, ChildSpec, CryptoProvider, Env, Ref, System } from '../runtime/index.ts'
import { addressOf, formatEndpoint } from '../transports/index.ts'
import type {
  ControlPlace,
  ControlServer,
  Endpoint,
  Listener,
  NetworkEndpoint,
  Transport,
} from '../transports/index.ts'
import { AttemptTable, RateTable, RefusalLog } from './access/index.ts'
import type { AccessStore, EnrolmentSecret } from './access/index.ts'
import { clients } from './client.ts'
import type { ClientsMessage } from './client.ts'
import { accessResource } from './access-resource.ts'
import { answerControl } from './control.ts'
import { controlResource } from './control-resource.ts'
import { listenerResource } from './listeners.ts'
import type { ListenerOptions } from './listeners.ts'
import { openIdentity, rotateIdentity } from './identity.ts'
import type { ServerIdentity } from './identity.ts'
import { formatOperations, listenOperations } from './operations/index.ts'
import type { OperationsAddress, OperationsServer } from './operations/index.ts'
import { peersOf } from './peer.ts'
import { createResource } from './resource/index.ts'
import type { Resource } from './resource/index.ts'
import type { DatabaseStatus, Health, Status } from './status.ts'
import { createStorage } from './storage.ts'
import type { Storage } from './storage.ts'

export interface World {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly volume: Volume
  readonly transport: Transport
}

export interface SupervisorOptions {
  readonly world: World
  /** Port 0: any free port. */
  readonly listen: NetworkEndpoint
  /** What codes name instead of the address above. */
  readonly advertise?: { readonly host: string; readonly port?: number }
  /** `ws` on loopback, for a proxy that ends TLS. Absent: none. */
  readonly proxied?: NetworkEndpoint
  /** Directory of the sockets of supervisors, for apps of this device and user. Absent: no socket. */
  readonly localDirectory?: string
  /** Bytes of live records that each database may have; undefined: no limit but the disk. */
  readonly quotaBytes?: number | undefined
  /** Bytes of records a second that each device may send, over a minute; undefined: as fast as it can. */
  readonly rateBytes?: number | undefined
  /** Absent: no control socket. */
  readonly control?: ControlPlace
  /** Absent: no HTTP. */
  readonly operations?: OperationsAddress
  readonly version?: string
  /** Called when the tree went down by itself: whoever owns the process ends it. */
  readonly onFailed?: (error: BlazeError) => void
}

export interface Supervisor {
  readonly system: System
  /** With the port that was taken. */
  readonly endpoint: NetworkEndpoint
  readonly operations: OperationsAddress | undefined
  /** URL of the first enrolment code, until it is claimed. */
  enrolment(): string | undefined
  /** URL of another enrolment code. `QUOTA`, `POISONED`. */
  createCode(): Promise<string>
  /** Takes a new server key and says goodbye to all clients, who come back and learn it. Resolves with the key, hexadecimal. `DAMAGED`. */
  rotateKey(): Promise<string>
  health(): Health
  status(): Status
  /** Takes no more clients, says goodbye to those there are, closes the stores. Idempotent. */
  stop(): Promise<void>
}

/** Rejects, having stopped what was started: `PORT_IN_USE`, `ALREADY_OPEN` with `details.pid`, `DAMAGED`, `BAD_CONFIG`. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const tree = new Tree(options)
  try {
    await tree.start()
    return tree
  } catch (error) {
    await tree.stop()
    throw error
  }
}

class Tree implements Supervisor {
  readonly system: System
  readonly #options: SupervisorOptions
  readonly #startedMs: number
  readonly #refusals: RefusalLog
  readonly #root: Ref<never>
  readonly #storage: Storage
  readonly #access: Resource<AccessStore>
  readonly #listener: Resource<Listener>
  #listeners: readonly Resource<Listener>[] = []
  readonly #control: Resource<ControlServer> | undefined
  readonly #operations: Resource<OperationsServer> | undefined
  #identity: ServerIdentity | undefined
  #clients: Ref<ClientsMessage> | undefined
  #endpoint: NetworkEndpoint
  #address: OperationsAddress | undefined
  #stopping: Promise<void> | undefined
  /** One change of the key at a time. */
  #rotating: Promise<unknown> = Promise.resolve()

  constructor(options: SupervisorOptions) {
    this.#options = options
    const { env, crypto, volume } = options.world
    this.#startedMs = env.monotonic()
    this.#refusals = new RefusalLog(env)
    this.#endpoint = options.listen
    this.#address = options.operations
    this.system = createSystem({ env, name: 'blazedb' })
    this.#root = this.system.spawn({
      name: 'supervisor',
      behaviour: this.#rootBehaviour(),
      restart: 'temporary',
    })
    const storage = spawnUnder(this.#root, {
      name: 'storage',
      behaviour: supervisor({ kind: 'storage', strategy: 'dynamic' }),
    })
    this.#storage = createStorage({
      volume,
      env,
      crypto,
      parent: storage,
      quotaBytes: options.quotaBytes,
    })
    this.#access = accessResource(options.world)
    this.#listener = this.#listen('tls', {
      endpoint: () => this.#endpoint,
      // Clients know this port from now on, so that is where it listens again.
      listening: (endpoint) => {
        if (endpoint.transport !== 'uds') this.#endpoint = endpoint
      },
    })
    this.#control = this.#controlResource()
    this.#operations = this.#operationsResource()
  }

  get endpoint(): NetworkEndpoint {
    return this.#endpoint
  }

  get operations(): OperationsAddress | undefined {
    return this.#address
  }

  async start(): Promise<void> {
    const { env, crypto, volume } = this.#options.world
    spawnUnder(this.#root, this.#access.spec)
    // The lock of this store is the lock of the data directory: nothing else is touched before it is held.
    await this.#access.ready()
    const identity = await openIdentity({ volume, env, crypto })
    this.#identity = identity
    const { rateBytes } = this.#options
    const desk = {
      env,
      rates: rateBytes === undefined ? undefined : new RateTable(env, rateBytes),
      access: () => this.#access.current(),
      storage: this.#storage,
      attempts: new AttemptTable(env),
      refusals: this.#refusals,
    }
    this.#clients = spawnUnder(this.#root, {
      name: 'clients',
      behaviour: clients({ identity: () => this.#identity ?? identity, crypto, desk }),
    })
    this.#listeners = this.#listenEverywhere()
    const listeners: ChildSpec<never>[] = this.#listeners.map(({ spec }) => spec)
    if (this.#control !== undefined) listeners.push(this.#control.spec)
    spawnUnder(this.#root, {
      name: 'listeners',
      behaviour: supervisor({ kind: 'listeners', strategy: 'one_for_one', children: listeners }),
    })
    for (const listener of this.#listeners) await listener.ready()
    await this.#control?.ready()
    if (this.#operations !== undefined) {
      spawnUnder(this.#root, this.#operations.spec)
      await this.#operations.ready()
    }
    env.log.info('supervisor.started', {
      listen: this.#listening(),
      serverKey: this.#serverKey(),
    })
  }

  enrolment(): string | undefined {
    const secret = this.#access.current()?.enrolment()
    return secret === undefined ? undefined : this.#formatCode(secret)
  }

  async createCode(): Promise<string> {
    const access = await this.#access.ready()
    return this.#formatCode(await access.createCode())
  }

  rotateKey(): Promise<string> {
    const rotated = this.#rotating.then(async () => {
      this.#identity = await rotateIdentity(this.#options.world)
      this.#clients?.tell({ type: 'clients.renew' })
      this.#options.world.env.log.info('server.key.changed', { serverKey: this.#serverKey() })
      return this.#serverKey()
    })
    this.#rotating = rotated.catch(() => undefined)
    return rotated
  }

  health(): Health {
    const tree = this.system.tree()
    const failed = this.#failed(tree)
    return {
      ok: failed.length === 0,
      version: this.#options.version ?? 'unknown',
      uptimeMs: Math.round(this.#options.world.env.monotonic() - this.#startedMs),
      clients: tree.filter(({ kind }) => kind === 'connection').length,
      databases: this.#access.current()?.databases().length ?? 0,
      quarantined: this.#storage.count().failed,
      failed,
    }
  }

  status(): Status {
    const access = this.#access.current()
    const tree = this.system.tree()
    return {
      ...this.health(),
      pid: process.pid,
      rssBytes: process.memoryUsage.rss(),
      listen: this.#listening(),
      ops: this.#address === undefined ? null : formatOperations(this.#address),
      device: this.#deviceId(),
      peers: peersOf(tree),
      hosts: access?.hostCount ?? 0,
      enrolmentOpen: access?.enrolment() !== undefined,
      refused: this.#refusals.counts(),
      databaseList: (access?.databases() ?? []).map((row) => this.#databaseStatus(row)),
      actors: tree,
    }
  }

  #listening(): string[] {
    const endpoints = this.#listeners.map((listener) => listener.current()?.endpoint)
    return [this.#endpoint, ...endpoints.slice(1)].flatMap((endpoint) =>
      endpoint === undefined ? [] : [formatEndpoint(endpoint)],
    )
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const { env } = this.#options.world
    // All at once: one after the other, a thousand slow goodbyes would outlast every patience.
    if (this.#clients?.alive === true)
      await this.#clients
        .ask<number>((reply) => ({ type: 'clients.drain', reply }), limits.clientStopMs)
        .catch((error: unknown) => env.log.warn('clients.drain.failed', { error: String(error) }))
    await this.system.stop()
    env.log.info('supervisor.stopped')
  }

  #rootBehaviour(): Behaviour<never> {
    const rules = supervisor({ kind: 'supervisor', strategy: 'rest_for_one', children: [] })
    return {
      ...rules,
      start: (ctx) => {
        ctx.own(() => {
          if (this.#stopping !== undefined) return
          this.#options.onFailed?.(
            new BlazeError('CELL_DOWN', 'the supervisor tree went down; its last error is in the log'),
          )
        })
        return rules.start(ctx)
      },
    }
  }

  /** Parts that are not at work: missing, restarting, or closed. */
  #failed(tree: readonly CellInfo[]): string[] {
    const parts = ['storage', 'access', 'clients', 'listeners']
    for (const { spec } of this.#listeners) parts.push(`listeners/${spec.name}`)
    if (this.#control !== undefined) parts.push('listeners/control')
    if (this.#operations !== undefined) parts.push('operations')
    const working = tree.filter(({ state }) => state === 'running' || state === 'open')
    const paths = new Set(working.map(({ path }) => path))
    return parts.map((part) => `/supervisor/${part}`).filter((path) => !paths.has(path))
  }

  #listen(name: string, o: Pick<ListenerOptions, 'endpoint' | 'listening'>): Resource<Listener> {
    return listenerResource(name, {
      ...o,
      transport: this.#options.world.transport,
      onLink: (link) => {
        if (this.#clients?.tell({ type: 'client.accepted', link }) !== 'ok') link.destroy()
      },
      onRefused: ({ remote, code, reason }) =>
        this.#refusals.add({ address: addressOf(remote), code, reason }),
    })
  }

  #listenEverywhere(): Resource<Listener>[] {
    const listeners = [this.#listener]
    const { localDirectory, proxied } = this.#options
    if (proxied !== undefined) listeners.push(this.#listen('ws', { endpoint: () => proxied }))
    if (localDirectory !== undefined)
      listeners.push(this.#listen('uds', { endpoint: () => this.#localEndpoint(localDirectory) }))
    return listeners
  }

  #localEndpoint(directory: string): Endpoint {
    assert(this.#identity !== undefined, 'the identity is read before anybody listens')
    return supervisorSocket(directory, this.#identity.device.publicKey)
  }

  #controlResource(): Resource<ControlServer> | undefined {
    const { control: place, world } = this.#options
    if (place === undefined) return undefined
    return controlResource({
      place,
      env: world.env,
      listening: () => this.#listener.ready(),
      handle: (request) => answerControl(this, request),
    })
  }

  #operationsResource(): Resource<OperationsServer> | undefined {
    const { env } = this.#options.world
    if (this.#address === undefined) return undefined
    return createResource<OperationsServer>({
      name: 'operations',
      kind: 'operations',
      open: async () => {
        assert(this.#address !== undefined, 'operations opened without an address')
        const server = await listenOperations({
          env,
          address: this.#address,
          health: () => this.health(),
          status: () => this.status(),
        })
        this.#address = server.address
        return server
      },
      close: (server) => server.close(),
      inspect: (server) => (server === undefined ? {} : { listen: formatOperations(server.address) }),
    })
  }

  #databaseStatus({ name, spaceId }: { name: string; spaceId: Uint8Array }): DatabaseStatus {
    const { state, records, bytes, users, error } = this.#storage.info(spaceId)
    return {
      name,
      space: toHex(spaceId),
      state,
      records: records ?? null,
      bytes: bytes ?? null,
      quotaBytes: this.#options.quotaBytes ?? null,
      clients: users,
      error: error ?? null,
    }
  }

  #formatCode({ id, secret }: EnrolmentSecret): string {
    assert(this.#identity !== undefined, 'a code was asked for before the identity was there')
    const { advertise } = this.#options
    return formatCode({
      kind: 'enroll',
      host: advertise?.host ?? this.#endpoint.host,
      port: advertise?.port ?? this.#endpoint.port,
      codeId: id,
      secret,
      serverKey: this.#identity.staticPublicKey,
    })
  }

  #deviceId(): string {
    const { crypto } = this.#options.world
    return this.#identity === undefined ? '' : formatDeviceId(crypto, this.#identity.device.publicKey)
  }

  #serverKey(): string {
    return this.#identity === undefined ? '' : toHex(this.#identity.staticPublicKey)
  }
}

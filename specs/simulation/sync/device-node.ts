/**
 * One boot of a device of the campaign: the real client on the ports of a simulated node.
 * Invariant: it holds one client at a time, and none while its directory is being moved.
 */
import { BlazeError, joinIn, openIn, RemoteNode } from '../../../actors/index.ts'
import type { BlazeDBClient, Volume, World } from '../../../actors/index.ts'
import { partsOf } from '../../../actors/client/client.ts'
import { deviceOf } from '../../../actors/database/index.ts'
import { createSimulatedFiles } from '../../../actors/replica/index.ts'
import { nodeCrypto, toHex } from '../../../runtime/index.ts'
import type { NodeWorld } from '../../../actors/testing.ts'
import { volumeAt } from './directory.ts'
import type { DevicePlan } from './plan.ts'
import type { ShownDoc } from './shown.ts'
import type { Team } from './team.ts'

const key = new Uint8Array(32).fill(7)
/** Virtual ms that a call which may wait for others waits under faults. */
export const patienceMs = 4_000

const collections = ['notes', 'shared', 'phoenix', 'accounts', 'pairs', 'files'] as const

/** What a device showed at one moment, with the dots that were under it. */
export interface Look {
  readonly docs: ReadonlyMap<string, readonly ShownDoc[]>
  readonly dots: string
}

export class DeviceNode {
  readonly kind = 'device'
  readonly plan: DevicePlan
  readonly team: Team
  readonly node: NodeWorld
  client: BlazeDBClient | undefined
  /** Something opens, joins or closes it now. */
  busy = false
  /** Writes that it was asked for and has not answered. */
  writing = 0
  /** The supervisor that it last followed its team to. */
  home: string | undefined

  constructor(node: NodeWorld, plan: DevicePlan, team: Team) {
    this.node = node
    this.plan = plan
    this.team = team
  }

  get name(): string {
    return this.plan.name
  }

  /** It can be asked for something. */
  get open(): BlazeDBClient | undefined {
    return this.busy ? undefined : this.client
  }

  /** Counts a write until it is answered. */
  async answer<T>(write: Promise<T>): Promise<T> {
    this.writing += 1
    try {
      return await write
    } finally {
      this.writing -= 1
    }
  }

  /** First start and every other one. A late device without a directory stays without a client. */
  async start(): Promise<this> {
    if (await this.#hasHeader()) await this.reopen()
    else if (this.plan.arrival === 'founder') {
      const client = await openIn(this.#world(), { name: this.name, at: 'db', key })
      this.client = client
      await this.team.found(client)
    } else if (this.plan.arrival === 'invited') await this.join(await this.team.inviteAtStart(this.plan.role))
    return this
  }

  async reopen(): Promise<void> {
    this.client = await openIn(this.#world(), { name: this.name, at: 'db', key })
  }

  async join(invite: string): Promise<void> {
    this.client = await joinIn(this.#world(), { name: this.name, at: 'db', key, invite })
  }

  /** Closes the database and opens it again in the same process. */
  async restart(pauseMs: number): Promise<void> {
    await this.alone(async () => {
      const { client } = this
      this.client = undefined
      await client?.close()
      await new Promise<void>((resolve) => void this.node.env.after(pauseMs, resolve))
      await this.reopen()
    })
  }

  /** Redeems an invite of a teammate unless it is in the team already. */
  async joinLate(): Promise<void> {
    if (this.client !== undefined || this.busy) return
    await this.alone(async () => {
      if (await this.#hasHeader()) return this.reopen()
      await this.join(await this.#patiently(this.team.invite(this.plan.role)))
    })
  }

  /** Follows the team to the supervisor where it is now. */
  async move(): Promise<void> {
    const { home } = this.team
    await this.alone(async () => {
      const client = this.client
      // Another supervisor does not know the invite: the join is done where it was begun.
      if (client === undefined || !isMember(client)) return
      // What fails from here on is tried again, wherever the team is by then.
      this.home = undefined
      await client.sync?.stop()
      const place = await this.#patiently(this.team.remoteOf(home, this.plan.arrival === 'founder'))
      const remote = new RemoteNode(place)
      await client.enableSync({ remote, database: this.team.name, timeoutMs: patienceMs })
      this.home = home
    })
  }

  /** One thing at a time. A process that cannot open its database any more ends, and is started again. */
  async alone(work: () => Promise<void>): Promise<void> {
    if (this.busy) return
    this.busy = true
    try {
      await work()
    } catch (error) {
      if (!(error instanceof BlazeError)) throw error
      const { arrival, beside } = this.plan
      const isNeeded = beside === undefined && (arrival === 'founder' || arrival === 'invited')
      if (this.client === undefined && isNeeded) this.node.exit()
    } finally {
      this.busy = false
    }
  }

  /** Undefined when something moved meanwhile. */
  async look(client: BlazeDBClient): Promise<Look | undefined> {
    const replica = partsOf(client).database.space?.replica
    if (replica === undefined) return undefined
    const before = replica.lastArrival
    const docs = new Map<string, readonly ShownDoc[]>()
    for (const name of collections) docs.set(name, await client.collection(name).query().all())
    const lines: string[] = []
    for (const { tag, live } of await replica.scan(undefined, 100_000))
      lines.push(
        `${toHex(tag)}${live
          .map(({ replicaId, seq }) => ` ${toHex(replicaId)}.${seq}`)
          .sort()
          .join('')}`,
      )
    return replica.lastArrival === before ? { docs, dots: lines.sort().join('\n') } : undefined
  }

  /** What an opening leaves that found a full disk is no database yet. */
  async #hasHeader(): Promise<boolean> {
    return (await this.#volume.list('')).some((file) => file.startsWith('header'))
  }

  /** What other nodes do has no end when they lose their power. */
  #patiently<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.node.env.after(patienceMs, () =>
        reject(new BlazeError('TIMEOUT', 'the other node did not answer')),
      )
      work.then(resolve, reject)
    })
  }

  /** The whole disk, or what the supervisor leaves of it. */
  get #volume(): Volume {
    return this.plan.beside === undefined ? this.node.volume : volumeAt(this.node.volume, 'member')
  }

  #world(): World {
    const { node } = this
    return {
      env: node.env,
      system: node.system,
      crypto: nodeCrypto,
      transport: node.transport,
      local: node.transport,
      pid: 1,
      isRunning: (pid) => pid === 1,
      groupDirectory: (name) => `/groups/${name}`,
      volume: () => this.#volume,
      files: createSimulatedFiles(),
    }
  }
}

function isMember(client: BlazeDBClient): boolean {
  const { space, identity } = partsOf(client).database
  return space?.team.role(deviceOf(identity, nodeCrypto).keys.signKey) !== undefined
}

/**
 * A team of the campaign: its founder, its supervisor and its oracle, for all boots of all its devices.
 * Invariant: it keeps only what people keep outside of their devices: who is in it, where it is hosted, codes on paper.
 */
import { BlazeError, RemoteNode } from '../../../actors/index.ts'
import type { BlazeDBClient } from '../../../actors/index.ts'
import { TeamOracle } from './oracle.ts'
import { beginTeam } from './first-records.ts'
import type { TeamPlan } from './plan.ts'
import type { DeviceNode } from './device-node.ts'
import { supervisorPort } from './supervisor-node.ts'
import type { SupervisorNode } from './supervisor-node.ts'

/** What the team sees of the world around it. */
export interface Surroundings {
  /** The supervisor, once it runs. */
  supervisor(name: string): Promise<SupervisorNode>
  devices(): Iterable<DeviceNode>
}

export class Team {
  readonly name: string
  readonly oracle: TeamOracle = new TeamOracle()
  home: string
  readonly #around: Surroundings
  readonly #founded: Promise<BlazeDBClient>
  #tellFounded: (client: BlazeDBClient) => void = () => {}
  /** Static keys of supervisors, as codes name them. */
  readonly #serverKeys = new Map<string, Uint8Array>()

  constructor(plan: TeamPlan, around: Surroundings) {
    this.name = plan.name
    this.home = plan.home
    this.#around = around
    this.#founded = new Promise((resolve) => {
      this.#tellFounded = resolve
    })
  }

  async found(client: BlazeDBClient): Promise<void> {
    const remote = new RemoteNode(await this.remoteOf(this.home, true))
    await client.enableSync({ remote, database: this.name })
    await beginTeam(client, this.oracle)
    this.#tellFounded(client)
  }

  /** Of the founder, before any fault. */
  async inviteAtStart(role: 'writer' | 'reader'): Promise<string> {
    return (await this.#founded).invite({ role })
  }

  /** Of the founder as it runs now; `OFFLINE` when it does not. */
  async invite(role: 'writer' | 'reader'): Promise<string> {
    for (const device of this.#around.devices())
      if (device.team === this && device.plan.arrival === 'founder' && device.open !== undefined)
        return device.open.invite({ role })
    throw new BlazeError('OFFLINE', `the founder of ${this.name} is away`)
  }

  /** With a code for whoever makes the supervisor host the team, without for the members that follow. */
  async remoteOf(
    home: string,
    withCode: boolean,
  ): Promise<{ host: string; port: number; code?: string; serverKey?: Uint8Array }> {
    const place = { host: home, port: supervisorPort }
    const known = this.#serverKeys.get(home)
    if (!withCode && known !== undefined) return { ...place, serverKey: known }
    const { supervisor } = await this.#around.supervisor(home)
    const code = await supervisor.createCode()
    this.#serverKeys.set(home, RemoteNode.parse(code).serverKey)
    return { ...place, code }
  }
}

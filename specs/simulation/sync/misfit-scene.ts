/**
 * What befalls one directory of the campaign: it is copied, put back from the copy, wiped, or loses rows, between two boots of its node.
 * Invariant: the oracle is told which writes such a disk may have lost, and of no other.
 */
import type { LivingNodes, NodeWorld } from '../../../actors/testing.ts'
import { partsOf } from '../../../actors/client/client.ts'
import { BlazeError } from '../../../runtime/index.ts'
import type { CampaignNode } from './campaign-node.ts'
import type { DeviceNode } from './device-node.ts'
import { patienceMs } from './device-node.ts'
import { copyDirectory, damage, putBack, wipe } from './directory.ts'
import type { DirectoryCopy } from './directory.ts'
import type { Plan } from './plan.ts'
import type { Team } from './team.ts'

/** Where a supervisor keeps what it holds for others; keys, hosts and names lie beside it. */
const spaces = 'spaces'

type Stage = 'before' | 'copy' | 'between' | 'befall' | 'after'

export class MisfitScene {
  readonly #plan: Plan
  readonly #random: () => number
  readonly #teams: ReadonlyMap<string, Team>
  #stage: Stage = 'before'
  #difference: Error | undefined
  #copy: { readonly directory: DirectoryCopy; readonly taken: ReadonlyMap<Team, number> } | undefined
  /** Steps until the next stage. */
  #left: number

  constructor(plan: Plan, random: () => number, teams: ReadonlyMap<string, Team>) {
    this.#plan = plan
    this.#random = random
    this.#teams = teams
    this.#left = 2 + Math.floor(random() * 6)
  }

  /** Writes of one commit may be made again in several. */
  get isPossible(): boolean {
    return this.#plan.misfit !== 'nothing'
  }

  /**
   * A scrub has found that two sides hold something else although their vectors say the same: a disk has lost rows, or two branches of
   * one id have come to a supervisor, one of them in a round that a cut ended. A device that was put back has to leave that id then.
   */
  differs(error: Error, failed: (error: Error) => void): void {
    if (this.#plan.misfit === 'device restored') this.#difference ??= error
    else if (!/damaged|cloned/.test(this.#plan.misfit)) failed(error)
  }

  /** At rest. Throws when a device that was put back goes on under an id that has two branches. */
  check(devices: readonly DeviceNode[]): void {
    const victim = devices.find(({ name }) => name === this.#plan.victim)
    if (this.#difference === undefined || victim?.client === undefined) return
    if (partsOf(victim.client).database.identity.replicaN === 1) throw this.#difference
  }

  /** The spare device that the copy of another will be. */
  isForClone(device: DeviceNode): boolean {
    return this.#plan.misfit === 'device cloned' && device.name === this.#clone?.name
  }

  step(nodes: LivingNodes<CampaignNode>): void {
    if (this.#plan.misfit === 'nothing' || this.#stage === 'after') return
    if (this.#stage !== 'before' && this.#stage !== 'between') return
    this.#left -= 1
    const victim = nodes.get(this.#plan.victim)
    if (this.#left > 0 || victim === undefined) return
    const needsCopy = /restored|cloned/.test(this.#plan.misfit)
    this.#stage = this.#stage === 'before' && needsCopy ? 'copy' : 'befall'
    this.#left = 3 + Math.floor(this.#random() * 8)
    victim.node.exit()
    const clone = this.#clone
    if (this.#stage === 'befall' && clone !== undefined) nodes.get(clone.name)?.node.exit()
  }

  /** Nothing of the node has its directory open. */
  async beforeStart(node: NodeWorld): Promise<void> {
    const { misfit, victim } = this.#plan
    if (this.#stage === 'befall' && misfit === 'device cloned') {
      if (node.name === this.#clone?.name && this.#copy !== undefined) await this.#befall(node)
      return
    }
    if (node.name !== victim) return
    if (this.#stage === 'copy') {
      const under = misfit.startsWith('supervisor') ? spaces : ''
      const taken = new Map([...this.#teams.values()].map((team) => [team, team.oracle.now]))
      this.#copy = { directory: await copyDirectory(node.volume, under), taken }
      this.#stage = 'between'
    } else if (this.#stage === 'befall') await this.#befall(node)
  }

  /** Waits until the supervisor holds what the device wrote. */
  async confirm(device: DeviceNode): Promise<void> {
    const { oracle } = device.team
    const attempts = oracle.acknowledgedOf(device.name)
    await device.open?.sync?.caughtUp({ timeoutMs: patienceMs })
    for (const attempt of attempts) attempt.confirmed = true
  }

  async #befall(node: NodeWorld): Promise<void> {
    const { misfit, victim } = this.#plan
    const under = misfit.startsWith('supervisor') ? spaces : ''
    const team = this.#teamOf(victim)
    if (misfit === 'device restored') team?.oracle.forget(victim, this.#copy?.taken.get(team) ?? 0)
    else if (misfit === 'device damaged') team?.oracle.loseRows(victim)
    if (misfit.endsWith('damaged')) await damage(node.volume, under, this.#random)
    else if (misfit === 'supervisor wiped') await wipe(node.volume, under)
    else {
      if (under !== '') await wipe(node.volume, under)
      if (this.#copy === undefined) throw new BlazeError('NOT_FOUND', 'there is no copy yet')
      await putBack(node.volume, this.#copy.directory)
    }
    this.#stage = 'after'
  }

  get #clone(): { readonly name: string } | undefined {
    if (this.#plan.misfit !== 'device cloned') return undefined
    return this.#plan.teams
      .find(({ devices }) => devices.some(({ name }) => name === this.#plan.victim))
      ?.devices.find(({ arrival }) => arrival === 'clone')
  }

  #teamOf(device: string): Team | undefined {
    const plan = this.#plan.teams.find(({ devices }) => devices.some(({ name }) => name === device))
    return plan && this.#teams.get(plan.name)
  }
}

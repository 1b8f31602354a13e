/**
 * The world of the sync campaign: 2 to 8 devices in teams on 1 to 3 supervisors, blind or keyed, real actors, real crypto, one seed.
 * Invariant: everything is drawn from the tools of the world, and whatever is found wrong fails the seed.
 */
import type { LivingNodes, MakeWorld, NodeWorld, WorldTools } from '../../../actors/testing.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import { deviceOf, devicesOf } from './campaign-node.ts'
import type { CampaignNode } from './campaign-node.ts'
import { DeviceNode } from './device-node.ts'
import { MisfitScene } from './misfit-scene.ts'
import { drawPlan } from './plan.ts'
import type { DevicePlan, Plan } from './plan.ts'
import { RestCheck, standingOf } from './rest-check.ts'
import { shownOf } from './shown.ts'
import { isSupervisor, startSupervisorNode, stopInOrder } from './supervisor-node.ts'
import type { SupervisorNode } from './supervisor-node.ts'
import { Team } from './team.ts'
import { onDifference, expectNothingSent, expectSound } from './sound.ts'
import { Workload } from './workload.ts'

const writesPerStepMax = 3
/** A look at all cells costs more than the rest of a check. */
const checksPerLook = 4

/** Of all worlds so far. */
const supervisorsSoFar = { blind: 0, keyed: 0 }

export function supervisorsDrawn(): Readonly<typeof supervisorsSoFar> {
  return supervisorsSoFar
}

export const world: MakeWorld<CampaignNode> = (tools) => {
  const campaign = new Campaign(tools)
  return {
    nodes: campaign.names,
    start: (node) => campaign.start(node),
    step: (nodes) => campaign.step(nodes),
    check: (nodes) => campaign.check(nodes),
    quiescent: (nodes) => campaign.quiescent(nodes),
    why: (nodes) => campaign.why(nodes),
    finish: (nodes) => campaign.finish(nodes),
  }
}

class Campaign {
  readonly names: readonly string[]
  readonly #tools: WorldTools
  readonly #plan: Plan
  readonly #teams = new Map<string, Team>()
  readonly #workload: Workload
  readonly #misfit: MisfitScene
  readonly #rest: RestCheck
  /** All that run now, those that are still starting too. */
  readonly #running = new Map<string, CampaignNode>()
  readonly #waiting = new Map<string, ((node: SupervisorNode) => void)[]>()
  #failure: { readonly error: unknown } | undefined
  #numbers = 0
  #checks = 0

  constructor(tools: WorldTools) {
    this.#tools = tools
    this.#plan = drawPlan(tools.random)
    const { teams, supervisors, large, partBytes } = this.#plan
    Object.assign(limits, { relayPartBytes: partBytes })
    const members = teams.flatMap(({ devices }) => devices.filter(({ beside }) => beside !== undefined))
    supervisorsSoFar.keyed += members.length
    supervisorsSoFar.blind += supervisors.length - members.length
    const alone = teams.flatMap(({ devices }) => devices.filter(({ beside }) => beside === undefined))
    this.names = [...supervisors, ...alone.map(({ name }) => name)]
    for (const team of teams)
      this.#teams.set(
        team.name,
        new Team(team, { supervisor: (name) => this.#supervisor(name), devices: () => this.#devices() }),
      )
    this.#misfit = new MisfitScene(this.#plan, tools.random, this.#teams)
    this.#rest = new RestCheck([...this.#teams.values()])
    this.#workload = new Workload({
      random: tools.random,
      large,
      hasMisfit: this.#misfit.isPossible,
      next: () => ++this.#numbers,
      failed: this.#failed,
    })
    tools.trace(`plan ${JSON.stringify(this.#plan)}`)
  }

  readonly #failed = (error: unknown): void => {
    this.#failure ??= { error }
  }

  async start(node: NodeWorld): Promise<CampaignNode> {
    await this.#misfit.beforeStart(node)
    const { name } = node
    onDifference(node, (error) => this.#misfit.differs(error, this.#failed))
    if (!this.#plan.supervisors.includes(name)) {
      const device = this.#deviceAt(node, (plan) => plan.name === name)
      if (device === undefined) throw new Error(`nobody planned ${name}`)
      this.#running.set(name, await device.start())
      return device
    }
    const member = this.#deviceAt(node, (plan) => plan.beside === name)
    const started = await startSupervisorNode(node, { member, rateBytes: this.#plan.rateBytes })
    this.#running.set(name, started)
    for (const tell of this.#waiting.get(name) ?? []) tell(started)
    this.#waiting.delete(name)
    // The supervisor serves without it; what fails here is tried again as for one that joins late.
    if (member !== undefined) await this.#catch(member.start())
    return started
  }

  async step(nodes: LivingNodes<CampaignNode>): Promise<void> {
    const { random } = this.#tools
    const devices = devicesOf(nodes)
    this.#misfit.step(nodes)
    const device = this.#pick(devices)
    const kind = random()
    if (random() < this.#plan.pace)
      for (let writes = random() * writesPerStepMax; writes > 0; writes--) {
        const writer = this.#pick(devices)
        if (writer !== undefined) this.#workload.write(writer)
      }
    if (kind > 0.97) return this.#catch(stopInOrder(this.#pick([...nodes.values()].filter(isSupervisor))))
    if (device === undefined) return
    if (device.client === undefined && this.#misfit.isForClone(device)) return
    if (device.client === undefined) return this.#catch(device.joinLate())
    if (kind < 0.04) return this.#catch(device.restart(random() * 2_000))
    if (kind < 0.16) return this.#catch(this.#observe(device))
    if (kind < 0.24) return this.#catch(this.#misfit.confirm(device))
    if (kind < 0.3 && this.#plan.moves) return this.#catch(this.#move(device))
  }

  check(nodes: LivingNodes<CampaignNode>): void {
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#misfit.isPossible) devicesOf(nodes).forEach(expectNothingSent)
    this.#checks += 1
    if (this.#checks % checksPerLook !== 0) return
    for (const node of nodes.values()) expectSound(node)
  }

  async quiescent(nodes: LivingNodes<CampaignNode>): Promise<boolean> {
    this.check(nodes)
    const devices = devicesOf(nodes)
    for (const device of devices) {
      if (device.busy) continue
      if (device.client === undefined) void this.#catch(device.joinLate())
      else if (this.#plan.moves && device.home !== device.team.home) void this.#catch(device.move())
    }
    return this.#rest.isQuiet(devices)
  }

  why(nodes: LivingNodes<CampaignNode>): string {
    return devicesOf(nodes).map(standingOf).join('; ')
  }

  async finish(nodes: LivingNodes<CampaignNode>): Promise<void> {
    await this.#rest.check(devicesOf(nodes))
    this.#misfit.check(devicesOf(nodes))
    this.check(nodes)
  }

  #deviceAt(node: NodeWorld, isIt: (plan: DevicePlan) => boolean): DeviceNode | undefined {
    for (const { name, devices } of this.#plan.teams) {
      const plan = devices.find(isIt)
      const team = this.#teams.get(name)
      if (plan !== undefined && team !== undefined) return new DeviceNode(node, plan, team)
    }
    return undefined
  }

  /** Somebody reads everything in the middle of it all. */
  async #observe(device: DeviceNode): Promise<void> {
    const client = device.open
    if (client === undefined || !isLive(client)) return
    const look = await device.look(client)
    if (look === undefined || !isLive(client) || this.#misfit.isPossible) return
    device.team.oracle.checkWhole(device.name, shownOf(look.docs))
  }

  /** The founder takes its team to another supervisor, and the others follow it one by one. */
  async #move(device: DeviceNode): Promise<void> {
    const { team, plan } = device
    if (plan.arrival === 'founder') {
      team.home = this.#pick(this.#plan.supervisors.filter((name) => name !== team.home)) ?? team.home
    }
    if (device.home !== team.home) await device.move()
  }

  async #catch(work: Promise<unknown>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!(error instanceof BlazeError)) this.#failed(error)
    }
  }

  *#devices(): Iterable<DeviceNode> {
    for (const node of this.#running.values()) yield* deviceOf(node)
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#tools.random() * items.length)]
  }

  #supervisor(name: string): Promise<SupervisorNode> {
    const node = this.#running.get(name)
    if (node?.kind === 'supervisor') return Promise.resolve(node)
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? []
      this.#waiting.set(name, waiting)
      waiting.push(resolve)
    })
  }
}

/** No longer round is being taken, and nothing waits to be shown. */
function isLive(client: NonNullable<DeviceNode['client']>): boolean {
  const { held } = client.status()
  const sync = client.sync?.status()
  if (sync?.relay !== 'live' || sync.unfinished.length > 0) return false
  return held.clock + held.key + held.life + held.bad === 0
}

/** A real system built from a plan, in simulation, with all that happens in it written down as the reference model does. */
import type { Behaviour, ChildSpec, Context, Ref, Simulation, System } from '../../../runtime/index.ts'
import { createSimulation, createSystem, spawnUnder, supervisor } from '../../../runtime/index.ts'
import type { Script } from '../world.ts'
import type { Picture, Step } from './otp-case.ts'
import type { CellPlan, SupervisionPlan } from './otp-plan.ts'

/** Ms in which everything that a step causes at once has happened. */
const settleMs = 15

export class OtpSystem {
  readonly #simulation: Simulation
  readonly #system: System
  readonly #refs = new Map<string, Ref<Script>>()
  readonly #failingStarts = new Map<string, number>()
  /** Of the present life at each path. */
  readonly #signals = new Map<string, AbortSignal>()
  #log: string[] = []

  constructor(top: CellPlan) {
    this.#simulation = createSimulation(1)
    // Chance decides how long a restart waits; the model has to know.
    this.#system = createSystem({ env: { ...this.#simulation.env('node'), random: () => 0.5 } })
    this.#system.spawn(this.#spec(top, ''))
  }

  async settle(): Promise<void> {
    await this.#simulation.pass(settleMs)
  }

  async play(step: Step): Promise<void> {
    await this.#simulation.pass(step.atMs - this.#simulation.now())
    this.#meet(step)
    await this.settle()
  }

  look(): Picture {
    const log = this.#log
    this.#log = []
    const cells = this.#system
      .tree()
      .filter((info) => this.#refs.has(info.path))
      .filter((info) => info.state !== 'restarting' || this.#refs.get(info.path)?.id === info.id)
      .map((info) => `${info.path} ${statusOf(info.state)} ${info.restarts}`)
    return { cells, log }
  }

  #meet(step: Step): void {
    if (step.kind === 'pass') return
    if (step.kind === 'fail') {
      this.#failingStarts.set(step.path, step.times)
      return
    }
    const ref = this.#refs.get(step.path)
    if (ref === undefined) throw new Error(`nothing was ever started at ${step.path}`)
    switch (step.kind) {
      case 'crash':
        ref.tell(() => fail(step.path))
        break
      case 'end':
        ref.tell((ctx) => ctx.stopSelf())
        break
      case 'stop':
        void ref.stop()
        break
      case 'kill':
        void ref.kill()
        break
      case 'add':
        spawnUnder(ref, this.#spec(step.plan, step.path))
        break
    }
  }

  #spec(plan: CellPlan, above: string): ChildSpec<Script> {
    const { name, restart, significant } = plan
    const path = `${above}/${name}`
    const behaviour =
      plan.supervision === undefined ? this.#worker(path) : this.#supervisor(path, plan.supervision)
    return { name, restart, significant, behaviour }
  }

  #worker(path: string): Behaviour<Script> {
    return {
      kind: 'worker',
      start: (ctx) => {
        this.#begin(path, ctx)
        return { receive: (script) => script(ctx), stop: () => this.#stop(path) }
      },
    }
  }

  /** A supervisor that can be told to crash. */
  #supervisor(path: string, plan: SupervisionPlan): Behaviour<Script> {
    const { strategy, autoShutdown, intensity, periodMs, firstMs, maxMs } = plan
    const rules = { kind: 'supervisor', autoShutdown, intensity, periodMs, backoff: { firstMs, maxMs } }
    const children = plan.children.map((child) => this.#spec(child, path))
    const inner = supervisor(
      strategy === 'dynamic' ? { ...rules, strategy } : { ...rules, strategy, children },
    )
    return {
      ...inner,
      start: (ctx) => {
        this.#begin(path, ctx)
        inner.start(ctx)
        return { receive: (script) => script(ctx), stop: () => this.#stop(path) }
      },
    }
  }

  #begin(path: string, ctx: Context<Script>): void {
    this.#log.push(`+${path}`)
    this.#refs.set(path, ctx.self)
    this.#signals.set(path, ctx.signal)
    const failing = this.#failingStarts.get(path) ?? 0
    if (failing === 0) return
    this.#failingStarts.set(path, failing - 1)
    fail(path)
  }

  #stop(path: string): void {
    this.#log.push(`-${path}`)
    for (const [other, signal] of this.#signals)
      if (other.startsWith(`${path}/`) && !signal.aborted) this.#log.push(`${other} is still up below it`)
  }
}

function statusOf(state: string): string {
  switch (state) {
    case 'running':
      return 'up'
    case 'restarting':
      return 'waiting'
    case 'stopped':
      return 'gave-up'
    default:
      return state
  }
}

function fail(path: string): never {
  throw new Error(`${path} was told to fail`)
}

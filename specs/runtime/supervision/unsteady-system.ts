/** A real system whose cells take their time to stop, and that notes every promise of supervision that is broken on the way. */
import type { Behaviour, ChildSpec, Context, Ref, Simulation, System } from '../../../runtime/index.ts'
import {
  createChance,
  createSimulation,
  createSystem,
  spawnUnder,
  supervisor,
} from '../../../runtime/index.ts'
import type { Script } from '../world.ts'
import type { Wish } from './otp-case.ts'
import type { CellPlan, SupervisionPlan } from './otp-plan.ts'

/** Longer than some stops, shorter than those that hang. */
const stopBudgetMs = 200

/** The place of a cell in its tree; a new one for every cell that is added. */
interface Spot {
  readonly plan: CellPlan
  readonly above: Spot | undefined
  readonly children: Spot[]
  /** Stopped or killed from outside: it never comes back. */
  removed: boolean
  /** Stopped itself; its stop may go on while those of its siblings do. */
  ownEnd: boolean
  life: Life | undefined
  ref: Ref<Script> | undefined
}

interface Life {
  readonly signal: AbortSignal
  /** Virtual ms at which its stop is over, at the latest. */
  stopEndsMs: number
}

export class UnsteadySystem {
  readonly faults: string[] = []
  starts = 0
  /** Crashes that were asked for while the stop of another cell was under way. */
  overlaps = 0
  readonly #simulation: Simulation
  readonly #system: System
  readonly #chance: () => number
  readonly #top: Spot
  readonly #failingStarts = new Map<string, number>()
  #stopped = false
  #added = 0

  constructor(top: CellPlan, seed: number) {
    this.#simulation = createSimulation(seed)
    this.#chance = createChance(seed)
    this.#system = createSystem({ env: this.#simulation.env('node') })
    this.#top = newSpot(top, undefined)
    this.#system.spawn(this.#spec(this.#top))
  }

  pass(virtualMs: number): Promise<void> {
    return this.#simulation.pass(virtualMs)
  }

  meet(wish: Wish): void {
    const spots = below(this.#top).filter((spot) => spot.ref?.alive === true && isUp(spot.above))
    const spot = spots[wish.pick % Math.max(1, spots.length)]
    if (spot?.ref === undefined) return
    const { ref } = spot
    switch (wish.kind) {
      case 'crash':
        if (below(this.#top).some((other) => this.#isStopping(other))) this.overlaps++
        ref.tell(() => fail(spot))
        break
      case 'end':
        ref.tell((ctx) => {
          spot.ownEnd = true
          ctx.stopSelf()
        })
        break
      case 'stop':
      case 'kill':
        spot.removed = true
        // A kill waits for no farewell, not even for one that has begun.
        if (wish.kind === 'kill')
          for (const one of below(spot)) if (one.life !== undefined) one.life.stopEndsMs = -1
        void ref[wish.kind]()
        break
      case 'fail':
        this.#failingStarts.set(pathOf(spot), wish.times)
        break
      case 'add':
        this.#add(spot, wish.plan)
        break
      case 'pass':
        break
    }
  }

  /** Nothing is under way any more, and every permanent child of a supervisor that is up is up. */
  checkRest(): void {
    for (const { path, state } of this.#system.tree())
      if (state !== 'running' && !(path === '/top' && state === 'stopped'))
        this.faults.push(`${path} is still ${state}`)
    for (const spot of below(this.#top)) {
      const owed = spot.plan.restart === 'permanent' && !spot.removed && isUp(spot.above)
      if (owed && spot !== this.#top && !isUp(spot)) this.faults.push(`${pathOf(spot)} is down for good`)
    }
  }

  /** Everything ends within the budgets, and nothing starts afterwards. */
  async stop(): Promise<void> {
    void this.#system.stop().then(() => (this.#stopped = true))
    await this.pass(below(this.#top).length * 2 * stopBudgetMs)
    if (!this.#stopped || this.#system.tree().length > 0) this.faults.push('the system does not stop')
    await this.pass(60_000)
  }

  #add(spot: Spot, plan: CellPlan): void {
    if (spot.plan.supervision === undefined || !isUp(spot) || spot.ref === undefined) return
    const child = newSpot({ ...plan, name: `n${++this.#added}` }, spot)
    try {
      spawnUnder(spot.ref, this.#spec(child))
      spot.children.push(child)
    } catch {
      // It is going down already: CELL_DOWN is the right answer.
    }
  }

  #spec(spot: Spot): ChildSpec<Script> {
    const { name, restart, supervision } = spot.plan
    const behaviour = supervision === undefined ? undefined : this.#supervisor(spot, supervision)
    return { name, restart, stopBudgetMs, behaviour: behaviour ?? this.#worker(spot) }
  }

  #worker(spot: Spot): Behaviour<Script> {
    return {
      kind: 'worker',
      start: (ctx) => {
        this.#begin(spot, ctx)
        return { receive: (script) => script(ctx), stop: () => this.#stop(spot) }
      },
    }
  }

  #supervisor(spot: Spot, plan: SupervisionPlan): Behaviour<Script> {
    const { strategy, intensity, periodMs, firstMs, maxMs } = plan
    const rules = { kind: 'supervisor', intensity, periodMs, backoff: { firstMs, maxMs } }
    return {
      ...supervisor(strategy === 'dynamic' ? { ...rules, strategy } : { ...rules, strategy, children: [] }),
      start: (ctx) => {
        this.#begin(spot, ctx)
        spot.children.splice(0, Infinity, ...plan.children.map((child) => newSpot(child, spot)))
        const children = spot.children.map((child) => this.#spec(child))
        supervisor(strategy === 'dynamic' ? { ...rules, strategy } : { ...rules, strategy, children }).start(
          ctx,
        )
        return { receive: (script) => script(ctx), stop: () => this.#stop(spot) }
      },
    }
  }

  #begin(spot: Spot, ctx: Context<Script>): void {
    this.starts++
    const path = pathOf(spot)
    if (isUp(spot)) this.faults.push(`${path} lives twice`)
    if (this.#isStopping(spot)) this.faults.push(`${path} starts before its last life has stopped`)
    if (spot.removed) this.faults.push(`${path} was removed and starts again`)
    if (this.#stopped) this.faults.push(`${path} starts although the system has stopped`)
    if (!isUp(spot.above) && spot.above !== undefined)
      this.faults.push(`${path} starts below a dead supervisor`)
    for (const left of dependencies(spot))
      if (!isUp(left)) this.faults.push(`${path} starts without ${pathOf(left)}, which it depends on`)
    spot.life = { signal: ctx.signal, stopEndsMs: -1 }
    spot.ref = ctx.self
    spot.ownEnd = false
    const failing = this.#failingStarts.get(path) ?? 0
    if (failing === 0) return
    this.#failingStarts.set(path, failing - 1)
    fail(spot)
  }

  #stop(spot: Spot): void | Promise<void> {
    const path = pathOf(spot)
    for (const one of below(spot).slice(1)) {
      if (isUp(one)) this.faults.push(`${path} stops while ${pathOf(one)} is up below it`)
      if (this.#isStopping(one)) this.faults.push(`${path} stops while ${pathOf(one)} still stops below it`)
    }
    for (const other of spot.above?.children ?? [])
      if (other !== spot && this.#isStopping(other) && inOrder(other) && inOrder(spot))
        this.faults.push(`${path} is stopped while ${pathOf(other)} still stops`)
    const kind = this.#chance()
    if (kind < 0.2 || spot.life === undefined) return
    const ms = kind < 0.9 ? this.#chance() * 0.9 * stopBudgetMs : 100 * stopBudgetMs
    spot.life.stopEndsMs = this.#simulation.now() + Math.min(ms, stopBudgetMs)
    return new Promise((resolve) => void this.#simulation.env('slow').after(ms, resolve))
  }

  #isStopping(spot: Spot): boolean {
    return spot.life !== undefined && spot.life.stopEndsMs > this.#simulation.now() + 0.001
  }
}

function newSpot(plan: CellPlan, above: Spot | undefined): Spot {
  return { plan, above, children: [], removed: false, ownEnd: false, life: undefined, ref: undefined }
}

/** Those that a cell was promised to find up when it starts: its permanent siblings to the left, where siblings depend on each other. */
function dependencies(spot: Spot): Spot[] {
  const siblings = spot.above?.children ?? []
  const strategy = spot.above?.plan.supervision?.strategy
  if (strategy !== 'one_for_all' && strategy !== 'rest_for_one') return []
  const left = siblings.slice(0, siblings.includes(spot) ? siblings.indexOf(spot) : siblings.length)
  return left.filter((other) => other.plan.restart === 'permanent' && !other.removed)
}

/** Its supervisor stops it in its turn: nobody from outside, and not itself. */
function inOrder(spot: Spot): boolean {
  return !spot.removed && !spot.ownEnd
}

function isUp(spot: Spot | undefined): boolean {
  return spot?.life !== undefined && !spot.life.signal.aborted
}

function below(spot: Spot): Spot[] {
  return [spot, ...spot.children.flatMap(below)]
}

function pathOf(spot: Spot): string {
  return `${spot.above === undefined ? '' : pathOf(spot.above)}/${spot.plan.name}`
}

function fail(spot: Spot): never {
  throw new Error(`${pathOf(spot)} was told to fail`)
}

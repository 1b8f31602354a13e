/**
 * A world under a virtual clock: timers, deferred work and chance of many nodes in one reproducible order. Same seed and same
 * program, same trace hash; it knows no real time, so work on real files or sockets does not belong here.
 */
import { createChance, Fingerprint } from './chance.ts'
import type { Env, Timer } from './env.ts'
import { silentLog } from './env.ts'
import { limits } from './limits.ts'
import { SimulatedClock } from './simulated-clock.ts'
import type { HeapStep } from './step-heap.ts'
import { StepHeap } from './step-heap.ts'

export interface SimulationLimits {
  /** Virtual ms after which `run` gives up. */
  readonly virtualMs: number
  /** Callbacks after which it gives up. */
  readonly steps?: number
}

export interface Simulation {
  readonly seed: number
  /** The `Env` of a node. A second one for the same name is a new boot: other entropy, same place in the world. */
  env(nodeName: string, options?: { clockOffsetMs?: number }): Env
  /** Virtual ms since the world began, fractional. */
  now(): number
  /** In [0, 1), for the faults of the world; nodes have their own. */
  random(): number
  /** Fires what is due, in order, until `until` holds (true), or a limit or the end of all work is reached (false). */
  run(until: () => boolean, bounds: SimulationLimits): Promise<boolean>
  /** Lets so much virtual time pass. */
  pass(virtualMs: number): Promise<void>
  /** Power cut: no timer and no deferred work of the node's present `Env`s ever runs. */
  cut(nodeName: string): void
  /** From now on the clocks of the node run so much faster (negative: slower), and its timers with them; 0 is right. Boots keep it. */
  drift(nodeName: string, partsPerMillion: number): void
  /** The wall clock of the node jumps; its timers and `monotonic` do not. Boots keep it. */
  jump(nodeName: string, ms: number): void
  /** Adds an event of the program to the trace; every callback adds itself. */
  trace(event: string): void
  /** 16 hex digits over everything so far. */
  traceHash(): string
  /** Callbacks so far. */
  steps(): number
}

/** Wall clock of every world at its beginning: 2025-01-01T00:00:00Z. */
const epochMs = 1_735_689_600_000

/** Longest virtual ms between a `defer` and its callback; more than 0, so that a busy node lets time pass. */
const deferMsMax = 0.2

interface Step extends HeapStep {
  /** When a timer is due on the steady clock of its node. */
  readonly steadyMs: number | undefined
  readonly node: Node
  readonly boot: number
  readonly kind: 'timer' | 'defer'
  fn: (() => void) | undefined
}

interface Node {
  readonly name: string
  boot: number
  /** Boots below this one were cut. */
  cutBelow: number
  lastDeferMs: number
  readonly clock: SimulatedClock
}

export function createSimulation(seed: number): Simulation {
  return new World(seed)
}

class World implements Simulation {
  readonly seed: number
  readonly random: () => number
  readonly #lots: () => number
  readonly #nodes = new Map<string, Node>()
  readonly #trace = new Fingerprint()
  readonly #steps = new StepHeap<Step>((step) => step.fn !== undefined && step.boot >= step.node.cutBelow)
  #nowMs = 0
  #order = 0
  #fired = 0

  constructor(seed: number) {
    this.seed = seed
    this.random = createChance(seed)
    this.#lots = createChance(seed + 1)
  }

  now(): number {
    return this.#nowMs
  }

  env(nodeName: string, options: { clockOffsetMs?: number } = {}): Env {
    const node = this.#node(nodeName)
    const boot = ++node.boot
    const offsetMs = epochMs + (options.clockOffsetMs ?? 0)
    // A stream of its own: what one node draws must not depend on how often another does.
    const chance = createChance(streamSeed(this.seed, `${nodeName}#${boot}`))
    const bytes = createChance(streamSeed(this.seed, `${nodeName}#${boot}#entropy`))
    return {
      now: () => Math.floor(offsetMs + node.clock.wall(this.#nowMs)),
      monotonic: () => node.clock.steady(this.#nowMs),
      after: (delayMs, fn) => this.#after({ node, boot }, Math.max(0, delayMs), fn),
      random: chance,
      entropy: (count) => Uint8Array.from({ length: count }, () => Math.floor(bytes() * 256)),
      defer: (fn) => this.#defer({ node, boot }, fn),
      log: silentLog,
    }
  }

  async run(until: () => boolean, bounds: SimulationLimits): Promise<boolean> {
    const endMs = this.#nowMs + bounds.virtualMs
    const stepsMax = bounds.steps ?? limits.simulationStepsMax
    for (let steps = 0; steps < stepsMax; steps++) {
      await drainPromises()
      if (until()) return true
      const next = this.#steps.first()
      if (next === undefined) return false
      if (next.dueMs > endMs) {
        this.#nowMs = endMs
        return false
      }
      this.#fire(next)
    }
    return false
  }

  async pass(virtualMs: number): Promise<void> {
    const endMs = this.#nowMs + virtualMs
    await this.run(() => false, { virtualMs })
    this.#nowMs = Math.max(this.#nowMs, endMs)
  }

  cut(nodeName: string): void {
    const node = this.#node(nodeName)
    node.cutBelow = node.boot + 1
    this.#steps.sweep()
    this.trace(`cut ${nodeName}`)
  }

  drift(nodeName: string, partsPerMillion: number): void {
    const { clock } = this.#node(nodeName)
    clock.drift(this.#nowMs, partsPerMillion)
    this.#steps.sweep((step) => {
      if (step.steadyMs === undefined || step.node.clock !== clock) return
      step.dueMs = this.#nowMs + clock.worldMs(Math.max(0, step.steadyMs - clock.steady(this.#nowMs)))
    })
    this.trace(`drift ${nodeName} ${partsPerMillion}`)
  }

  jump(nodeName: string, ms: number): void {
    this.#node(nodeName).clock.jump(ms)
    this.trace(`jump ${nodeName} ${ms}`)
  }

  trace(event: string): void {
    this.#trace.add(event)
  }

  traceHash(): string {
    return this.#trace.digest()
  }

  steps(): number {
    return this.#fired
  }

  #node(name: string): Node {
    const known = this.#nodes.get(name)
    if (known !== undefined) return known
    const node: Node = { name, boot: 0, cutBelow: 0, lastDeferMs: 0, clock: new SimulatedClock() }
    this.#nodes.set(name, node)
    return node
  }

  #after(owner: { node: Node; boot: number }, delayMs: number, fn: () => void): Timer {
    const { clock } = owner.node
    const step: Step = {
      ...owner,
      kind: 'timer',
      dueMs: this.#nowMs + clock.worldMs(delayMs),
      steadyMs: clock.steady(this.#nowMs) + delayMs,
      lot: this.#lots(),
      order: this.#order++,
      fn,
    }
    this.#steps.push(step)
    return {
      cancel: () => {
        if (step.fn === undefined) return
        step.fn = undefined
        this.#steps.died()
      },
    }
  }

  #defer(owner: { node: Node; boot: number }, fn: () => void): void {
    // FIFO within a node, as on Node; between nodes chance decides.
    const dueMs = Math.max(owner.node.lastDeferMs, this.#nowMs + (0.01 + this.#lots() * 0.99) * deferMsMax)
    owner.node.lastDeferMs = dueMs
    this.#steps.push({
      ...owner,
      kind: 'defer',
      dueMs,
      steadyMs: undefined,
      lot: 0,
      order: this.#order++,
      fn,
    })
  }

  #fire(step: Step): void {
    const { node, fn, steadyMs } = step
    this.#steps.pop()
    this.#nowMs = Math.max(this.#nowMs, step.dueMs)
    if (steadyMs !== undefined) node.clock.reached(steadyMs)
    step.fn = undefined
    this.#fired += 1
    this.trace(`${step.kind} ${node.name}#${step.boot} ${step.dueMs}`)
    fn?.()
  }
}

function streamSeed(seed: number, name: string): number {
  const running = new Fingerprint()
  running.add(`${seed}/${name}`)
  return Number.parseInt(running.digest().slice(0, 13), 16)
}

/** One real turn of the event loop: by then every promise that can settle has settled. */
function drainPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

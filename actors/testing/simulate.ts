/**
 * Runs a program of many nodes under one seed: a time of faults, then a time of rest in which everything has to come right.
 * Invariant: the same seed and the same program give the same trace hash, and every run ends: virtual time and callbacks are bounded.
 * Real files, sockets and timers do not belong in it: what they do is outside of virtual time and of the seed.
 */
import { BlazeError, createSimulation, limits } from '../../runtime/index.ts'
import type { Simulation } from '../../runtime/index.ts'
import type { MemoryNetwork } from '../../transports/index.ts'
import { FaultStorm } from './fault-storm.ts'
import { SimulatedNode } from './simulated-node.ts'
import type { PowerLoss } from './simulated-node.ts'
import { SimulationFailure } from './simulation-failure.ts'
import type { HistoryEntry, SimulationPhase } from './simulation-failure.ts'
import { drawSwarm, faultKinds } from './swarm.ts'
import type { FaultKind, Swarm } from './swarm.ts'
import { tracedNetwork, tracedVolume } from './traced-ports.ts'
import type { MakeWorld, SimulatedWorld } from './world.ts'

export interface SimulateOptions {
  /** Kinds that a seed may draw; default `faultKinds`. */
  readonly faults?: readonly FaultKind[]
  /** Steps under faults; default 100. */
  readonly steps?: number
  /** Longest virtual ms between two steps; default 100. */
  readonly stepMsMax?: number
  /** Virtual ms until the world has to rest once the faults are over; also those of its first start and of `finish`. Default 60,000. */
  readonly quiesceMs?: number
  /** Callbacks of the whole run; default `limits.simulationStepsMax`. */
  readonly callbacksMax?: number
  /** Longest jump of a wall clock, ms either way; default a day. Clocks stay where they jumped to. */
  readonly clockJumpMsMax?: number
  /** The command that runs one seed, for the error of a failing one. */
  readonly replay?: (seed: number) => string
}

export interface SimulationReport {
  readonly seed: number
  /** 16 hex digits over every timer, delivered record, stored batch, boot and fault. */
  readonly traceHash: string
  readonly swarm: Swarm
  /** How often each kind happened; kinds that are in force all the time are not counted. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly boots: number
  readonly virtualMs: number
  readonly callbacks: number
  /** Everything that happened to nodes, and the phases, in order. */
  readonly history: readonly HistoryEntry[]
}

const defaults = { steps: 100, stepMsMax: 100, quiesceMs: 60_000 }

/** Virtual ms between two looks at whether the world rests. */
const restPollMs = 50
/** Virtual ms without power of a node that went down when the faults were over. */
const restartMs = 1_000

/** Rejects with a `SimulationFailure`. `TypeError` for a world without nodes. */
export async function simulate<N>(
  seed: number,
  makeWorld: MakeWorld<N>,
  options: SimulateOptions = {},
): Promise<SimulationReport> {
  if (!Number.isSafeInteger(seed)) throw new TypeError(`seed: expected a whole number, got ${seed}`)
  const run = new Run(seed, makeWorld, options)
  try {
    await run.start()
    await run.storm()
    await run.rest()
  } catch (cause) {
    throw run.failure(cause)
  }
  return run.report()
}

class Run<N> {
  readonly #seed: number
  readonly #options: SimulateOptions
  readonly #simulation: Simulation
  readonly #network: MemoryNetwork
  readonly #swarm: Swarm
  readonly #storm: FaultStorm
  readonly #stormChance: () => number
  readonly #world: SimulatedWorld<N>
  readonly #nodes: readonly SimulatedNode<N>[]
  readonly #living = new Map<string, N>()
  readonly #history: HistoryEntry[] = []
  #phase: SimulationPhase = 'start'
  #bug: { readonly error: unknown } | undefined

  constructor(seed: number, makeWorld: MakeWorld<N>, options: SimulateOptions) {
    this.#seed = seed
    this.#options = options
    const simulation = createSimulation(seed)
    this.#simulation = simulation
    // Streams of their own: what the world draws must not change which faults happen.
    const chance = { storm: simulation.env('/storm'), world: simulation.env('/world') }
    this.#stormChance = () => chance.storm.random()
    this.#swarm = drawSwarm(this.#stormChance, options.faults ?? faultKinds)
    this.#network = tracedNetwork(simulation)
    this.#world = makeWorld({
      seed,
      now: () => simulation.now(),
      random: () => chance.world.random(),
      trace: (event) => simulation.trace(`world ${event}`),
    })
    checkNames(this.#world.nodes)
    this.#nodes = this.#world.nodes.map((name) => this.#makeNode(name))
    this.#storm = new FaultStorm(
      {
        simulation,
        network: this.#network,
        nodes: this.#nodes,
        clockJumpMsMax: options.clockJumpMsMax,
        told: (event) => this.#tell(event),
      },
      this.#swarm,
      this.#stormChance,
    )
    simulation.trace(`swarm ${JSON.stringify(this.#swarm)}`)
  }

  async start(): Promise<void> {
    for (const node of this.#nodes) node.powerOn()
    const { quiesceMs = defaults.quiesceMs } = this.#options
    await this.#run(() => this.#complete, quiesceMs)
    if (!this.#complete) throw this.#failed(`not started within ${quiesceMs} virtual ms`)
    this.#check()
  }

  async storm(): Promise<void> {
    const { steps = defaults.steps, stepMsMax = defaults.stepMsMax } = this.#options
    this.#phase = 'faults'
    this.#tell('faults begin')
    this.#storm.begin()
    for (let step = 0; step < steps; step++) {
      this.#storm.step()
      this.#load()
      await this.#pass(this.#stormChance() * stepMsMax)
      this.#check()
    }
  }

  async rest(): Promise<void> {
    const { quiesceMs = defaults.quiesceMs } = this.#options
    this.#storm.calm()
    this.#phase = 'healed'
    for (const node of this.#nodes) node.powerOn()
    const endMs = this.#simulation.now() + quiesceMs
    while (!(await this.#rests(endMs))) {
      if (this.#simulation.now() >= endMs) throw this.#failed(`not at rest ${quiesceMs} ms after the faults`)
      await this.#pass(restPollMs)
      this.#check()
    }
    this.#tell('at rest')
    await this.#settle(async () => this.#world.finish?.(this.#living), quiesceMs, 'finish')
    this.#check()
  }

  report(): SimulationReport {
    return {
      seed: this.#seed,
      traceHash: this.#simulation.traceHash(),
      swarm: this.#swarm,
      faults: this.#storm.counts,
      boots: this.#nodes.reduce((sum, { boots }) => sum + boots, 0),
      virtualMs: this.#simulation.now(),
      callbacks: this.#simulation.steps(),
      history: this.#history,
    }
  }

  failure(cause: unknown): SimulationFailure {
    const { replay = (seed: number) => `simulate(${seed}, world)` } = this.#options
    return new SimulationFailure(
      {
        seed: this.#seed,
        phase: this.#phase,
        swarm: this.#swarm,
        history: this.#history,
        traceHash: this.#simulation.traceHash(),
        virtualMs: this.#simulation.now(),
        replay: replay(this.#seed),
      },
      cause,
    )
  }

  #makeNode(name: string): SimulatedNode<N> {
    const simulation = this.#simulation
    const volume = tracedVolume(simulation, name)
    return new SimulatedNode<N>(
      { name, simulation, network: this.#network, volume },
      {
        start: (node) => {
          simulation.trace(`boot ${name} ${node.boot}`)
          return this.#world.start(node)
        },
        up: (node, value) => {
          this.#living.set(node, value)
          this.#tell(`${node} is up`)
        },
        down: (node, reason) => this.#down(node, reason),
        failed: (error) => this.#fail(error),
      },
    )
  }

  #down(name: string, reason: PowerLoss): void {
    this.#living.delete(name)
    if (reason !== 'power-cut') this.#tell(`${name} is down: ${reason}`)
    // Under faults the storm gives it power again.
    if (this.#phase === 'faults') return
    this.#simulation.env('/power').after(restartMs, () => {
      this.#nodes.find((node) => node.name === name)?.powerOn()
    })
  }

  #load(): void {
    if (this.#living.size === 0) return
    const work = async (): Promise<void> => this.#world.step?.(this.#living)
    work().catch((error: unknown) => {
      if (!(error instanceof BlazeError)) this.#fail(error)
    })
  }

  #check(): void {
    this.#world.check?.(this.#living)
  }

  async #rests(endMs: number): Promise<boolean> {
    if (!this.#complete) return false
    const leftMs = Math.max(restPollMs, endMs - this.#simulation.now())
    return this.#settle(async () => this.#world.quiescent(this.#living), leftMs, 'quiescent')
  }

  get #complete(): boolean {
    return this.#living.size === this.#nodes.length
  }

  #failed(what: string): Error {
    const away = this.#nodes.filter(({ name }) => !this.#living.has(name))
    const why = away.map(
      ({ name, startError }) => `${name} does not start (${startError?.message ?? 'it hangs'})`,
    )
    const cause = away.find(({ startError }) => startError !== undefined)?.startError
    return new Error(
      `${what}: ${why.length === 0 ? (this.#world.why?.(this.#living) ?? 'quiescent() says false') : why.join('; ')}`,
      cause === undefined ? {} : { cause },
    )
  }

  async #settle<T>(work: () => Promise<T>, boundMs: number, what: string): Promise<T> {
    let outcome: { readonly value: T } | undefined
    work().then(
      (value) => {
        outcome = { value }
      },
      (error: unknown) => this.#fail(error),
    )
    await this.#run(() => outcome !== undefined, boundMs)
    if (outcome === undefined) throw new Error(`${what}: not within ${Math.round(boundMs)} virtual ms`)
    return outcome.value
  }

  async #pass(virtualMs: number): Promise<void> {
    const endMs = this.#simulation.now() + virtualMs
    await this.#run(() => false, virtualMs)
    const leftMs = endMs - this.#simulation.now()
    if (leftMs > 0) await this.#simulation.pass(leftMs)
  }

  async #run(done: () => boolean, virtualMs: number): Promise<void> {
    const { callbacksMax = limits.simulationStepsMax } = this.#options
    const steps = callbacksMax - this.#simulation.steps()
    await this.#simulation.run(() => this.#bug !== undefined || done(), { virtualMs, steps })
    if (this.#bug !== undefined) throw this.#bug.error
    if (this.#simulation.steps() >= callbacksMax)
      throw new Error(`more than ${callbacksMax} callbacks: something runs in circles`)
  }

  #fail(error: unknown): void {
    this.#bug ??= { error }
  }

  #tell(event: string): void {
    this.#simulation.trace(event)
    this.#history.push({ atMs: this.#simulation.now(), event, hash: this.#simulation.traceHash() })
  }
}

function checkNames(names: readonly string[]): void {
  if (names.length === 0) throw new TypeError('nodes: expected at least one name, got none')
  if (new Set(names).size < names.length)
    throw new TypeError(`nodes: expected names that differ, got ${names.join(', ')}`)
  // The network, the disks and the faults have names with a slash.
  for (const name of names)
    if (!/^[^/]+$/.test(name)) throw new TypeError(`nodes: expected a name without a slash, got "${name}"`)
}

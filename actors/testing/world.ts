/**
 * What a simulation asks of a program, and what it gives to it. No code, only contracts.
 * Invariant: a world keeps everything that it knows in itself, so that a second run of the seed begins as the first did.
 */
import type { Env, System } from '../../runtime/index.ts'
import type { Transport } from '../../transports/index.ts'
import type { Volume } from '../replica/index.ts'

/** One boot of a node. After its power cut nothing of it ever runs again: no timer fires, and no call of its ports has an end. */
export interface NodeWorld {
  readonly name: string
  /** 1 for the first. */
  readonly boot: number
  readonly env: Env
  /** A fresh one for each boot. */
  readonly system: System
  /** Endpoints are `{ transport: 'memory', host, port }`, with any host. */
  readonly transport: Transport
  /** What it holds outlives the boot. */
  readonly volume: Volume
  /** Ends the boot as a power cut does; the simulation starts the node again. For what a real program does with `process.exit`. */
  readonly exit: () => void
}

/** The nodes that run now, by name. */
export type LivingNodes<N> = ReadonlyMap<string, N>

export interface SimulatedWorld<N> {
  readonly nodes: readonly string[]
  /**
   * Boots a node. It may reject with a `BlazeError`, as on a full disk: then the node is started again later. Any other error fails
   * the seed, and so does whatever a timer of a node throws.
   */
  start(node: NodeWorld): N | Promise<N>
  /**
   * Begins one piece of load. A promise is not waited for, since a node may lose its power meanwhile; only if it rejects with
   * anything but a `BlazeError` the seed fails.
   */
  step?(nodes: LivingNodes<N>): void | Promise<void>
  /** An invariant that holds at any time; throws where it does not. Called after every step. */
  check?(nodes: LivingNodes<N>): void
  /** Whether everything has come to rest, asked once all faults are over and all nodes run. */
  quiescent(nodes: LivingNodes<N>): boolean | Promise<boolean>
  /** What it waits for, in words, for the error of a world that does not come to rest. */
  why?(nodes: LivingNodes<N>): string
  /** What holds at rest; throws where it does not. */
  finish?(nodes: LivingNodes<N>): void | Promise<void>
}

export interface WorldTools {
  readonly seed: number
  /** Virtual ms since the world began. */
  readonly now: () => number
  /** In [0, 1). The only chance that a world may use. */
  readonly random: () => number
  /** Adds an event to the trace, so that two runs that differ in it are told apart. */
  readonly trace: (event: string) => void
}

/** Called for each run. */
export type MakeWorld<N> = (tools: WorldTools) => SimulatedWorld<N>

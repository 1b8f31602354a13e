/** A fresh simulated world with one system, and cells that write down what they are told. */
import type { Behaviour, Context, Ref, Simulation, System, TapEvent } from '../../runtime/index.ts'
import { createSimulation, createSystem, reducer } from '../../runtime/index.ts'

export interface World {
  readonly simulation: Simulation
  readonly system: System
  /** Lets everything that is ready happen; a virtual millisecond. */
  readonly settle: () => Promise<void>
}

export function createWorld(seed = 1): World {
  const simulation = createSimulation(seed)
  const system = createSystem({ env: simulation.env('node') })
  return { simulation, system, settle: () => simulation.pass(1) }
}

/** Runs `message(ctx)` inside the cell; so that a spec can drive a context. */
export type Script = (ctx: Context<Script>) => void

/** A cell without a will of its own. */
export function puppet(onStart: (ctx: Context<Script>) => void = () => {}): Behaviour<Script> {
  return reducer<null, Script>({
    kind: 'puppet',
    init(ctx) {
      onStart(ctx)
      return null
    },
    receive(state, script, ctx) {
      script(ctx)
      return state
    },
  })
}

/** Appends every message to `heard`; throws on the message `boom`. */
export function recorder(heard: string[]): Behaviour<string> {
  return reducer<null, string>({
    kind: 'recorder',
    init: () => null,
    receive(state, message) {
      if (message === 'boom') throw new Error('boom')
      heard.push(message)
      return state
    },
  })
}

/** All tap events of a system from now on. */
export function listen(system: System): TapEvent[] {
  const events: TapEvent[] = []
  system.tap.subscribe((event) => events.push(event))
  return events
}

/** Info of the cell behind `ref`, while it is in the tree. */
export function infoOf(system: System, ref: Ref<never>): ReturnType<System['tree']>[number] | undefined {
  return system.tree().find((info) => info.id === ref.id)
}

/** The code of a rejected promise, or `none`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

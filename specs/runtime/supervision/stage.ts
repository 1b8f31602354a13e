/** A world with supervisors whose children write down when they start (`+name`) and when they are stopped (`-name`). */
import type {
  Behaviour,
  ChildSpec,
  Context,
  DownReason,
  Ref,
  Simulation,
  SupervisorSpec,
  System,
  TapEvent,
} from '../../../runtime/index.ts'
import { supervisor } from '../../../runtime/index.ts'
import type { Script } from '../world.ts'
import { createWorld, listen, puppet } from '../world.ts'

/** Longest wait before a restart, unless a spec says otherwise. */
export const waitMs = 100

type Rules = SupervisorSpec extends infer S ? (S extends unknown ? Omit<S, 'kind'> : never) : never
type ChildOptions = Omit<Partial<ChildSpec<Script>>, 'name' | 'behaviour'>

export class Stage {
  readonly simulation: Simulation
  readonly system: System
  readonly events: TapEvent[]
  /** How often the next starts of a child fail. */
  readonly failing: Map<string, number> = new Map()
  /** Ms that the stop of a child takes. Longer than its budget: it hangs. */
  readonly slowStops: Map<string, number> = new Map()
  #log: string[] = []
  readonly #refs = new Map<string, Ref<Script>>()

  constructor() {
    const { simulation, system } = createWorld()
    this.simulation = simulation
    this.system = system
    this.events = listen(system)
  }

  /** Starts a supervisor below the root; with waits of at most `waitMs`. */
  supervise(rules: Rules, options: ChildOptions = {}): Ref<Script> {
    return this.system.spawn(this.supervisor('top', rules, options))
  }

  /** A supervisor that can be told to crash or to end itself, as a child. */
  supervisor(name: string, rules: Rules, options: ChildOptions = {}): ChildSpec<Script> {
    const inner = supervisor({ kind: name, backoff: { firstMs: waitMs, maxMs: waitMs }, ...rules })
    const behaviour: Behaviour<Script> = {
      ...inner,
      start: (ctx) => {
        this.#begin(name, ctx)
        inner.start(ctx)
        return { receive: (script) => script(ctx), stop: () => this.#stop(name) }
      },
    }
    return { name, behaviour, ...options }
  }

  worker(name: string, options: ChildOptions = {}): ChildSpec<Script> {
    const behaviour: Behaviour<Script> = {
      kind: 'worker',
      start: (ctx) => {
        this.#begin(name, ctx)
        return { receive: (script) => script(ctx), stop: () => this.#stop(name) }
      },
    }
    return { name, behaviour, ...options }
  }

  workers(...names: string[]): ChildSpec<Script>[] {
    return names.map((name) => this.worker(name))
  }

  /** Of the child that was started last under this name. */
  ref(name: string): Ref<Script> {
    const ref = this.#refs.get(name)
    if (ref === undefined) throw new Error(`${name} was never started`)
    return ref
  }

  /** What was written since the last call. */
  take(): string {
    const log = this.#log
    this.#log = []
    return log.join(' ')
  }

  /** Paths and states, in the order of the tree. */
  tree(): string[] {
    return this.system.tree().map((info) => `${info.path} ${info.state}`)
  }

  restarts(name: string): number | undefined {
    return this.system.tree().find((info) => info.path.endsWith(`/${name}`))?.restarts
  }

  async crash(name: string): Promise<void> {
    this.ref(name).tell(() => {
      throw new Error(`${name} was told to crash`)
    })
    await this.settle()
  }

  /** The child stops itself. */
  async end(name: string): Promise<void> {
    this.ref(name).tell((ctx) => ctx.stopSelf())
    await this.settle()
  }

  /** Every death of `name` from now on, as `kind` or `kind for good`. */
  watch(name: string): string[] {
    const heard: string[] = []
    const watched = this.ref(name)
    const note = ({ kind, final }: DownReason): void => void heard.push(final ? `${kind} for good` : kind)
    const behaviour = puppet((ctx) => ctx.watch(watched, (reason) => () => note(reason)))
    this.system.spawn({ name: `watcher of ${name} ${watched.id}`, behaviour })
    return heard
  }

  /** Lets happen what happens at once. */
  settle(): Promise<void> {
    return this.simulation.pass(10)
  }

  /** Lets a restart that waits come to its end. */
  restarted(): Promise<void> {
    return this.simulation.pass(waitMs + 10)
  }

  #begin(name: string, ctx: Context<Script>): void {
    this.#log.push(`+${name}`)
    this.#refs.set(name, ctx.self)
    const failing = this.failing.get(name) ?? 0
    if (failing === 0) return
    this.failing.set(name, failing - 1)
    throw new Error(`${name} fails in its start`)
  }

  #stop(name: string): void | Promise<void> {
    this.#log.push(`-${name}`)
    const ms = this.slowStops.get(name)
    if (ms === undefined) return
    return new Promise((resolve) => void this.simulation.env('slow').after(ms, resolve))
  }
}

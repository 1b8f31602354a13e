/** The children of one cell, and what becomes of them when one ends. Only cells that have children have a family. */
import type { ChildSpec, Supervision } from '../behaviour.ts'
import type { Env } from '../env.ts'
import { BlazeError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Kernel } from '../cell/kernel.ts'
import { describeError } from '../tap.ts'
import { dynamic } from './dynamic.ts'
import { GroupRestart } from './group-restart.ts'
import type { GroupHost, Place } from './group-restart.ts'
import type { Member, Verdict } from './member.ts'
import { oneForAll } from './one-for-all.ts'
import { oneForOne } from './one-for-one.ts'
import { restForOne } from './rest-for-one.ts'
import { RestartHistory } from './restart-history.ts'
import type { Strategy } from './strategy.ts'

const strategies: Readonly<Record<Supervision['strategy'], Strategy>> = {
  one_for_one: oneForOne,
  one_for_all: oneForAll,
  rest_for_one: restForOne,
  dynamic,
}

/** The cell that the children belong to. */
export interface FamilyHost {
  readonly path: string
  readonly isRoot: boolean
  readonly kernel: Kernel
  readonly supervision: Supervision
  createChild(spec: ChildSpec<never>): Member
  requestCrash(error: unknown): void
  requestStopSelf(): void
}

export class Family implements GroupHost {
  readonly #host: FamilyHost
  readonly #rules: Supervision
  readonly #strategy: Strategy
  readonly #children = new Map<string, Member>()
  /** Of all children, where they are counted together. */
  #history: RestartHistory | undefined
  /** In the order of their start; only where children restart together. */
  readonly #places: Place[] | undefined
  #group: GroupRestart | undefined
  /** Asked for while a group restarts: it begins when that has ended. */
  #again: { readonly places: readonly Place[]; readonly waitMs: number } | undefined
  /** A child crashed too often: the crash of the supervisor is on its way. */
  #failed = false

  constructor(host: FamilyHost) {
    this.#host = host
    this.#rules = host.supervision
    this.#strategy = strategies[this.#rules.strategy]
    if (this.#strategy.affected !== undefined) this.#places = []
  }

  get env(): Env {
    return this.#host.kernel.env
  }

  get size(): number {
    return this.#children.size
  }

  /** In the order of their start. */
  get children(): readonly Member[] {
    if (this.#places === undefined) return [...this.#children.values()]
    const inOrder: Member[] = []
    for (const { spec } of this.#places) {
      const child = this.#children.get(spec.name)
      if (child !== undefined) inOrder.push(child)
    }
    return inOrder
  }

  /** Starts a child, or lets it wait while siblings restart. Throws `NAME_TAKEN`, `OVERLOADED`, `CELL_DOWN`. */
  add(child: Member): void {
    if (this.#failed)
      throw new BlazeError('CELL_DOWN', `${this.#host.path} is about to crash and starts no children`)
    const place = this.#place(child)
    if (this.#group === undefined || place === undefined) child.begin()
    else this.#later([place], 0)
  }

  /** Starts children left to right; where they depend on each other, no further than the first that fails. */
  addAll(children: readonly Member[]): void {
    if (this.#places === undefined) {
      // All are there before the first begins: one that waits for its start counts as living.
      for (const child of children) this.#place(child)
      for (const child of children) child.begin()
      return
    }
    for (const child of children) this.#place(child)
    this.#group = new GroupRestart(this, [...this.#places])
    this.#group.start()
  }

  /** A child that may be restarted has ended by itself. */
  judge(child: Member): Verdict {
    const group = this.#group
    // One that is to be stopped with its group anyway is not counted again.
    if (group !== undefined && !group.starting && group.places.some((place) => place.member === child))
      return 'group'
    const history =
      this.#strategy.counts === 'each' ? child.history : (this.#history ??= new RestartHistory())
    return history.next(this.#rules, this.env.monotonic(), this.env.random())
  }

  /** True when the restart of this child is the business of its group. */
  restartsGroup(child: Member, waitMs: number): boolean {
    const places = this.#places
    const place = places?.find(({ member }) => member === child)
    if (places === undefined || place === undefined) return false
    const affected = this.#strategy.affected?.(places, place) ?? [place]
    if (this.#group?.starting === true) this.#later(affected, waitMs)
    else this.#restart(affected, waitMs)
    return true
  }

  /** Its group is being restarted, and it has to wait for those to its left. */
  isRestarting(child: Member): boolean {
    return this.#group?.places.some(({ member }) => member === child) === true
  }

  /** A child crashed too often. True when it stays in the tree, down, for people to see: below the root nobody can escalate. */
  gaveUp(child: Member, error: Error): boolean {
    const { path, id } = child
    if (!this.#host.isRoot) {
      // Nothing more is started below a supervisor that is about to crash.
      this.#cancelGroup()
      this.#failed = true
      const text = `${path} crashed too often: ${describeError(error)}`
      this.#host.requestCrash(new BlazeError('RESTART_LIMIT', text, { cause: error, details: { path } }))
      return false
    }
    const { log, tap } = this.#host.kernel
    const about = { event: 'supervision.gave-up', error: describeError(error) }
    log.error(about.event, { path, error: about.error })
    if (tap.active) tap.emit('event', path, id, about)
    return true
  }

  groupEnded(rest: readonly Place[]): void {
    const again = this.#again
    this.#again = undefined
    const places = this.#group?.places ?? []
    this.#group = undefined
    if (again === undefined) for (const { member } of places) member?.rouse()
    if (again !== undefined) this.#restart([...again.places, ...rest], again.waitMs)
  }

  refill(place: Place): Member {
    const child = this.#host.createChild(place.spec)
    this.#children.set(place.spec.name, child)
    return child
  }

  /** A child has ended for good. `byItself`: not stopped from outside, nor by its supervisor. */
  ended(child: Member, byItself: boolean, kept: boolean): void {
    const { name, restart, significant = false } = child.spec
    if (this.#children.get(name) !== child) return
    if (kept) return
    this.#children.delete(name)
    this.#vacate(child, byItself && restart === 'transient')
    if (!byItself || !significant) return
    const { autoShutdown } = this.#rules
    if (autoShutdown === 'never') return
    if (autoShutdown === 'all_significant')
      for (const other of this.#children.values()) if (other.spec.significant === true) return
    this.#host.requestStopSelf()
  }

  /** A child that gave up, and stayed in the tree, is stopped from outside. */
  forget(child: Member): void {
    if (this.#children.get(child.spec.name) === child) this.#children.delete(child.spec.name)
  }

  /** Right to left, one after the other. Undefined: there are none. */
  endAll(how: 'stop' | 'kill'): Promise<void> | undefined {
    this.#cancelGroup()
    if (this.#children.size === 0) return undefined
    return this.#endEach(this.children.toReversed(), how)
  }

  #cancelGroup(): void {
    this.#group?.cancel()
    this.#group = undefined
    this.#again = undefined
  }

  async #endEach(children: readonly Member[], how: 'stop' | 'kill'): Promise<void> {
    for (const child of children) await child[how]()
  }

  /** Its place among its siblings, where there is an order of them. */
  #place(child: Member): Place | undefined {
    const { spec } = child
    const namesake = this.#children.get(spec.name)
    if (namesake !== undefined && namesake.state !== 'stopped')
      throw new BlazeError(
        'NAME_TAKEN',
        `${this.#host.path === '' ? 'the system' : this.#host.path} already has a child ${spec.name}`,
      )
    if (this.#children.size >= this.#rules.childrenMax)
      throw new BlazeError('OVERLOADED', `${this.#host.path} has ${this.#rules.childrenMax} children already`)
    if (this.#places !== undefined && this.#places.length >= limits.siblingsMax)
      throw new BlazeError(
        'OVERLOADED',
        `${this.#host.path} has ${limits.siblingsMax} places for children already`,
      )
    if (namesake !== undefined) this.#children.delete(spec.name)
    this.#children.set(spec.name, child)
    if (this.#places === undefined) return undefined
    for (const other of this.#places) if (other.spec.name === spec.name) other.gone = true
    const place: Place = { spec, member: child, gone: false }
    const kept = this.#places.filter((other) => !other.gone)
    this.#places.splice(0, this.#places.length, ...kept, place)
    return place
  }

  #vacate(child: Member, comesBack: boolean): void {
    const places = this.#places
    const place = places?.find(({ member }) => member === child)
    if (places === undefined || place === undefined) return
    place.member = undefined
    if (comesBack) return
    place.gone = true
    places.splice(places.indexOf(place), 1)
  }

  /** After the restart of the group that is under way. */
  #later(places: readonly Place[], waitMs: number): void {
    const known = this.#again
    this.#again = {
      places: [...(known?.places ?? []), ...places],
      waitMs: Math.max(waitMs, known?.waitMs ?? 0),
    }
  }

  /** A group that still waits becomes part of this one. */
  #restart(affected: readonly Place[], waitMs: number): void {
    const group = this.#group
    group?.cancel()
    const all = new Set(affected)
    const inOrder = (this.#places ?? []).filter((place) => all.has(place))
    if (this.#again?.places.every((place) => all.has(place)) === true) this.#again = undefined
    this.#group = new GroupRestart(this, inOrder)
    void this.#group.run(waitMs)
  }
}

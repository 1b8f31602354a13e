/**
 * A reference model of supervision as OTP's `supervisor` has it, for comparing a real system with. Imports nothing of `runtime/`,
 * knows no mail and no resources; stops take no time, chance is fixed.
 *
 * Where it differs from OTP on purpose:
 * - restarts wait (backoff); a failing start waits too and is a crash like any other, the very first start included;
 * - a supervisor that gives up has crashed: a transient one is restarted (OTP: it exits `shutdown` and stays down);
 * - `significant` under `autoShutdown: 'never'` means nothing (OTP refuses it);
 * - a child stopped from outside is forgotten (OTP: `terminate_child` keeps the specification for `restart_child`);
 * - a child added while a group waits is started with it, as the last (OTP: at once); one that still waits for its first start is
 *   left waiting by a crash of its group, also a temporary one (in OTP nothing ever waits so);
 * - `dynamic` counts restarts per child; the root is dynamic and never gives up itself: the child stays down and is shown.
 */

import type { CellPlan, Fault, Strategy } from './otp-plan.ts'
import { rootPlan } from './otp-plan.ts'

/** `waiting`: down, and its start is due. `ended`: a transient child that ended normally; its place is kept. */
type Status = 'up' | 'waiting' | 'ended' | 'gave-up' | 'gone'

export interface ModelCell {
  readonly path: string
  readonly plan: CellPlan
  readonly parent: ModelCell | undefined
  status: Status
  /** Lives of the present cell after its first; undefined before that. */
  restarts: number | undefined
  children: ModelCell[]
  /** When a start of this cell alone is due, or that of a group of its children. */
  dueMs: number | undefined
  groupDueMs: number | undefined
  /** Of its children together, in this life; and of itself under a dynamic supervisor. */
  history: History
  readonly ownHistory: History
}

interface History {
  granted: number[]
  step: number
  lastMs: number
}

export class OtpModel {
  nowMs = 0
  /** `+path` at each start, `-path` where a cell is stopped in an orderly way, `~path` where it stops itself. */
  readonly log: string[] = []
  /** True once two things were so close in time that their order is a matter of microseconds. */
  ambiguous = false
  /** When a start was last due. */
  #startedMs = -Infinity
  readonly #marginMs: number
  readonly #fault: Fault | undefined
  readonly #top: ModelCell
  readonly #failingStarts = new Map<string, number>()
  readonly #pending = new Map<ModelCell, 'crash' | 'end'>()

  constructor(top: CellPlan, options: { marginMs: number; fault?: Fault }) {
    this.#marginMs = options.marginMs
    this.#fault = options.fault
    this.#top = newCell(top, undefined)
    this.#startAlone(this.#top)
    this.#settle()
  }

  /** Every cell that has a place in the tree, parents before children, siblings left to right. */
  cells(): ModelCell[] {
    return this.#top.status === 'gone' ? [] : below(this.#top)
  }

  cellAt(path: string): ModelCell | undefined {
    return this.cells().find((cell) => cell.path === path)
  }

  crash(cell: ModelCell): void {
    this.#close()
    this.#crash(cell)
    this.#settle()
  }

  /** The cell stops itself. */
  end(cell: ModelCell): void {
    this.#close()
    this.#end(cell)
    this.#settle()
  }

  /** From outside, for good. */
  stop(cell: ModelCell): void {
    this.#close()
    if (cell.status === 'up') this.#stopOrderly(cell)
    this.#forget(cell)
    if (this.#is('a child stopped from outside comes back with its group')) this.#keepPlace(cell)
    if (this.#is('a stop from outside of a significant child ends the supervisor'))
      this.#significantEnded(cell)
    this.#settle()
  }

  /** From outside, for good, without any farewell. */
  kill(cell: ModelCell): void {
    this.#close()
    for (const one of below(cell)) one.status = 'gone'
    this.#forget(cell)
  }

  /** Adds a child at the right end. */
  add(supervisor: ModelCell, plan: CellPlan): void {
    this.#close()
    const child = newCell(plan, supervisor)
    supervisor.children.push(child)
    // While a group waits it waits with it, as the last.
    if (supervisor.groupDueMs === undefined) this.#startAlone(child)
    this.#settle()
  }

  /** The next `times` starts of whatever stands at `path` fail. */
  failStarts(path: string, times: number): void {
    this.#failingStarts.set(path, times)
  }

  advance(untilMs: number): void {
    for (;;) {
      const next = this.#dues()[0]
      if (next === undefined || next.atMs > untilMs) break
      this.nowMs = next.atMs
      this.#close()
      this.#startedMs = next.atMs
      next.start()
      this.#settle()
    }
    this.nowMs = untilMs
    this.#close()
  }

  // What a life begins and ends with.

  /** False when the start failed; the failure is not yet judged. */
  #start(cell: ModelCell): boolean {
    cell.status = 'up'
    cell.restarts = cell.restarts === undefined ? 0 : cell.restarts + 1
    cell.dueMs = undefined
    cell.groupDueMs = undefined
    if (!this.#is('the count survives a restart of the supervisor')) cell.history = newHistory()
    this.log.push(`+${cell.path}`)
    const failing = this.#failingStarts.get(cell.path) ?? 0
    if (failing > 0) {
      this.#failingStarts.set(cell.path, failing - 1)
      return false
    }
    cell.children = (cell.plan.supervision?.children ?? []).map((plan) => newCell(plan, cell))
    this.#startWaiting(cell)
    return true
  }

  #startAlone(cell: ModelCell): void {
    if (!this.#start(cell)) this.#crash(cell)
  }

  /** The children that wait for their group, left to right. One that fails is judged before the next is started. */
  #startWaiting(supervisor: ModelCell): void {
    supervisor.groupDueMs = undefined
    for (const child of [...supervisor.children]) {
      if (child.status !== 'waiting' || child.dueMs !== undefined) continue
      this.#startAlone(child)
      if (this.#is('a failed start does not hold up the later ones')) continue
      const doomed = this.#pending.get(supervisor) === 'crash'
      if (isGroup(supervisor) && (supervisor.groupDueMs !== undefined || doomed)) return
    }
  }

  #stopOrderly(cell: ModelCell): void {
    // It is about to end by itself: which comes first is a matter of microseconds.
    if (this.#pending.has(cell)) this.ambiguous = true
    this.#stopChildren(cell)
    this.log.push(`-${cell.path}`)
  }

  #stopChildren(cell: ModelCell): void {
    for (const child of this.#stopOrder(cell.children)) {
      if (child.status === 'up') this.#stopOrderly(child)
      child.status = 'gone'
    }
    cell.children = []
  }

  #stopOrder(cells: readonly ModelCell[]): ModelCell[] {
    return this.#is('siblings are stopped left to right') ? [...cells] : cells.toReversed()
  }

  // What follows an end.

  #crash(cell: ModelCell): void {
    this.#stopChildren(cell)
    if (cell.plan.restart === 'temporary') this.#endForGood(cell)
    else this.#restart(cell)
  }

  #end(cell: ModelCell): void {
    this.#stopChildren(cell)
    this.log.push(`~${cell.path}`)
    const comesBack =
      cell.plan.restart === 'permanent' && !this.#is('a permanent child that ends itself stays down')
    if (comesBack) this.#restart(cell)
    else this.#endForGood(cell)
  }

  #endForGood(cell: ModelCell): void {
    const keepsPlace = cell.plan.restart === 'transient' && strategyOver(cell) !== 'dynamic'
    if (keepsPlace) {
      cell.status = 'ended'
      cell.restarts = undefined
    } else this.#forget(cell)
    this.#significantEnded(cell)
  }

  #significantEnded(cell: ModelCell): void {
    const { parent, plan } = cell
    if (parent === undefined || !plan.significant) return
    const others = parent.children.some(
      (other) => other !== cell && other.plan.significant && other.status !== 'ended',
    )
    switch (parent.plan.supervision?.autoShutdown) {
      case 'any_significant':
        if (others && this.#is('any_significant waits for all')) return
        break
      case 'all_significant':
        if (others && !this.#is('all_significant ends with the first')) return
        break
      default:
        return
    }
    if (!this.#pending.has(parent)) this.#pending.set(parent, 'end')
  }

  #restart(cell: ModelCell): void {
    const waitMs = this.#verdict(cell)
    if (waitMs === undefined) {
      this.#giveUp(cell)
      return
    }
    cell.status = 'waiting'
    const { parent } = cell
    if (parent === undefined || !isGroup(parent)) {
      cell.dueMs = this.nowMs + waitMs
      return
    }
    for (const sibling of this.#stopOrder(this.#affected(parent, cell))) this.#stopForGroup(sibling)
    if (this.#is('rest_for_one leaves the crashed child down') && strategyOver(cell) === 'rest_for_one')
      cell.status = 'ended'
    const later = this.nowMs + waitMs
    const widens = !this.#is('a crash further left does not widen a waiting group')
    parent.groupDueMs = widens ? later : (parent.groupDueMs ?? later)
    if (!widens && cell.status === 'waiting' && parent.groupDueMs !== later) cell.dueMs = later
  }

  /** The siblings that a crash of `cell` takes along. */
  #affected(parent: ModelCell, cell: ModelCell): ModelCell[] {
    if (this.#is('one_for_all restarts the crashed child alone') && strategyOver(cell) === 'one_for_all')
      return []
    const all =
      strategyOver(cell) === 'one_for_all' ||
      this.#is('rest_for_one restarts what stands left of the crash too')
    const from = all ? 0 : parent.children.indexOf(cell)
    return parent.children.slice(from).filter((sibling) => sibling !== cell)
  }

  #stopForGroup(sibling: ModelCell): void {
    // Not even a temporary child is ended before it lived.
    if (sibling.status === 'waiting') return
    if (sibling.status === 'up') this.#stopOrderly(sibling)
    const returns =
      sibling.plan.restart !== 'temporary' || this.#is('a temporary sibling comes back with its group')
    if (
      sibling.status === 'ended' &&
      this.#is('a transient child that had ended stays down when its group restarts')
    )
      return
    if (returns) sibling.status = 'waiting'
    else this.#forget(sibling)
  }

  /** Ms to wait, or undefined: once too often. */
  #verdict(cell: ModelCell): number | undefined {
    const plan = cell.parent?.plan.supervision ?? rootPlan
    const { intensity, periodMs, firstMs, maxMs } = plan
    const perChild =
      (plan.strategy === 'dynamic' && !this.#is('restarts of dynamic children are summed')) ||
      this.#is('restarts are counted per child')
    const history = perChild || cell.parent === undefined ? cell.ownHistory : cell.parent.history
    for (const at of [...history.granted, history.lastMs])
      if (Math.abs(this.nowMs - at - periodMs) < this.#marginMs) this.ambiguous = true
    history.granted = history.granted.filter((at) => this.nowMs - at < periodMs)
    const allowed = intensity + (this.#is('one restart more than the intensity is granted') ? 1 : 0)
    if (history.granted.length >= allowed) return undefined
    history.step = this.nowMs - history.lastMs < periodMs ? history.step + 1 : 0
    history.lastMs = this.nowMs
    history.granted.push(this.nowMs)
    const step = this.#is('the wait does not grow') ? 0 : history.step
    return Math.min(maxMs, firstMs * 2 ** step) * shareOfWait
  }

  #giveUp(cell: ModelCell): void {
    const { parent } = cell
    if (parent === undefined) {
      cell.status = 'gave-up'
      return
    }
    this.#forget(cell)
    this.#pending.set(parent, 'crash')
  }

  #forget(cell: ModelCell): void {
    cell.status = 'gone'
    cell.dueMs = undefined
    if (cell.parent !== undefined) cell.parent.children = cell.parent.children.filter((one) => one !== cell)
  }

  #keepPlace(cell: ModelCell): void {
    if (cell.parent === undefined) return
    cell.status = 'ended'
    cell.parent.children.push(cell)
  }

  // Time.

  /** A supervisor hears of its children only after its present work; then it ends. */
  #settle(): void {
    for (let next = this.#pending.entries().next(); !next.done; next = this.#pending.entries().next()) {
      const [cell, ending] = next.value
      this.#pending.delete(cell)
      if (cell.status !== 'up') continue
      const staysDown =
        cell.plan.restart === 'transient' && this.#is('a transient supervisor that gives up stays down')
      if (ending === 'end' || staysDown) this.#end(cell)
      else this.#crash(cell)
    }
  }

  #dues(): { atMs: number; start: () => void }[] {
    const dues: { atMs: number; start: () => void }[] = []
    for (const cell of this.cells()) {
      if (cell.status === 'waiting' && cell.dueMs !== undefined)
        dues.push({ atMs: cell.dueMs, start: () => this.#startAlone(cell) })
      if (cell.status === 'up' && cell.groupDueMs !== undefined)
        dues.push({ atMs: cell.groupDueMs, start: () => this.#startWaiting(cell) })
    }
    return dues.toSorted((a, b) => a.atMs - b.atMs)
  }

  /** Something happens now: is it clear what came before and what comes after? */
  #close(): void {
    const about = this.#dues().filter(({ atMs }) => Math.abs(atMs - this.nowMs) < this.#marginMs)
    const own = about.some(({ atMs }) => atMs === this.nowMs) ? 1 : 0
    if (about.length > own || this.nowMs - this.#startedMs < this.#marginMs) this.ambiguous = true
  }

  #is(fault: Fault): boolean {
    return this.#fault === fault
  }
}

/** Part of the full wait that passes when chance says 0.5. */
const shareOfWait = 0.75

function newCell(plan: CellPlan, parent: ModelCell | undefined): ModelCell {
  return {
    path: `${parent?.path ?? ''}/${plan.name}`,
    plan,
    parent,
    status: 'waiting',
    restarts: undefined,
    children: [],
    dueMs: undefined,
    groupDueMs: undefined,
    history: newHistory(),
    ownHistory: newHistory(),
  }
}

function newHistory(): History {
  return { granted: [], step: 0, lastMs: -Infinity }
}

function below(cell: ModelCell): ModelCell[] {
  return [cell, ...cell.children.flatMap(below)]
}

function strategyOver(cell: ModelCell): Strategy {
  return cell.parent?.plan.supervision?.strategy ?? 'dynamic'
}

function isGroup(supervisor: ModelCell): boolean {
  const strategy = supervisor.plan.supervision?.strategy
  return strategy === 'one_for_all' || strategy === 'rest_for_one'
}

/** Random trees, and random schedules of what befalls them, made definite by the reference model: who is meant, and when. */
import * as fc from 'fast-check'
import type { ModelCell } from './otp-model.ts'
import { OtpModel } from './otp-model.ts'
import type { CellPlan, Fault, Strategy, SupervisionPlan } from './otp-plan.ts'

/** What befalls the tree. */
export type Step =
  | { readonly atMs: number; readonly kind: 'crash' | 'end' | 'stop' | 'kill'; readonly path: string }
  | { readonly atMs: number; readonly kind: 'add'; readonly path: string; readonly plan: CellPlan }
  | { readonly atMs: number; readonly kind: 'fail'; readonly path: string; readonly times: number }
  | { readonly atMs: number; readonly kind: 'pass' }

/** A step before it is known whom it meets. */
export interface Wish {
  readonly kind: Step['kind']
  readonly pick: number
  readonly afterMs: number
  readonly times: number
  readonly plan: CellPlan
}

/** What can be seen of a tree after a step. */
export interface Picture {
  /** `path state restarts`, in the order of the tree. */
  readonly cells: readonly string[]
  /** Starts (`+path`), stops (`-path`) and, where that is known, ends by itself (`~path`) since the picture before. */
  readonly log: readonly string[]
}

export interface Case {
  readonly top: CellPlan
  readonly steps: readonly Step[]
  /** After the start, and after each step. */
  readonly pictures: readonly Picture[]
}

/** What happens within so many ms is a matter of microseconds on a real system; such schedules are avoided. */
const marginMs = 40
/** Levels below the top. */
const levelsBelowTop = 3
const names = ['a', 'b', 'c', 'd', 'e']
const childrenMax = names.length
const stepsMax = 40

const strategies: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic']

/** Gives the wishes a time and a target. Ends early where the order of two events would be open. */
export function resolve(top: CellPlan, wishes: readonly Wish[], fault?: Fault): Case {
  const steps: Step[] = []
  let tail = new Tail(top, fault)
  const pictures = [tail.look()]
  for (const wish of wishes) {
    let found = false
    for (let tries = 0; tries < 4 && !found; tries++) {
      const step = tail.choose(wish, tries * 53)
      if (step === undefined) break
      found = tail.play(step)
      if (found) {
        steps.push(step)
        pictures.push(tail.look())
      } else tail = replay(top, steps, fault)
    }
  }
  return { top, steps, pictures }
}

function replay(top: CellPlan, steps: readonly Step[], fault: Fault | undefined): Tail {
  const tail = new Tail(top, fault)
  for (const step of steps) tail.play(step)
  tail.look()
  return tail
}

/** The model, and how much of its log has been looked at. */
class Tail {
  readonly #model: OtpModel
  readonly #paths = new Set<string>()
  #looked = 0

  constructor(top: CellPlan, fault: Fault | undefined) {
    this.#model = new OtpModel(top, { marginMs, ...(fault === undefined ? {} : { fault }) })
  }

  choose(wish: Wish, delayMs: number): Step | undefined {
    const model = this.#model
    const atMs = model.nowMs + wish.afterMs + delayMs
    // Who is there at that time is known only then; a choice too early is made good by `play`.
    model.advance(atMs)
    const { kind } = wish
    if (kind === 'pass') return { atMs, kind }
    const all = model.cells()
    for (const cell of all) this.#paths.add(cell.path)
    if (kind === 'fail') {
      const path = pickOf([...this.#paths], wish.pick)
      return path === undefined ? undefined : { atMs, kind, path, times: wish.times }
    }
    if (kind === 'add') {
      const up = all.filter((cell) => isUp(cell) && cell.plan.supervision !== undefined)
      // A dynamic supervisor has no other children than these.
      const empty = up.filter((cell) => cell.children.length < 2 && strategyOf(cell) === 'dynamic')
      const parent = pickOf(empty.length > 0 ? empty : up, wish.pick)
      if (parent === undefined || parent.children.length >= childrenMax) return undefined
      const plan = { ...wish.plan, name: freeName(parent) }
      return { atMs, kind, path: parent.path, plan }
    }
    const there = all.filter((cell) => isUp(cell) || (kind === 'stop' && isWaiting(cell)))
    // Without its top the tree is gone, and the schedule at its end.
    if ((kind === 'stop' || kind === 'kill') && wish.times < 12) there.shift()
    const cell = pickOf(there, wish.pick)
    return cell === undefined ? undefined : { atMs, kind, path: cell.path }
  }

  /** False when the outcome is open. */
  play(step: Step): boolean {
    const model = this.#model
    model.advance(step.atMs)
    if (step.kind === 'fail') model.failStarts(step.path, step.times)
    else if (step.kind !== 'pass') {
      const cell = model.cellAt(step.path)
      if (cell === undefined) return false
      if (step.kind === 'add') model.add(cell, step.plan)
      else model[step.kind](cell)
    }
    model.advance(step.atMs)
    return !model.ambiguous
  }

  look(): Picture {
    const log = this.#model.log.slice(this.#looked)
    this.#looked = this.#model.log.length
    const cells = this.#model
      .cells()
      .filter((cell) => cell.status !== 'ended' && cell.restarts !== undefined)
      .map((cell) => `${cell.path} ${cell.status} ${cell.restarts}`)
    return { cells, log }
  }
}

function strategyOf(cell: ModelCell): Strategy | undefined {
  return cell.plan.supervision?.strategy
}

function isUp(cell: ModelCell): boolean {
  return cell.status === 'up'
}

/** A cell that never began a life has no Ref that a spec could know. */
function isWaiting(cell: ModelCell): boolean {
  return cell.status === 'waiting' && cell.restarts !== undefined
}

function pickOf<T>(list: readonly T[], pick: number): T | undefined {
  return list[pick % Math.max(1, list.length)]
}

function freeName(parent: ModelCell): string {
  const taken = new Set(parent.children.map((child) => child.plan.name))
  return ['v', 'w', 'x', 'y', 'z'].find((name) => !taken.has(name)) ?? 'u'
}

const restart = fc.constantFrom<CellPlan['restart']>('permanent', 'permanent', 'transient', 'temporary')

function supervision(children: fc.Arbitrary<CellPlan[]>): fc.Arbitrary<SupervisionPlan> {
  return fc
    .record({
      strategy: fc.constantFrom(...strategies),
      autoShutdown: fc.constantFrom<SupervisionPlan['autoShutdown']>(
        'never',
        'any_significant',
        'all_significant',
      ),
      intensity: fc.constantFrom(0, 1, 2, 3, 5),
      periodMs: fc.constantFrom(2_000, 20_000),
      firstMs: fc.constantFrom(110, 250),
      maxMs: fc.constantFrom(400, 2_500),
      children,
    })
    .map((plan) => (plan.strategy === 'dynamic' ? { ...plan, children: [] } : plan))
}

function cell(kind: fc.Arbitrary<SupervisionPlan | undefined>): fc.Arbitrary<CellPlan> {
  return fc.tuple(restart, fc.boolean(), kind).map(([restart, wish, supervision]) => ({
    name: 'u',
    restart,
    significant: wish && restart !== 'permanent',
    ...(supervision === undefined ? {} : { supervision }),
  }))
}

function branch(levels: number): fc.Arbitrary<SupervisionPlan> {
  const child = levels === 0 ? worker : fc.oneof({ weight: 3, arbitrary: worker }, cell(branch(levels - 1)))
  const children = fc.array(child, { minLength: 1, maxLength: levels === 0 ? 3 : childrenMax })
  return supervision(children.map((list) => list.map((one, i) => ({ ...one, name: names[i] ?? 'e' }))))
}

const worker = cell(fc.constant(undefined))

/** The top is permanent, so that most trees live to see the end of their schedule. */
export const tree: fc.Arbitrary<CellPlan> = branch(levelsBelowTop - 1).map((plan) => ({
  name: 'top',
  restart: 'permanent',
  significant: false,
  supervision: plan,
}))

/** How often of what. */
const often = Object.entries({
  crash: 8,
  end: 4,
  stop: 2,
  kill: 1,
  add: 3,
  fail: 2,
  pass: 1,
} satisfies Record<Step['kind'], number>).map(([kind, weight]) => ({
  weight,
  arbitrary: fc.constant(kind as Step['kind']),
}))

const wish: fc.Arbitrary<Wish> = fc.record({
  kind: fc.oneof(...often),
  pick: fc.nat(99),
  afterMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 50, max: 400 }) },
    { weight: 1, arbitrary: fc.constantFrom(1_500, 4_000, 25_000) },
  ),
  times: fc.constantFrom(1, 1, 2, 4, 12),
  plan: fc.oneof({ weight: 3, arbitrary: worker }, cell(branch(0))),
})

export const schedule: fc.Arbitrary<Wish[]> = fc.array(wish, {
  minLength: 5,
  maxLength: stepsMax,
  size: 'max',
})

/** A case for people. */
export function describePlan(plan: Pick<Case, 'top' | 'steps'>): string {
  const lines: string[] = []
  const visit = (cell: CellPlan, indent: string): void => {
    const { name, restart, significant, supervision: rules } = cell
    const marks = `${restart}${significant ? ' significant' : ''}`
    lines.push(`${indent}${name}: ${marks}${rules === undefined ? '' : `, ${describeRules(rules)}`}`)
    for (const child of rules?.children ?? []) visit(child, `${indent}  `)
  }
  visit(plan.top, '')
  for (const [i, step] of plan.steps.entries()) lines.push(`${i + 1}. ${JSON.stringify(step)}`)
  return lines.join('\n')
}

function describeRules(rules: SupervisionPlan): string {
  const { strategy, autoShutdown, intensity, periodMs, firstMs, maxMs } = rules
  return `${strategy}, ${autoShutdown}, ${intensity} in ${periodMs} ms, waits ${firstMs} to ${maxMs} ms`
}

/**
 * Reads the definition of a machine without running it: refuses what a cell does not host, and describes the rest for the tap.
 *
 * Invariant: nothing here knows how XState runs a statechart, only how it writes one down.
 */
import { fingerprint } from './chance.ts'
import type { MachineDefinition } from './tap.ts'

/** A machine of XState, as far as it is read here. */
export interface Statechart {
  readonly config: object
  readonly root: StatechartNode
  readonly implementations: Readonly<Record<'actions' | 'guards' | 'delays' | 'actors', object>>
}

interface StatechartNode {
  readonly id: string
  readonly type: string
  readonly config: { readonly after?: object }
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly initial: { readonly actions: readonly unknown[] }
  readonly invoke: readonly unknown[]
  readonly transitions: ReadonlyMap<string, readonly StatechartTransition[]>
  readonly always?: readonly StatechartTransition[]
  readonly states: Readonly<Record<string, StatechartNode>>
}

interface StatechartTransition {
  readonly eventType: string
  readonly actions: readonly unknown[]
  readonly guard?: unknown
}

/** Built-in actions of XState that reach out of the machine, and what to use instead. */
const outwardActions: Readonly<Record<string, string>> = {
  'xstate.spawnChild': 'start cells with ctx.spawn',
  'xstate.stopChild': 'stop cells with their ref',
  'xstate.sendTo': 'tell the ref of a cell, or ctx.send to this machine',
  'xstate.emit': 'use ctx.emit',
  'xstate.log': 'use ctx.env.log',
}

/** Throws `TypeError` naming the place: XState would make an actor, or silently do nothing for a name that nobody implements. */
export function checkStatechart(kind: string, chart: Statechart): void {
  const { actions, actors } = chart.implementations
  const [actor] = Object.keys(actors)
  if (actor !== undefined)
    refuse(`${kind}: actors.${actor}`, 'is an XState actor: start cells with ctx.spawn')
  for (const [name, action] of Object.entries(actions)) checkAction(`${kind}: actions.${name}`, action, chart)
  checkNode(kind, chart.root, chart)
}

function checkNode(kind: string, node: StatechartNode, chart: Statechart): void {
  const at = `${kind}: ${node.id}`
  if (node.invoke.length > 0) refuse(at, 'invokes an XState actor: start cells with ctx.spawn')
  const initial = node.type === 'compound' ? node.initial.actions : []
  for (const action of [...node.entry, ...node.exit, ...initial]) checkAction(at, action, chart)
  for (const transition of [...node.transitions.values(), node.always ?? []].flat()) {
    const where = `${at} on ${transition.eventType || 'always'}`
    for (const action of transition.actions) checkAction(where, action, chart)
    checkName(where, 'guard', nameOf(transition.guard), chart.implementations.guards)
  }
  for (const delay of Object.keys(node.config.after ?? {}))
    if (Number.isNaN(Number(delay))) checkName(at, 'delay', delay, chart.implementations.delays)
  for (const below of Object.values(node.states)) checkNode(kind, below, chart)
}

function checkAction(where: string, action: unknown, chart: Statechart): void {
  const name = nameOf(action)
  const instead = outwardActions[name]
  if (instead !== undefined) refuse(where, `uses ${name}: ${instead}`)
  if (typeof action !== 'function') checkName(where, 'action', name, chart.implementations.actions)
}

function checkName(where: string, what: string, name: string, implemented: object): void {
  if (name !== '' && !(name in implemented))
    refuse(where, `names the ${what} ${name}, which the definition does not implement`)
}

function refuse(where: string, what: string): never {
  throw new TypeError(`machine: ${where}: ${what}`)
}

/** Of an action or guard: what it is called, or the built-in that it is; '' for a plain function. */
function nameOf(named: unknown): string {
  if (typeof named === 'string') return named
  const holds = (typeof named === 'object' && named !== null) || typeof named === 'function'
  return holds && 'type' in named && typeof named.type === 'string' ? named.type : ''
}

const described = new WeakMap<object, MachineDefinition>()

/** The configuration of the machine as plain JSON, once per machine. Its context may hold data and is left out. */
export function describeStatechart(chart: Statechart): MachineDefinition {
  const known = described.get(chart)
  if (known !== undefined) return known
  const text = writeDown(chart)
  const made: MachineDefinition = { hash: fingerprint(text), definition: JSON.parse(text) }
  described.set(chart, made)
  return made
}

function writeDown(chart: Statechart): string {
  try {
    return JSON.stringify({ ...chart.config, context: undefined }, (_key, value: unknown) =>
      typeof value === 'function' ? nameOf(value) || '(inline)' : value,
    )
  } catch {
    // Its `meta` may hold what JSON cannot; the machine runs all the same, and is only not drawn.
    return JSON.stringify({ id: chart.root.id })
  }
}

/**
 * Turns the name of a machine's state (`a.b`, parallel `a.x,b.y`) back into the value that XState gives it, with the help of its
 * definition.
 *
 * Invariant: total. A definition of any shape is read, and a name that does not fit it has no value.
 */
import { isPlainObject } from '../codec/value.ts'

/** As XState has it: an atomic state is its name, the others are records. */
export type StateValue = string | { readonly [state: string]: StateValue }

/** A state of a definition, as far as values need it. */
export interface StateChart {
  readonly isParallel: boolean
  readonly initial: string | undefined
  readonly states: ReadonlyMap<string, StateChart>
}

/** Of a definition from the tap. */
export function readChart(definition: unknown): StateChart {
  if (!isPlainObject(definition)) return { isParallel: false, initial: undefined, states: new Map() }
  const below = isPlainObject(definition['states']) ? Object.entries(definition['states']) : []
  const states = new Map(below.map(([name, state]) => [name, readChart(state)]))
  return { isParallel: definition['type'] === 'parallel', initial: readTarget(definition['initial']), states }
}

/** Before anything happened: where the definition says that it begins. */
export function initialValue(chart: StateChart): StateValue {
  const { isParallel, initial = '', states } = chart
  if (isParallel)
    return Object.fromEntries([...states].map(([name, region]) => [name, initialBelow(region) ?? {}]))
  const name = states.has(initial) ? initial : ([...states.keys()][0] ?? '')
  const below = states.get(name)
  const value = below === undefined ? undefined : initialBelow(below)
  return value === undefined ? name : { [name]: value }
}

/** Undefined: not a state of this machine. */
export function parseState(name: string, chart: StateChart): StateValue | undefined {
  const found = readState({ text: name, at: 0 }, chart)
  return found?.end === name.length ? found.value : undefined
}

interface Found {
  readonly value: StateValue
  readonly end: number
}

interface Place {
  readonly text: string
  readonly at: number
}

function readState(place: Place, chart: StateChart): Found | undefined {
  if (chart.isParallel) return readRegions(place, chart)
  for (const [name, state] of chart.states) {
    const found = readNamed(place, name, state)
    if (found !== undefined)
      return { value: found.value === undefined ? name : { [name]: found.value }, end: found.end }
  }
  return undefined
}

/** All regions are active, in whatever order they are named. */
function readRegions({ text, at }: Place, chart: StateChart): Found | undefined {
  const left = new Map(chart.states)
  const read: [string, StateValue][] = []
  let end = at
  while (left.size > 0) {
    if (read.length > 0 && text[end++] !== ',') return undefined
    const before = read.length
    for (const [name, region] of left) {
      const found = readNamed({ text, at: end }, name, region)
      if (found === undefined) continue
      read.push([name, found.value ?? {}])
      left.delete(name)
      end = found.end
      break
    }
    if (read.length === before) return undefined
  }
  return { value: Object.fromEntries(read), end }
}

/** `value` is undefined for a state with nothing below it. */
function readNamed(
  { text, at }: Place,
  name: string,
  state: StateChart,
): { readonly value: StateValue | undefined; readonly end: number } | undefined {
  if (!text.startsWith(name, at)) return undefined
  const end = at + name.length
  if (state.states.size > 0) return text[end] === '.' ? readState({ text, at: end + 1 }, state) : undefined
  return end === text.length || text[end] === ',' ? { value: undefined, end } : undefined
}

function initialBelow(state: StateChart): StateValue | undefined {
  return state.states.size === 0 ? undefined : initialValue(state)
}

function readTarget(initial: unknown): string | undefined {
  if (typeof initial === 'string') return initial
  return isPlainObject(initial) ? readTarget(initial['target']) : undefined
}

/** Queries over records in memory, and the naive oracle that says what they return. */
import { compileFilter } from '../../../actors/database/filter.ts'
import { RecordQueries } from '../../../actors/database/index.ts'
import type { Query, RecordState } from '../../../actors/database/index.ts'
import { orderOf } from '../../../actors/database/query.ts'
import { compareValues } from '../../../actors/database/record/value-order.ts'
import { createSimulation } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { MemoryView } from './memory-view.ts'
import type { indexOn } from './memory-view.ts'

export interface QueryWorld {
  readonly records: readonly RecordState[]
  readonly indexes: readonly ReturnType<typeof indexOn>[]
  readonly slow: boolean
}

export function createQueryWorld({ records, indexes, slow }: QueryWorld): OpenQueryWorld {
  const simulation = createSimulation(1)
  const view = new MemoryView(indexes, slow)
  for (const state of records) view.set(state)
  const queries = new RecordQueries({ env: simulation.env('app'), view, settled: () => undefined })
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    let done = false
    const watched = work.finally(() => {
      done = true
    })
    watched.catch(() => undefined)
    for (let turn = 0; !done && turn < 1_000; turn += 1) await simulation.pass(1)
    return watched
  }
  return { view, queries, settle }
}

export interface OpenQueryWorld {
  readonly view: MemoryView
  readonly queries: RecordQueries
  /** Lets virtual time pass until `work` settles. */
  readonly settle: <T>(work: Promise<T>) => Promise<T>
}

/** The last record of each id, alive and matching, in order. */
export function oracle(records: readonly RecordState[], query: Query): RecordState[] {
  const newest = new Map(records.map((state) => [state.id, state]))
  const holds = query.filter === undefined ? () => true : compileFilter(query.filter)
  const found = [...newest.values()].filter((state) => state.deleted === undefined && holds(state))
  const ordered = orderOf(query)
  return found.sort((a, b) => {
    for (const step of ordered) {
      const sign = step.direction === 'asc' ? 1 : -1
      const [left, right] = [at(a, step.field), at(b, step.field)]
      if (left === undefined || right === undefined) {
        if (left !== right) return left === undefined ? -sign : sign
        continue
      }
      const result = compareValues(left, right)
      if (result !== 0) return result * sign
    }
    return 0
  })
}

function at(state: RecordState, path: string): Value | undefined {
  if (path === 'id') return state.id
  if (path !== 'm.c') return state.fields.get(path)?.value
  const inner = state.fields.get('m')?.value as { c?: Value } | undefined
  return inner?.c
}

export const ids = (items: readonly { readonly id: string }[]): string[] => items.map(({ id }) => id)

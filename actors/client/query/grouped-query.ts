/** A query whose matches are put into groups. Invariant: nothing is asked before `aggregate`. */
import { isWellFormed, limits } from '../../../runtime/index.ts'
import type { Aggregate, AggregateOp, AggregateRow } from '../../database/index.ts'
import type { WaitOptions } from '../deadline.ts'
import { checkPath } from './field-path.ts'

/** What is worked out for each group. `count` without a field counts records, with one those that have it. */
export interface AggregateInput {
  readonly op: AggregateOp
  readonly field?: string
}

const OPS: readonly AggregateOp[] = ['count', 'sum', 'avg', 'min', 'max']

export class GroupedQuery {
  readonly #by: readonly string[]
  readonly #ask: (aggregates: Record<string, Aggregate>, options: WaitOptions) => Promise<AggregateRow[]>

  /** For `QueryBuilder.groupBy`. */
  constructor(
    by: readonly string[],
    ask: (aggregates: Record<string, Aggregate>, options: WaitOptions) => Promise<AggregateRow[]>,
  ) {
    this.#by = by
    this.#ask = ask
  }

  /**
   * One row for each group, in the order of its values: the fields of `groupBy` by their paths, and the results by their names. What a
   * group lacks is left out. `TOO_LARGE` for more than 10,000 groups.
   */
  async aggregate(
    aggregates: Readonly<Record<string, AggregateInput>>,
    options: WaitOptions = {},
  ): Promise<AggregateRow[]> {
    return this.#ask(this.#parse(aggregates), options)
  }

  #parse(input: Readonly<Record<string, AggregateInput>>): Record<string, Aggregate> {
    if (input === null || typeof input !== 'object')
      throw new TypeError('aggregate: expected results by name')
    const names = Object.keys(input)
    if (names.length === 0 || names.length > limits.queryFieldsMax) {
      throw new TypeError(`aggregate: expected 1 to ${limits.queryFieldsMax} results, got ${names.length}`)
    }
    const parsed: [string, Aggregate][] = names.map((name) => [name, this.#parseOne(name, input[name])])
    return Object.fromEntries(parsed)
  }

  #parseOne(name: string, input: AggregateInput | undefined): Aggregate {
    const what = `aggregate ${name.slice(0, 100)}`
    if (name === '' || !isWellFormed(name)) throw new TypeError('aggregate: expected a name for each result')
    if (this.#by.includes(name)) throw new TypeError(`${what}: groupBy has a field of this name`)
    if (input === null || typeof input !== 'object' || !OPS.includes(input.op)) {
      throw new TypeError(`${what}: expected { op, field } with op one of ${OPS.join(' ')}`)
    }
    const { op, field } = input
    if (op !== 'count' || field !== undefined) checkPath(what, field)
    return { op, field }
  }
}

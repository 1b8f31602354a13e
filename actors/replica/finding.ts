/** What is wrong with a store, collected over a pass. Invariant: memory is bounded; the first few problems are named, all are counted. */
import { BlazeError, limits, toHex } from '../../runtime/index.ts'

export class Findings {
  readonly #problems: string[] = []
  #count = 0

  get problems(): readonly string[] {
    return this.#problems
  }

  get count(): number {
    return this.#count
  }

  add(problem: string): void {
    this.#count += 1
    if (this.#problems.length < limits.damagesNamedMax) this.#problems.push(problem)
  }

  /** Runs a look at a row; what it refuses is a problem of the row. */
  attempt(what: string, key: Uint8Array, look: () => void): void {
    try {
      look()
    } catch (error) {
      if (!(error instanceof BlazeError)) throw error
      this.add(`${what} (${toHex(key)}): ${error.message}`)
    }
  }

  /** `DAMAGED` with the problems, or undefined when there are none. */
  error(): BlazeError | undefined {
    if (this.#count === 0) return undefined
    return new BlazeError(
      'DAMAGED',
      `the store is damaged, ${this.#count} ${this.#count === 1 ? 'problem' : 'problems, first'}: ${this.#problems[0]}; restore from a peer or a backup`,
      { details: { problems: [...this.#problems], count: this.#count } },
    )
  }

  check(): void {
    const error = this.error()
    if (error !== undefined) throw error
  }
}

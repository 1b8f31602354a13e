/**
 * What is still to happen in a simulated world, earliest first.
 * Invariant: the order is total, so that one seed has one history; steps that will never run do not outnumber the others for long.
 */

export interface HeapStep {
  dueMs: number
  /** Decides between steps that are due together. */
  readonly lot: number
  /** Of its making; decides the rest. */
  readonly order: number
}

/** So many dead steps are not worth a sweep. */
const deadMin = 1_024

export class StepHeap<S extends HeapStep> {
  readonly #lives: (step: S) => boolean
  #steps: S[] = []
  #dead = 0

  /** A step that does not live any more is thrown away in silence. */
  constructor(lives: (step: S) => boolean) {
    this.#lives = lives
  }

  get size(): number {
    return this.#steps.length
  }

  /** The earliest step that lives; it stays. */
  first(): S | undefined {
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      if (this.#lives(step)) return step
      this.pop()
      this.#dead = Math.max(0, this.#dead - 1)
    }
    return undefined
  }

  /** One step that is in here has died. */
  died(): void {
    this.#dead += 1
    if (this.#dead >= deadMin && this.#dead * 2 > this.#steps.length) this.sweep()
  }

  /** Lets go of every dead step at once, after `change` was called with each of the others. */
  sweep(change: (step: S) => void = () => undefined): void {
    this.#dead = 0
    const living = this.#steps.filter(this.#lives)
    living.forEach(change)
    // A sorted list is a heap.
    this.#steps = living.sort((a, b) => (before(a, b) ? -1 : 1))
  }

  push(step: S): void {
    const heap = this.#steps
    let at = heap.length
    heap.push(step)
    while (at > 0) {
      const up = (at - 1) >> 1
      const above = heap[up]
      if (above === undefined || !before(step, above)) break
      heap[at] = above
      at = up
    }
    heap[at] = step
  }

  /** Takes the earliest step out. */
  pop(): void {
    const heap = this.#steps
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const a = heap[left]
      const b = heap[left + 1]
      if (a === undefined) break
      const useRight = b !== undefined && before(b, a)
      const child = useRight ? b : a
      if (!before(child, last)) break
      heap[at] = child
      at = useRight ? left + 1 : left
    }
    heap[at] = last
  }
}

function before(a: HeapStep, b: HeapStep): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs
  return a.lot !== b.lot ? a.lot < b.lot : a.order < b.order
}

/** Bounded inbox of one cell. Full means refuse: `offer` returns false and the sender decides; nothing is dropped here. */
import { limits } from './limits.ts'
import { Ring } from './ring.ts'

export class Mailbox<M> {
  readonly max: number
  readonly #ring = new Ring<M>()
  readonly #high: number
  readonly #low: number
  readonly #onPressure: { pressureChanged(high: boolean): void }
  #pressed = false

  constructor(max: number, onPressure: { pressureChanged(high: boolean): void }) {
    this.max = max
    this.#high = Math.ceil(max * limits.mailboxHighShare)
    this.#low = Math.floor(max * limits.mailboxLowShare)
    this.#onPressure = onPressure
  }

  get depth(): number {
    return this.#ring.length
  }

  offer(message: M): boolean {
    const depth = this.#ring.length
    if (depth >= this.max) return false
    this.#ring.push(message)
    if (depth + 1 === this.#high && !this.#pressed) {
      this.#pressed = true
      this.#onPressure.pressureChanged(true)
    }
    return true
  }

  take(): M | undefined {
    const message = this.#ring.shift()
    if (this.#pressed && this.#ring.length <= this.#low) {
      this.#pressed = false
      this.#onPressure.pressureChanged(false)
    }
    return message
  }
}

/** Bounded inbox of one cell. Full means refuse: `offer` returns false and the sender decides; nothing is dropped here. */
import { limits } from '../limits.ts'
import { Ring } from './ring.ts'

export class Mailbox<M> {
  readonly max: number
  readonly #ring = new Ring<M>()
  readonly #high: number
  readonly #onPressure: { pressureChanged(high: boolean): void }
  #pressed = false

  constructor(max: number, onPressure: { pressureChanged(high: boolean): void }) {
    this.max = max
    this.#high = Math.ceil(max * limits.mailboxHighShare)
    this.#onPressure = onPressure
  }

  get depth(): number {
    return this.#ring.length
  }

  offer(message: M): boolean {
    const depth = this.#ring.length
    if (depth >= this.max) return false
    this.#ring.push(message)
    if (depth + 1 >= this.#high && !this.#pressed) this.#press(true)
    return true
  }

  take(): M | undefined {
    const message = this.#ring.shift()
    if (this.#pressed && this.#ring.length <= Math.floor(this.max * limits.mailboxLowShare))
      this.#press(false)
    return message
  }

  /** Puts messages that were taken back in front, the first one first. May lift the depth over the bound: they were in once. */
  giveBack(messages: readonly M[]): void {
    for (let i = messages.length - 1; i >= 0; i--) {
      const message = messages[i]
      if (message !== undefined) this.#ring.unshift(message)
    }
    if (this.#ring.length >= this.#high && !this.#pressed) this.#press(true)
  }

  #press(high: boolean): void {
    this.#pressed = high
    this.#onPressure.pressureChanged(high)
  }
}

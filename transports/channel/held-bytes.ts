/**
 * Bytes that all channels of one server hold: waiting to be sent, and of messages that have begun to come.
 * Invariant: never more than its bound for longer than a call; the channel that holds most is ended, not the one that came last.
 */
import { limits } from '../../runtime/index.ts'

export interface Holder {
  heldBytes(): number
  /** Ends it with `OVERLOADED`; it leaves. */
  overloaded(): void
}

export class HeldBytes {
  readonly #bytesMax: number
  /** What each told last. */
  readonly #bytesByHolder = new Map<Holder, number>()
  #bytes = 0

  constructor(bytesMax: number = limits.channelsHeldBytesMax) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What the holder holds may have changed. */
  moved(holder: Holder): void {
    const bytes = holder.heldBytes()
    this.#bytes += bytes - (this.#bytesByHolder.get(holder) ?? 0)
    if (bytes === 0) this.#bytesByHolder.delete(holder)
    else this.#bytesByHolder.set(holder, bytes)
    while (this.#bytes > this.#bytesMax) this.#endHeaviest()
  }

  /** Idempotent. */
  leave(holder: Holder): void {
    this.#bytes -= this.#bytesByHolder.get(holder) ?? 0
    this.#bytesByHolder.delete(holder)
  }

  #endHeaviest(): void {
    let heaviest: Holder | undefined
    let most = 0
    for (const [holder, bytes] of this.#bytesByHolder) {
      if (bytes <= most) continue
      heaviest = holder
      most = bytes
    }
    if (heaviest === undefined) return
    this.leave(heaviest)
    heaviest.overloaded()
  }
}

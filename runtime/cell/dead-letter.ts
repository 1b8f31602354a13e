/** Messages that nobody will handle: counted for ever, kept without their payload in a bounded ring. */
import { limits } from '../limits.ts'

/** `dead`: told to a cell that is down. `crashed`: being handled, or owed to a life, when the cell crashed. `stopped`: queued at the stop. */
export type DeadLetterReason = 'dead' | 'crashed' | 'stopped'

export interface DeadLetter {
  /** Wall clock, ms since the epoch. */
  readonly at: number
  readonly path: string
  readonly id: number
  readonly reason: DeadLetterReason
  /** Type of the message; its payload is not kept. */
  readonly message: string
}

/** What the outside may see. */
export interface DeadLetters {
  /** All since the start. */
  readonly count: number
  /** The latest ones, oldest first. */
  list(): DeadLetter[]
}

export class DeadLetterRing implements DeadLetters {
  #letters: DeadLetter[] = []
  count = 0

  add(letter: DeadLetter): void {
    // Overwrites in place: a flood to a dead cell must not cost memory.
    this.#letters[this.count % limits.deadLettersMax] = letter
    this.count++
  }

  list(): DeadLetter[] {
    const oldest = this.count % limits.deadLettersMax
    return this.count < limits.deadLettersMax
      ? [...this.#letters]
      : [...this.#letters.slice(oldest), ...this.#letters.slice(0, oldest)]
  }
}

/** The type of a message, which may be shown; the rest of it may not. */
export function messageType(message: unknown): string {
  if (typeof message !== 'object' || message === null) return typeof message
  try {
    const type: unknown = 'type' in message ? message.type : undefined
    return typeof type === 'string' ? type.slice(0, limits.cellNameCharsMax) : 'object'
  } catch {
    // A message may throw when it is looked at; its sender's bug must not become the kernel's.
    return 'object'
  }
}

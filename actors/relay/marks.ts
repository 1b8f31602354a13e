/**
 * Marks of both sides (PROTOCOL §10): a question that is answered once everything which the peer held when it came has been applied by the
 * asker. Invariant: marks of the peer that wait are bounded, and ids rise.
 */
import { limits } from '../../runtime/index.ts'
import { encodeMark, parseMark, RELAY_MARK, RELAY_MARKED, violation } from './message.ts'

export class Marks {
  readonly #send: (type: number, body: Uint8Array) => void
  /** Of the peer, that wait until it has everything up to `arrival`. */
  readonly #waiting: { id: number; arrival: number }[] = []
  #asked = 0
  #answered = 0

  constructor(send: (type: number, body: Uint8Array) => void) {
    this.#send = send
  }

  /** Highest own mark that the peer answered. */
  get answered(): number {
    return this.#answered
  }

  ask(id: number): void {
    this.#asked = id
    this.#send(RELAY_MARK, encodeMark(id))
  }

  /** The peer answers one of ours. `PROTOCOL_VIOLATION`. */
  take(body: Uint8Array): void {
    const id = parseMark(body)
    if (id > this.#asked) throw violation(`an answer to mark ${id}, which was not asked`)
    this.#answered = Math.max(this.#answered, id)
  }

  /** The peer asks. `PROTOCOL_VIOLATION`. */
  wait(body: Uint8Array, arrival: number): void {
    if (this.#waiting.length >= limits.relayMarksMax)
      throw violation(`more than ${limits.relayMarksMax} marks wait for their answer`)
    this.#waiting.push({ id: parseMark(body), arrival })
  }

  /** Answers those whose arrival the peer has reached. */
  answer(reached: (arrival: number) => boolean): void {
    for (;;) {
      const mark = this.#waiting[0]
      if (mark === undefined || !reached(mark.arrival)) return
      this.#waiting.shift()
      this.#send(RELAY_MARKED, encodeMark(mark.id))
    }
  }
}

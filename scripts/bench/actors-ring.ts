/**
 * Child process of group `actors`: the bare limit. Each actor is a function and a ring buffer, a run queue names who has mail; no names,
 * no supervision, no life cycle.
 *
 * Invariant: as `actors-child.ts` says.
 */
import { answer, expectCount, goal, perSecond } from './actors-child.ts'

/** First in, first out, of a fixed size that is a power of two. */
class Ring<T> {
  readonly #slots: (T | undefined)[]
  readonly #mask: number
  #head = 0
  #tail = 0

  constructor(size: number) {
    this.#slots = Array.from<T | undefined>({ length: size }).fill(undefined)
    this.#mask = size - 1
  }

  push(item: T): boolean {
    if (this.#tail - this.#head > this.#mask) return false
    this.#slots[this.#tail++ & this.#mask] = item
    return true
  }

  shift(): T | undefined {
    if (this.#head === this.#tail) return undefined
    const at = this.#head++ & this.#mask
    const item = this.#slots[at]
    this.#slots[at] = undefined
    return item
  }
}

class BareActor {
  readonly #mail = new Ring<number>(1_024)
  readonly #ready: Ring<BareActor>
  readonly #receive: (message: number) => void
  #queued = false

  constructor(ready: Ring<BareActor>, receive: (message: number) => void) {
    this.#ready = ready
    this.#receive = receive
  }

  tell(message: number): void {
    if (!this.#mail.push(message)) throw new Error('a mailbox is full')
    if (this.#queued) return
    this.#queued = true
    this.#ready.push(this)
  }

  turn(): void {
    this.#queued = false
    for (let mail = this.#mail.shift(); mail !== undefined; mail = this.#mail.shift()) this.#receive(mail)
  }
}

/** Ms that a token with `count` hops takes to go round through `size` actors. */
async function passToken(size: number, count: number): Promise<number> {
  const { reached, reach } = goal<void>()
  const ready = new Ring<BareActor>(1_024)
  const actors: BareActor[] = []
  let handled = 0
  for (let i = 0; i < size; i++) {
    const next = (i + 1) % size
    const receive = (left: number): void => {
      handled += 1
      if (left === 1) reach()
      else actors[next]?.tell(left - 1)
    }
    actors.push(new BareActor(ready, receive))
  }
  const startMs = performance.now()
  actors[0]?.tell(count)
  setImmediate(() => {
    for (let actor = ready.shift(); actor !== undefined; actor = ready.shift()) actor.turn()
  })
  await reached
  const ms = performance.now() - startMs
  expectCount('messages', handled, count)
  return ms
}

await answer({
  'ping-pong': (size) => perSecond(size('messages'), (count) => passToken(2, count)),
  'ring-1000': (size) => perSecond(size('hops'), (count) => passToken(size('actors'), count)),
})

/** What conformance cases of transports are made with: pairs of links, what each end has seen, waits. Invariant: `end` leaves nothing open. */
import { BlazeError, createNodeEnv, equalBytes, limits } from '../../runtime/index.ts'
import type { Endpoint, Link, Listener, Transport } from '../../transports/index.ts'

export interface TransportWorld {
  /** Of the listening and of the dialling node; may be the same. */
  readonly listening: Transport
  readonly dialling: Transport
  /** One that nobody listens on: of a network with port 0, of a machine with a name of its own. */
  readonly endpoint: Endpoint
}

/** What one end of a link has seen. */
export interface Seen {
  readonly records: Uint8Array[]
  drains: number
  closed: (BlazeError | undefined)[]
}

export interface Pair {
  readonly listener: Listener
  readonly dialled: Link
  readonly accepted: Link
}

const WAIT_MS = 5_000
const STEP_MS = 1
/** Long enough for what is on its way on one machine. */
const REST_MS = 20

export class TransportBench {
  readonly listening: Transport
  readonly dialling: Transport
  readonly endpoint: Endpoint
  readonly #env = createNodeEnv()
  readonly #links: Link[] = []
  readonly #listeners: Listener[] = []

  constructor({ listening, dialling, endpoint }: TransportWorld) {
    this.listening = {
      ...listening,
      listen: async (place, onLink) => {
        const listener = await listening.listen(place, onLink)
        this.#listeners.push(listener)
        return listener
      },
    }
    this.dialling = dialling
    this.endpoint = endpoint
  }

  async connect(): Promise<Pair> {
    const accepted: Link[] = []
    const listener = await this.listening.listen(this.endpoint, (link) => {
      accepted.push(link)
      this.#links.push(link)
    })
    const dialled = await this.dialling.dial(listener.endpoint, { timeoutMs: WAIT_MS })
    this.#links.push(dialled)
    await this.until(() => accepted.length === 1, 'the listener has its link')
    return { listener, dialled, accepted: accepted[0] ?? dialled }
  }

  /** Waits until `condition` holds, at most five seconds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const end = this.#env.monotonic() + WAIT_MS
    while (!condition()) {
      if (this.#env.monotonic() > end) throw new Error(`waited in vain: ${what}`)
      await this.rest(STEP_MS)
    }
  }

  rest(ms: number = REST_MS): Promise<void> {
    return new Promise((resolve) => {
      this.#env.after(ms, resolve)
    })
  }

  /** The code of the `BlazeError` that `work` rejects with. */
  async codeOf(work: Promise<unknown>): Promise<string> {
    try {
      await work
    } catch (error) {
      return error instanceof BlazeError ? error.code : String(error)
    }
    return 'no error'
  }

  async end(): Promise<void> {
    for (const link of this.#links) link.destroy()
    for (const listener of this.#listeners) await listener.close()
  }
}

export function watch(link: Link): Seen {
  const seen: Seen = { records: [], drains: 0, closed: [] }
  link.attach({
    record: (bytes) => seen.records.push(bytes.slice()),
    drain: () => {
      seen.drains += 1
    },
    closed: (error) => seen.closed.push(error),
  })
  return seen
}

/** Bytes that no other number has. */
export function numbered(n: number, length: number = limits.recordBytesMax): Uint8Array {
  return new Uint8Array(length).map((_, at) => (at * 31 + n * 7) & 255)
}

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

export function expectEqual(actual: unknown, expected: unknown, what = 'a value'): void {
  if (!isEqual(actual, expected))
    throw new Error(`${what}: expected ${textOf(expected)}, got ${textOf(actual)}`)
}

export function expectTypeError(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (error instanceof TypeError) return
    throw error
  }
  throw new Error('expected a TypeError, nothing was thrown')
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return equalBytes(a, b)
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, at) => isEqual(item, b[at]))
  return Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b)
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return value === undefined ? 'undefined' : JSON.stringify(value).slice(0, 200)
}

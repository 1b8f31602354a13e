/** Streams of the application as ends of an export or import. Invariant: the streams stay the application's: nothing here ends them. */
import { concatBytes } from '../../../runtime/index.ts'
import type { FileSink } from '../../replica/index.ts'

const HIGH_SURROGATE_AT_END = /[\uD800-\uDBFF]$/
const LONE_SURROGATE = /\p{Surrogate}/u
const NO_UTF8 = Uint8Array.of(0xff)

/** What is needed of a `Writable` of Node. */
export interface WritableTarget {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** A `Readable` of Node is one. */
export type ReadableSource = AsyncIterable<Uint8Array | string>

export function isWritable(target: unknown): target is WritableTarget {
  return (
    typeof target === 'object' &&
    target !== null &&
    'write' in target &&
    typeof target.write === 'function' &&
    'on' in target &&
    typeof target.on === 'function'
  )
}

export function isReadable(source: unknown): source is ReadableSource {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}

/** Waits for each write, so that a slow stream slows the work down; but not longer than `signal` allows. */
export async function writeInto<T>(
  target: WritableTarget,
  signal: AbortSignal,
  work: (sink: Pick<FileSink, 'write'>) => Promise<T>,
): Promise<T> {
  let fault: Error | undefined
  const failed = (error: Error): void => {
    fault ??= error
  }
  // It tells of the same fault in two ways.
  target.on('error', failed)
  const write = (bytes: Uint8Array): Promise<void> => {
    const written = new Promise<void>((resolve, reject) => {
      if (fault !== undefined) reject(fault)
      else target.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()))
    })
    return unlessAborted(signal, written)
  }
  try {
    return await work({ write })
  } finally {
    target.off('error', failed)
  }
}

/** The next bytes at each call, none at the end. A stream that gives none is waited for as long as `signal` allows. */
export function readerOf(source: ReadableSource, signal: AbortSignal): () => Promise<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const encoder = new TextPieces()
  const read = async (): Promise<Uint8Array> => {
    const { done, value } = await iterator.next()
    if (done === true) return encoder.end()
    const bytes = typeof value === 'string' ? encoder.encode(value) : value
    if (!(bytes instanceof Uint8Array)) throw new TypeError('from: expected a stream of bytes or text')
    // Nothing read is the end.
    return bytes.length === 0 ? read() : bytes
  }
  return () => unlessAborted(signal, read())
}

/** Text in pieces as UTF-8. A pair of surrogates may be cut in two; a lone one becomes a byte that no UTF-8 has, never another text. */
class TextPieces {
  readonly #encoder = new TextEncoder()
  #half = ''

  encode(piece: string): Uint8Array {
    const text = this.#half + piece
    const isCut = HIGH_SURROGATE_AT_END.test(text)
    this.#half = isCut ? text.slice(-1) : ''
    return this.#bytes(isCut ? text.slice(0, -1) : text)
  }

  end(): Uint8Array {
    const text = this.#half
    this.#half = ''
    return this.#bytes(text)
  }

  #bytes(text: string): Uint8Array {
    const [first = '', ...more] = text.split(LONE_SURROGATE)
    if (more.length === 0) return this.#encoder.encode(first)
    return concatBytes(
      [first, ...more].flatMap((part, at) => [...(at > 0 ? [NO_UTF8] : []), this.#encoder.encode(part)]),
    )
  }
}

/** Rejects with the reason of `signal` when that is sooner. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    const end = (): void => signal.removeEventListener('abort', abort)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
    work.finally(end).then(resolve, reject)
  })
}

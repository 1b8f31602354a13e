/** Streams of the application as ends of an export or import. Invariant: the streams stay the application's: nothing here ends them. */
import type { FileSink } from '../../replica/index.ts'

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

/** Waits for each write, so that a slow stream slows the work down. */
export async function writeInto<T>(
  target: WritableTarget,
  work: (sink: Pick<FileSink, 'write'>) => Promise<T>,
): Promise<T> {
  let fault: Error | undefined
  const failed = (error: Error): void => {
    fault ??= error
  }
  // It tells of the same fault in two ways.
  target.on('error', failed)
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (fault !== undefined) reject(fault)
      else target.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()))
    })
  try {
    return await work({ write })
  } finally {
    target.off('error', failed)
  }
}

export function readerOf(source: ReadableSource): () => Promise<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const read = async (): Promise<Uint8Array> => {
    const { done, value } = await iterator.next()
    if (done === true) return new Uint8Array(0)
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
    if (!(bytes instanceof Uint8Array)) throw new TypeError('from: expected a stream of bytes or text')
    // Nothing read is the end.
    return bytes.length === 0 ? read() : bytes
  }
  return read
}

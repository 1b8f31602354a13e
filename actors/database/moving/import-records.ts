/**
 * Reads JSON lines into collections, in chunks that are written whole or not at all.
 * Invariant: when a line is refused, every line before it is written and none after it; memory does not grow with the file.
 */
import { BlazeError, Breath, limits, Uuid } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Reply } from '../message.ts'
import type { DatabaseRequest } from '../message.ts'
import type { RecordInput } from '../record-writer.ts'
import { parseLine } from './import-line.ts'
import type { ImportedLine } from './import-line.ts'
import { LineReader } from './line-reader.ts'
import type { Line } from './line-reader.ts'

const ID_CHANCE_BYTES = 10

export interface ImportParts {
  readonly env: Env
  readonly request: <R>(make: (reply: Reply<R>) => DatabaseRequest) => Promise<R>
  /** The next bytes; none at the end. */
  readonly read: () => Promise<Uint8Array>
}

export interface ImportProgress {
  readonly lines: number
  /** Written and synced so far. */
  readonly records: number
  /** Read so far. */
  readonly bytes: number
  /** Undefined for a stream. */
  readonly bytesExpected: number | undefined
}

export interface ImportOptions {
  /** Of the lines that name none. */
  readonly collection: string | undefined
  readonly mode: 'insert' | 'put'
  readonly bytesExpected: number | undefined
  /** Its reason is what the import then rejects with. */
  readonly signal: AbortSignal
  readonly onProgress: ((progress: ImportProgress) => void) | undefined
}

export interface ImportReport {
  readonly lines: number
  readonly records: number
  readonly bytes: number
}

/**
 * Rejects with `IMPORT_INVALID` (`details.line`, `details.records`: how many are written), and with what a write says, `details.line` being
 * the first line of its chunk, or the one that it is about.
 */
export async function importRecords(parts: ImportParts, options: ImportOptions): Promise<ImportReport> {
  return new Importing(parts, options).run()
}

interface Chunk {
  readonly collection: string
  readonly inputs: RecordInput[]
  /** By id. */
  readonly lines: Map<string, number>
}

class Importing {
  readonly #parts: ImportParts
  readonly #options: ImportOptions
  readonly #lines = new LineReader()
  readonly #chunks = new Map<string, Chunk>()
  /** Characters of the lines in them. */
  #waiting = 0
  #writes: Promise<void>[] = []
  #records = 0
  #bytes = 0

  constructor(parts: ImportParts, options: ImportOptions) {
    this.#parts = parts
    this.#options = options
  }

  async run(): Promise<ImportReport> {
    try {
      await this.#read()
    } catch (error) {
      throw await this.#ended(error)
    }
    return { lines: this.#lines.lines, records: this.#records, bytes: this.#bytes }
  }

  /** What to reject with, once nothing is under way any more: only then it is known how many are written. */
  async #ended(reason: unknown): Promise<unknown> {
    let error = reason
    try {
      // What came before the line.
      if (error instanceof BlazeError && error.code === 'IMPORT_INVALID') await this.#flush()
    } catch (refused) {
      error = refused
    }
    // Each has been looked at, or is after the one that failed.
    await Promise.allSettled(this.#writes)
    if (!(error instanceof BlazeError) || error.details['line'] === undefined) return error
    const details = { ...error.details, records: this.#records }
    return new BlazeError(error.code, error.message, { cause: error.cause, details })
  }

  async #read(): Promise<void> {
    const { signal } = this.#options
    const breath = new Breath(this.#parts.env)
    for (;;) {
      signal.throwIfAborted()
      const piece = await this.#parts.read()
      this.#bytes += piece.length
      for (const line of piece.length === 0 ? this.#lines.end() : this.#lines.add(piece)) {
        await this.#take(line)
        const pause = breath.pause()
        if (pause !== undefined) await pause
      }
      if (piece.length === 0) break
      this.#progress()
    }
    await this.#flush()
    this.#progress()
  }

  async #take(line: Line): Promise<void> {
    const found = parseLine(line, this.#options.collection)
    if (found === undefined) return
    const input = this.#inputOf(found)
    let chunk = this.#chunkOf(found.collection)
    // One call writes an id once.
    if (chunk.lines.has(input.id)) {
      await this.#write(chunk)
      chunk = this.#chunkOf(found.collection)
    }
    chunk.inputs.push(input)
    chunk.lines.set(input.id, line.number)
    this.#waiting += line.text.length
    if (chunk.inputs.length >= limits.bulkChunkRecords) await this.#write(chunk)
    else if (this.#waiting > limits.importWaitingBytesMax) await this.#writeAll()
  }

  #inputOf({ id, values }: ImportedLine): RecordInput {
    if (id !== undefined) return { id, values }
    const { env } = this.#parts
    return { id: Uuid.v7(env.now(), env.entropy(ID_CHANCE_BYTES)).toString(), values, fresh: true }
  }

  #chunkOf(collection: string): Chunk {
    const known = this.#chunks.get(collection)
    if (known !== undefined) return known
    const chunk: Chunk = { collection, inputs: [], lines: new Map() }
    this.#chunks.set(collection, chunk)
    return chunk
  }

  /** Begins its write, and waits while too many are under way. */
  async #write(chunk: Chunk): Promise<void> {
    const { collection, inputs } = chunk
    this.#chunks.delete(collection)
    if (this.#chunks.size === 0) this.#waiting = 0
    const { request } = this.#parts
    const step = this.#options.mode
    const written = request<void>((reply) => ({
      type: 'record.write',
      step,
      collection,
      inputs,
      reply,
    })).then(
      () => {
        this.#records += inputs.length
      },
      (error: unknown) => {
        throw located(error, chunk)
      },
    )
    // Awaited later; one that fails before must not count as unhandled.
    written.catch(() => undefined)
    this.#writes.push(written)
    while (this.#writes.length >= limits.bulkChunksInFlight) await this.#writes.shift()
  }

  async #writeAll(): Promise<void> {
    for (const chunk of this.#chunks.values()) await this.#write(chunk)
    this.#waiting = 0
  }

  async #flush(): Promise<void> {
    await this.#writeAll()
    while (this.#writes.length > 0) await this.#writes.shift()
  }

  #progress(): void {
    const { onProgress, bytesExpected } = this.#options
    onProgress?.({ lines: this.#lines.lines, records: this.#records, bytes: this.#bytes, bytesExpected })
  }
}

/** Says which line it was, as far as that is known. */
function located(error: unknown, { lines }: Chunk): unknown {
  if (!(error instanceof BlazeError)) return error
  const { id } = error.details
  const [first = 0] = lines.values()
  const own = typeof id === 'string' ? lines.get(id) : undefined
  const where = own === undefined ? `one of the lines from ${first}` : `line ${own}`
  const details = { ...error.details, line: own ?? first }
  return new BlazeError(error.code, `${where}: ${error.message}`, { cause: error, details })
}

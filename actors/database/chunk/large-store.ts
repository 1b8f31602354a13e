/**
 * Stores large byte values as chunk records, and reads them back (REPLICATION rule 30).
 * Invariant: the chunks of a value are synced before anything refers to it, and what is read is the value that was written, or nothing.
 */
import { BlazeError, Breath, concatBytes, equalBytes, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { putInto } from '../record/record-change.ts'
import type { FieldChange } from '../record/record-change.ts'
import { BLOB_ID_BYTES } from '../record/merge.ts'
import type { Large } from '../record/merge.ts'
import { LargeReference, sameBytes } from '../record/partial-bytes.ts'
import type { RecordState } from '../record/record.ts'
import type { PreparedInput, RecordInput, RecordWriter } from '../record-writer.ts'
import type { KeyedView } from '../view/keyed-view.ts'
import { CHUNK_COLLECTION, chunkCount, chunkId, isLarge } from './chunk-name.ts'

export interface LargeStoreOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly view: KeyedView
  readonly writer: RecordWriter
}

/** The field that a blob belongs to. */
export interface BlobOwner {
  readonly collection: string
  readonly id: string
  readonly field: string
}

/** Fields of a chunk record; the first one of a blob says whose it is. */
export const chunkFields = { data: 'data', owner: 'of' } as const

export class LargeStore {
  readonly #o: LargeStoreOptions
  /** Bytes of values that are being stored, or wait for it. */
  #waiting = 0

  constructor(options: LargeStoreOptions) {
    this.#o = options
  }

  /** Runs a write of large values, which are counted from its call on. `OVERLOADED` when too much waits already. */
  hold<R>(inputs: readonly RecordInput[], work: () => Promise<R>): Promise<R> {
    let bytes = 0
    for (const { values } of inputs) bytes += largeBytes(values.values())
    return this.#hold(bytes, work)
  }

  /** The inputs with references in place of large values, once their chunks are synced. Rejects with `TOO_LARGE` and what a write says. */
  async prepare(collection: string, inputs: readonly RecordInput[]): Promise<readonly PreparedInput[]> {
    this.#o.writer.checkAllowed(collection)
    const prepared: PreparedInput[] = []
    for (const input of inputs) prepared.push(await this.#prepareOne(collection, input))
    return prepared
  }

  /** The bytes, or undefined when a chunk is missing or is not what was written. */
  async read(large: Large): Promise<Uint8Array | undefined> {
    const { env, crypto, view } = this.#o
    const whole = new Uint8Array(large.bytes)
    const breath = new Breath(env)
    const hashes: Uint8Array[] = []
    for (let place = 0; place < chunkCount(large); place += 1) {
      const data = dataOf(view.peek(CHUNK_COLLECTION, chunkId(large.blob, place)))
      const from = place * limits.chunkBytes
      if (data === undefined || data.length !== Math.min(limits.chunkBytes, large.bytes - from))
        return undefined
      whole.set(data, from)
      hashes.push(crypto.sha256(data))
      const pause = breath.pause()
      if (pause !== undefined) await pause
    }
    return equalBytes(crypto.sha256(concatBytes(hashes)), large.root) ? whole : undefined
  }

  /** Whether a record of each chunk is here. */
  has(large: Large): boolean {
    const { records } = this.#o.view.index
    for (let place = 0; place < chunkCount(large); place += 1) {
      if (records.entry(CHUNK_COLLECTION, chunkId(large.blob, place))?.deleted !== false) return false
    }
    return true
  }

  /** Stores what another database holds under that reference; chunks that are here stay. Rejects as `hold` and `prepare` do. */
  async copy(owner: BlobOwner, large: Large, bytes: Uint8Array): Promise<void> {
    await this.#hold(bytes.length, () => this.#store(owner, large.blob, bytes))
  }

  async #prepareOne(collection: string, input: RecordInput): Promise<PreparedInput> {
    const { view, writer } = this.#o
    const found = input.fresh === true ? undefined : view.readForWrite(writer.tag(collection, input.id)).state
    checkSum(found, input)
    const values = new Map<string, FieldChange>()
    for (const [field, value] of input.values) {
      if (!isLarge(value)) {
        values.set(field, value)
        continue
      }
      const owner = { collection, id: input.id, field }
      values.set(field, new LargeReference(await this.#storeNew(owner, value, found)))
    }
    return { ...input, values }
  }

  /** What the field holds already is not stored again. */
  async #storeNew(owner: BlobOwner, bytes: Uint8Array, found: RecordState | undefined): Promise<Large> {
    const { env } = this.#o
    const root = await this.#rootOf(bytes)
    const made: Large = { kind: 'large', blob: env.entropy(BLOB_ID_BYTES), bytes: bytes.length, root }
    const before = found?.fields.get(owner.field)?.merge
    if (before?.kind === 'large' && sameBytes(before, made) && this.has(before)) return before
    await this.#store(owner, made.blob, bytes)
    return made
  }

  async #rootOf(bytes: Uint8Array): Promise<Uint8Array> {
    const { env, crypto } = this.#o
    const breath = new Breath(env)
    const hashes: Uint8Array[] = []
    for (let from = 0; from < bytes.length; from += limits.chunkBytes) {
      hashes.push(crypto.sha256(bytes.subarray(from, from + limits.chunkBytes)))
      const pause = breath.pause()
      if (pause !== undefined) await pause
    }
    return crypto.sha256(concatBytes(hashes))
  }

  /** A batch of chunks at a time, each synced before the next one is sealed. */
  async #store({ collection, id, field }: BlobOwner, blob: Uint8Array, bytes: Uint8Array): Promise<void> {
    const { writer, view } = this.#o
    const count = chunkCount({ bytes: bytes.length })
    for (let place = 0; place < count; place += limits.chunksPerBatch) {
      const inputs: PreparedInput[] = []
      for (let at = place; at < Math.min(count, place + limits.chunksPerBatch); at += 1) {
        const chunk = chunkId(blob, at)
        if (view.index.records.entry(CHUNK_COLLECTION, chunk)?.deleted === false) continue
        const data = bytes.subarray(at * limits.chunkBytes, (at + 1) * limits.chunkBytes)
        const values = new Map<string, FieldChange>([[chunkFields.data, data]])
        if (at === 0) values.set(chunkFields.owner, [collection, id, field])
        inputs.push({ id: chunk, values })
      }
      await writer.write(CHUNK_COLLECTION, inputs, putInto)
      await writer.synced()
    }
  }

  async #hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting + bytes > limits.largeWaitingBytesMax) {
      throw new BlazeError(
        'OVERLOADED',
        `${this.#waiting} bytes of large values wait to be stored; try again later`,
      )
    }
    this.#waiting += bytes
    try {
      return await work()
    } finally {
      this.#waiting -= bytes
    }
  }
}

function largeBytes(values: Iterable<unknown>): number {
  let bytes = 0
  for (const value of values) if (isLarge(value)) bytes += value.length
  return bytes
}

/** Whether the inputs have to be prepared before they are written. */
export function hasLarge(inputs: readonly RecordInput[]): boolean {
  for (const { values } of inputs) for (const value of values.values()) if (isLarge(value)) return true
  return false
}

function dataOf(state: RecordState | undefined): Uint8Array | undefined {
  const data = state?.fields.get(chunkFields.data)?.value
  return data instanceof Uint8Array ? data : undefined
}

/** `TOO_LARGE` when the record would hold more than it may. */
function checkSum(found: RecordState | undefined, { values }: RecordInput): void {
  let bytes = largeBytes(values.values())
  for (const [field, { merge }] of found?.fields ?? []) {
    if (merge?.kind === 'large' && !values.has(field)) bytes += merge.bytes
  }
  if (bytes <= limits.largeBytesMax) return
  throw new BlazeError(
    'TOO_LARGE',
    `the large byte values of the record have ${bytes} bytes together, at most ${limits.largeBytesMax} fit; store them in several records`,
    { details: { bytes, bytesMax: limits.largeBytesMax } },
  )
}

/**
 * Writes records as JSON lines, as they are at one moment: `{"collection":…,"id":…,"fields":{…}}`, values as `tagged-json.ts` has them.
 * Invariant: memory does not grow with the database. Living records only; what is held back is counted, not written.
 */
import { Breath, limits, setOwn } from '../../../runtime/index.ts'
import type { CryptoProvider, Env, Value } from '../../../runtime/index.ts'
import { openTagSnapshot } from '../../replica/index.ts'
import type { FileSink } from '../../replica/index.ts'
import type { OpenParts } from '../database.ts'
import { docOf } from '../record/document.ts'
import type { Large } from '../record/merge.ts'
import { openCollectionProblem } from '../record/name.ts'
import { PartialBytes } from '../record/partial-bytes.ts'
import type { RecordName } from '../record/record-change.ts'
import type { RecordState } from '../record/record.ts'
import { RecordReader } from '../view/record-reader.ts'
import { formatTagged } from './tagged-json.ts'
import type { Json } from './tagged-json.ts'

interface Fields {
  [name: string]: Value
}

export interface ExportParts {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly open: OpenParts
  /** The bytes of a large value; undefined while they are not all here. */
  readonly readLarge: (large: Large) => Promise<Uint8Array | undefined>
  /** Finished by the caller. */
  readonly sink: Pick<FileSink, 'write'>
}

export interface ExportProgress {
  /** Written so far. */
  readonly records: number
  readonly bytes: number
  /** Records looked at, deleted ones and other collections included, and how many there are. */
  readonly looked: number
  readonly lookedExpected: number
}

export interface ExportOptions {
  /** Default: all. */
  readonly collections: ReadonlySet<string> | undefined
  /** Its reason is what the export then rejects with. */
  readonly signal: AbortSignal
  readonly onProgress: ((progress: ExportProgress) => void) | undefined
}

export interface ExportReport {
  readonly records: number
  readonly bytes: number
  /** Records of which nothing may be shown yet, see `status().held`. */
  readonly held: number
  /** Large values that are not all here and were left out. */
  readonly partial: number
}

export async function exportRecords(parts: ExportParts, options: ExportOptions): Promise<ExportReport> {
  const { env, crypto, open, sink } = parts
  const { collections, signal, onProgress } = options
  const reader = new RecordReader({ crypto, keyring: open.keyring, clock: open.clock })
  const breath = new Breath(env)
  const out = new TextSink(sink)
  const counts = { records: 0, held: 0, partial: 0, looked: 0 }
  const tags = await openTagSnapshot(open.space.replica, crypto)
  try {
    await tags.read(async (page) => {
      for (const { live } of page) {
        const { state } = reader.assemble(live)
        if (state === undefined) counts.held += 1
        else if (isWanted(state, collections)) {
          counts.records += 1
          const { id, ...doc } = docOf(state)
          counts.partial += await fillLarge(doc, parts.readLarge)
          await out.write(lineOf({ collection: state.collection, id }, doc))
        }
        const pause = breath.pause()
        if (pause !== undefined) await pause
      }
      counts.looked += page.length
      signal.throwIfAborted()
      const { records, looked } = counts
      onProgress?.({ records, looked, lookedExpected: tags.tags, bytes: out.bytes })
    })
    await out.flush()
    const { records, held, partial } = counts
    return { records, held, partial, bytes: out.bytes }
  } finally {
    await tags.close()
  }
}

function isWanted(state: RecordState, collections: ReadonlySet<string> | undefined): boolean {
  if (state.deleted !== undefined) return false
  return collections?.has(state.collection) ?? openCollectionProblem(state.collection) === undefined
}

/** Puts large values in, and takes out those that are not all here; returns how many. */
async function fillLarge(doc: Fields, read: ExportParts['readLarge']): Promise<number> {
  let partial = 0
  for (const [name, value] of Object.entries(doc)) {
    if (!(value instanceof PartialBytes)) continue
    const bytes = await read(PartialBytes.largeOf(value))
    if (bytes !== undefined) setOwn(doc, name, bytes)
    else {
      delete doc[name]
      partial += 1
    }
  }
  return partial
}

function lineOf({ collection, id }: RecordName, doc: Fields): string {
  const fields: { [name: string]: Json } = {}
  for (const name of Object.keys(doc).toSorted()) setOwn(fields, name, formatTagged(doc[name] ?? null))
  return `${JSON.stringify({ collection, id, fields })}\n`
}

/** Gathers lines to pieces that are worth a write. */
class TextSink {
  readonly #sink: Pick<FileSink, 'write'>
  #text = ''
  #bytes = 0

  constructor(sink: Pick<FileSink, 'write'>) {
    this.#sink = sink
  }

  /** Of whole pieces. */
  get bytes(): number {
    return this.#bytes
  }

  async write(text: string): Promise<void> {
    this.#text += text
    if (this.#text.length >= limits.movingPieceBytes) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#text.length === 0) return
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    await this.#sink.write(bytes)
    this.#bytes += bytes.length
  }
}

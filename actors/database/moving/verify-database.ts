/**
 * Reads everything that a database holds and says what is wrong: files, rows and sums of the store, signatures of commits, what envelopes
 * open to, and indexes against records. Invariant: it only reads; what is wrong with the store makes it `damaged`, as any pass does.
 */
import { limits, toHex } from '../../../runtime/index.ts'
import type { Envelope } from '../../replica/index.ts'
import type { Database } from '../database.ts'
import type { IndexAudit } from '../index/index-audit.ts'
import { RecordReader } from '../view/record-reader.ts'
import type { HoldReason } from '../view/record-reader.ts'

export interface DatabaseVerifyProgress {
  readonly step: 'records' | 'indexes'
  /** Rows of the store that were read, and about how many there are. */
  readonly rows: number
  readonly rowsExpected: number
}

export interface DatabaseVerifyOptions {
  /** Its reason is what the call then rejects with. */
  readonly signal: AbortSignal
  readonly onProgress: ((progress: DatabaseVerifyProgress) => void) | undefined
}

export interface DatabaseVerifyReport {
  /** Nothing is wrong. What is held back for a time or a key is not wrong. */
  readonly ok: boolean
  /** Living ones. */
  readonly records: number
  readonly deletedRecords: number
  readonly envelopes: number
  readonly commits: number
  /** Entries of secondary indexes. */
  readonly indexEntries: number
  /** Envelopes that are not shown, by reason; `bad` ones are problems too. */
  readonly held: Readonly<Record<HoldReason, number>>
  /** The first few in words; `problemCount` counts all. */
  readonly problems: readonly string[]
  readonly problemCount: number
  /** Bytes of rows that were read. */
  readonly bytes: number
  readonly tookMs: number
}

export async function verifyDatabase(
  database: Database,
  { signal, onProgress }: DatabaseVerifyOptions,
): Promise<DatabaseVerifyReport> {
  const { crypto, env } = database
  const startedMs = env.monotonic()
  const { keyring, clock, space } = await database.settled()
  const look = new Look(new RecordReader({ crypto, keyring, clock }))
  let seen: DatabaseVerifyProgress = { step: 'records', rows: 0, rowsExpected: space.replica.tags }
  const store = await space.replica
    .verify({
      signal,
      signatures: true,
      visit: (_, live) => look.at(live),
      onProgress: ({ rows, rowsExpected }) => {
        seen = { step: 'records', rows, rowsExpected }
        onProgress?.(seen)
      },
    })
    .catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error
    })
  // A damaged store is closed by now, and its indexes with it.
  const indexes = store.count > 0 ? undefined : await verifyIndexes(database, signal)
  if (indexes !== undefined) onProgress?.({ ...seen, step: 'indexes' })
  const problems = [...store.problems, ...look.problems, ...(indexes?.problems ?? [])]
  const problemCount = store.count + look.held.bad + (indexes?.problemCount ?? 0)
  return {
    ok: problemCount === 0,
    records: look.records,
    deletedRecords: look.deletedRecords,
    envelopes: store.envelopes,
    commits: store.commits,
    indexEntries: indexes?.entries ?? 0,
    held: look.held,
    problems: problems.slice(0, limits.damagesNamedMax),
    problemCount,
    bytes: store.bytes,
    tookMs: env.monotonic() - startedMs,
  }
}

function verifyIndexes(database: Database, signal: AbortSignal): Promise<IndexAudit> {
  return database.request((reply) => ({ type: 'index.verify', signal, reply }))
}

/** Opens envelopes and counts what they come to. */
class Look {
  readonly #reader: RecordReader
  readonly held: Record<HoldReason, number> = { clock: 0, key: 0, life: 0, bad: 0 }
  readonly problems: string[] = []
  records = 0
  deletedRecords = 0

  constructor(reader: RecordReader) {
    this.#reader = reader
  }

  at(live: readonly Envelope[]): void {
    const { state, holds } = this.#reader.assemble(live)
    if (state !== undefined) {
      if (state.deleted === undefined) this.records += 1
      else this.deletedRecords += 1
    }
    for (const { reason, envelope } of holds) {
      this.held[reason] += 1
      if (reason === 'bad' && this.problems.length < limits.damagesNamedMax) {
        this.problems.push(
          `write ${envelope.seq} of replica ${toHex(envelope.replicaId)} was signed, but does not open to a record of its tag`,
        )
      }
    }
  }
}

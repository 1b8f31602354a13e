/**
 * The inside of a backup (PROTOCOL §6.4): one stream of items, cut into frames wherever a frame is full.
 * Invariant: the manifest comes first, the totals come last, and they count what was between them.
 */
import {
  BlazeError,
  ByteReader,
  ByteWriter,
  concatBytes,
  decodeCbor,
  encodeCbor,
  isPlainObject,
  limits,
  readU32,
} from '../../../runtime/index.ts'
import type { StoreRow } from '../../replica/index.ts'
import { invalid } from './backup-frame.ts'

const ITEM_START_BYTES = 5
const MANIFEST = 1
const ROW = 2
const TOTALS = 3

export interface BackupManifest {
  /** Space id. */
  readonly space: Uint8Array
  /** Wall clock of the device, ms. */
  readonly madeAtMs: number
  /** The last own write of `identity.replica` that is in it. */
  readonly lastOwnSeq: number
  readonly tags: number
  readonly envelopes: number
}

export function encodeManifest(manifest: BackupManifest): Uint8Array {
  return item(MANIFEST, encodeCbor({ ...manifest }))
}

export function encodeRow([key, value]: StoreRow): Uint8Array {
  return new ByteWriter(ITEM_START_BYTES + 2 + key.length + value.length)
    .u8(ROW)
    .u32(2 + key.length + value.length)
    .u16(key.length)
    .bytes(key)
    .bytes(value)
    .finish()
}

export function encodeTotals(rows: number): Uint8Array {
  return item(TOTALS, encodeCbor({ rows }))
}

function item(type: number, payload: Uint8Array): Uint8Array {
  return new ByteWriter(ITEM_START_BYTES + payload.length)
    .u8(type)
    .u32(payload.length)
    .bytes(payload)
    .finish()
}

interface Item {
  readonly type: number
  readonly payload: Uint8Array
}

/** What a backup holds, in order. `BACKUP_INVALID` for a stream that `encode…` did not make. */
export class ItemReader {
  #rest: Uint8Array = new Uint8Array(0)
  #manifest: BackupManifest | undefined
  #rows = 0
  #isOver = false

  /** Of the first item. */
  get manifest(): BackupManifest | undefined {
    return this.#manifest
  }

  get rows(): number {
    return this.#rows
  }

  /** The rows that are whole with these bytes; views of them. */
  add(plain: Uint8Array, frame: number): StoreRow[] {
    const bytes = this.#rest.length === 0 ? plain : concatBytes([this.#rest, plain])
    const rows: StoreRow[] = []
    let at = 0
    for (let next = itemAt(bytes, at, frame); next !== undefined; next = itemAt(bytes, at, frame)) {
      at += ITEM_START_BYTES + next.payload.length
      const row = this.#take(next, frame)
      if (row !== undefined) rows.push(row)
    }
    this.#rest = bytes.slice(at)
    return rows
  }

  /** The stream is over. */
  end(frame: number): void {
    if (!this.#isOver || this.#rest.length > 0) throw invalid(frame, 'the totals are missing')
  }

  #take(next: Item, frame: number): StoreRow | undefined {
    if (this.#isOver) throw invalid(frame, 'there is more behind the totals')
    if (this.#manifest === undefined) {
      this.#manifest = understood(frame, () => manifestOf(next))
      return undefined
    }
    if (next.type === TOTALS) {
      const total = understood(frame, () => countOf(mapOf(next.payload), 'rows'))
      if (total !== this.#rows) throw invalid(frame, `it has ${this.#rows} rows, and should have ${total}`)
      this.#isOver = true
      return undefined
    }
    this.#rows += 1
    return understood(frame, () => rowOf(next))
  }
}

/** Undefined while it is not whole. */
function itemAt(bytes: Uint8Array, at: number, frame: number): Item | undefined {
  if (bytes.length - at < ITEM_START_BYTES) return undefined
  const length = readU32(bytes, at + 1)
  if (length > limits.backupItemBytesMax) throw invalid(frame, `an item of ${length} bytes`)
  const start = at + ITEM_START_BYTES
  if (bytes.length - start < length) return undefined
  return { type: bytes[at] ?? 0, payload: bytes.subarray(start, start + length) }
}

function rowOf({ type, payload }: Item): StoreRow {
  const reader = new ByteReader(payload, 'row')
  if (type !== ROW) throw reader.violation(`an item of type ${type}`)
  return [reader.bytes(reader.u16()), reader.rest()]
}

function manifestOf({ type, payload }: Item): BackupManifest {
  const map = mapOf(payload)
  const { space } = map
  if (type !== MANIFEST || !(space instanceof Uint8Array) || space.length !== 16) {
    throw new BlazeError('BAD_VALUE', 'it does not begin with a manifest')
  }
  return {
    space,
    madeAtMs: countOf(map, 'madeAtMs'),
    lastOwnSeq: countOf(map, 'lastOwnSeq'),
    tags: countOf(map, 'tags'),
    envelopes: countOf(map, 'envelopes'),
  }
}

function mapOf(payload: Uint8Array): { readonly [name: string]: unknown } {
  const map: unknown = decodeCbor(payload)
  if (!isPlainObject(map)) throw new BlazeError('BAD_VALUE', 'expected a map')
  return map
}

function countOf(map: { readonly [name: string]: unknown }, name: string): number {
  const count = map[name]
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
    throw new BlazeError('BAD_VALUE', `expected a count as ${name}`)
  }
  return count
}

function understood<T>(frame: number, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof BlazeError) throw invalid(frame, error.message)
    throw error
  }
}

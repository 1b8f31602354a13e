/**
 * The rows of all indexes of a database, sealed: pages by number, and pieces of directories and state (PROTOCOL §6.3).
 * Invariant: a page never changes after it was written; a row that does not authenticate under its own key is `DAMAGED`.
 */
import {
  assert,
  bytesKey,
  ByteReader,
  ByteWriter,
  concatBytes,
  limits,
  writeU48,
} from '../../../runtime/index.ts'
import type { Aead, BlazeError, CryptoProvider } from '../../../runtime/index.ts'
import type { StoreOperation, StoreReader } from '../../replica/index.ts'
import { badPage, IndexPage } from './page.ts'

const PAGE = 0x78
const PIECE = 0x79
const BOOT_BYTES = 16
const HEAD_BYTES = BOOT_BYTES + 6
const LABEL = new TextEncoder().encode('rows')
const NO_SALT = new Uint8Array(0)

/** Number of the state among the pieces; directories have the numbers of their indexes. */
export const STATE = 0

export interface PageStoreOptions {
  readonly store: StoreReader
  readonly crypto: CryptoProvider
  /** 32 bytes, for indexes alone. */
  readonly key: Uint8Array
  /** 16 bytes, fresh for this opening: seals are numbered within it. */
  readonly boot: Uint8Array
}

export class PageStore {
  readonly #o: PageStoreOptions
  readonly #aeads = new Map<string, Aead>()
  /** Least recently used first. */
  readonly #cache = new Map<number, IndexPage>()
  #seals = 0
  #nextPage = 1
  #staged: StoreOperation[] = []
  #stagedBytes = 0

  constructor(options: PageStoreOptions) {
    this.#o = options
  }

  get nextPage(): number {
    return this.#nextPage
  }

  /** What the state says about pages of earlier openings. */
  set nextPage(page: number) {
    this.#nextPage = page
  }

  /** Bytes that wait for `take`. */
  get stagedBytes(): number {
    return this.#stagedBytes
  }

  /** Told of each row that is missing or does not authenticate, before whoever reads it is. */
  onDamaged: (error: BlazeError) => void = () => undefined

  /** `DAMAGED` when it is missing or does not authenticate. */
  load(page: number): IndexPage {
    const cached = this.#cache.get(page)
    if (cached !== undefined) {
      this.#cache.delete(page)
      this.#cache.set(page, cached)
      return cached
    }
    const loaded = this.peek(page)
    this.#cache.set(page, loaded)
    if (this.#cache.size > limits.indexPagesCachedMax) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest)
        break
      }
    }
    return loaded
  }

  /** The same for a pass over many pages, which leaves the cache alone. */
  peek(page: number): IndexPage {
    return this.#cache.get(page) ?? new IndexPage(this.#open(pageKey(page)))
  }

  /** Seals a page for the next batch, and gives it its number. */
  stage(bytes: Uint8Array): number {
    const page = this.#nextPage
    this.#nextPage += 1
    this.#put(pageKey(page), bytes)
    return page
  }

  /** Seals a text of any length as pieces, and removes pieces beyond it of a longer one before. Returns their number. */
  stagePieces(no: number, bytes: Uint8Array, before: number): number {
    let piece = 0
    for (let at = 0; at < bytes.length || piece === 0; at += limits.indexPieceBytes) {
      this.#put(pieceKey(no, piece), bytes.subarray(at, at + limits.indexPieceBytes))
      piece += 1
    }
    for (let extra = piece; extra < before; extra += 1) this.#delete(pieceKey(no, extra))
    return piece
  }

  /** `DAMAGED` unless all of them are there. */
  pieces(no: number, count: number): Uint8Array {
    const parts: Uint8Array[] = []
    for (let piece = 0; piece < count; piece += 1) parts.push(this.#open(pieceKey(no, piece)))
    return concatBytes(parts)
  }

  has(no: number): boolean {
    return this.#o.store.get(pieceKey(no, 0)) !== undefined
  }

  stageRemoval(pages: readonly number[]): void {
    for (const page of pages) {
      this.#cache.delete(page)
      this.#delete(pageKey(page))
    }
  }

  /** What removes the state, so that the next opening begins anew. */
  discard(): StoreOperation[] {
    return [{ type: 'del', key: pieceKey(STATE, 0) }]
  }

  /** Empties the stage into a batch. */
  take(): StoreOperation[] {
    const staged = this.#staged
    this.#staged = []
    this.#stagedBytes = 0
    return staged
  }

  #put(key: Uint8Array, bytes: Uint8Array): void {
    const { boot } = this.#o
    this.#seals += 1
    const sealed = this.#aead(boot).seal(nonceOf(this.#seals), key, bytes)
    const value = new ByteWriter(HEAD_BYTES + sealed.length)
      .bytes(boot)
      .u48(this.#seals)
      .bytes(sealed)
      .finish()
    this.#staged.push({ type: 'put', key, value })
    this.#stagedBytes += value.length
  }

  #delete(key: Uint8Array): void {
    this.#staged.push({ type: 'del', key })
  }

  #open(key: Uint8Array): Uint8Array {
    const value = this.#o.store.get(key)
    if (value !== undefined && value.length >= HEAD_BYTES) {
      const reader = new ByteReader(value, 'index row')
      const aead = this.#aead(reader.bytes(BOOT_BYTES))
      const bytes = aead.open(nonceOf(reader.u48()), key, value.subarray(HEAD_BYTES))
      if (bytes !== undefined) return bytes
    }
    const error = badPage()
    this.onDamaged(error)
    throw error
  }

  #aead(boot: Uint8Array): Aead {
    const name = bytesKey(boot)
    let aead = this.#aeads.get(name)
    if (aead === undefined) {
      const { crypto, key } = this.#o
      aead = crypto.createAead(crypto.hkdfSha256(key, NO_SALT, concatBytes([LABEL, boot]), 32))
      if (this.#aeads.size >= limits.sealKeysMax) this.#aeads.clear()
      this.#aeads.set(name, aead)
    }
    return aead
  }
}

/** All rows of indexes, for `StoreReader.range`. */
export const indexRows: { readonly gte: Uint8Array; readonly lt: Uint8Array } = {
  gte: Uint8Array.of(PAGE),
  lt: Uint8Array.of(PIECE + 1),
}

/** Pages from that number on, for `StoreReader.range`. */
export function pagesFrom(page: number): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: pageKey(page), lt: Uint8Array.of(PAGE + 1) }
}

function pageKey(page: number): Uint8Array {
  const key = new Uint8Array(7)
  key[0] = PAGE
  writeU48(key, 1, page)
  return key
}

function pieceKey(no: number, piece: number): Uint8Array {
  assert(no <= 0xffff && piece <= 0xffff, 'an index or piece number of two bytes')
  return Uint8Array.of(PIECE, no >>> 8, no & 0xff, piece >>> 8, piece & 0xff)
}

function nonceOf(seal: number): Uint8Array {
  const nonce = new Uint8Array(12)
  writeU48(nonce, 6, seal)
  return nonce
}

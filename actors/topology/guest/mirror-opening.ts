/**
 * Opens the rows of a guest's copy: one pass over all of them proves that they are what was written, and shows them.
 * Invariant: nothing of a copy is used before all of it was proven; what cannot be proven is `DAMAGED`, and never repaired.
 */
import { assert, BlazeError, bytesKey, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import type { OrderedStore, StoreOperation, StoreRow } from '../../replica/index.ts'
import {
  BOOTS_PLACE,
  damaged,
  decodeHead,
  decodeRow,
  EMPTY_HEAD,
  encodeHead,
  HEAD_PLACE,
  RECORDS_FROM,
  RECORDS_TO,
  tagOfPlace,
} from './mirror-row.ts'
import type { MirrorHead, MirrorRow } from './mirror-row.ts'
import { bootOf, encodeBoots, MirrorSeal, parseBoots } from './mirror-seal.ts'
import type { Boots } from './mirror-seal.ts'
import { RowSum } from './row-sum.ts'

export interface MirrorPlace {
  readonly store: OrderedStore
  readonly env: Env
  readonly crypto: CryptoProvider
  /** Of the copy, 32 bytes. */
  readonly key: Uint8Array
}

export interface OpenedRows {
  readonly seal: MirrorSeal
  readonly head: MirrorHead
  readonly sum: RowSum
}

/** Shown every row before anything is returned; what it made of them is void when the opening fails. */
export type RowVisitor = (tag: string, row: MirrorRow, head: MirrorHead) => void

const EVERYTHING = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff) }
const BOOT_ID_BYTES = 16
const NO_BOOTS: Boots = new Map()

/**
 * Begins a boot. `DAMAGED` when the rows are not what was written, or written under another key or format; then nothing was changed.
 * What the store rejects with when it cannot be written comes through.
 */
export async function openRows(place: MirrorPlace, visit: RowVisitor): Promise<OpenedRows> {
  const found = await readable(() => readRows(place, visit))
  const { store, env, crypto, key } = place
  const boots = new Map([...found.boots].filter(([boot]) => found.used.has(boot)))
  const own = freeNumber(boots)
  const crowded = boots.size >= limits.guestBootsMax / 2
  boots.set(own, env.entropy(BOOT_ID_BYTES))
  const seal = new MirrorSeal({ crypto, key, boots, own })
  // Synced before anything is sealed under it: two boots with one key would use a nonce twice.
  await store.batch([
    { type: 'put', key: BOOTS_PLACE, value: encodeBoots(boots, { crypto, key }) },
    headRow(seal, found.head, found.sum),
  ])
  const opened = { seal, head: found.head, sum: found.sum }
  if (crowded) await resealRows(store, opened)
  return opened
}

/** Removes every row, and resolves when the disk has forgotten them. */
export async function removeRows(store: OrderedStore): Promise<void> {
  for (;;) {
    const rows = await store.range({ ...EVERYTHING, limit: limits.rangeRowsMax })
    if (rows.length === 0) return
    await store.batch(rows.map(([key]): StoreOperation => ({ type: 'del', key })))
  }
}

export function headRow(seal: MirrorSeal, head: MirrorHead, sum: RowSum): StoreOperation {
  return { type: 'put', key: HEAD_PLACE, value: seal.seal(HEAD_PLACE, encodeHead(head, sum.sum)) }
}

interface FoundRows {
  readonly boots: Boots
  /** Numbers of the boots that sealed something that is there. */
  readonly used: ReadonlySet<number>
  readonly head: MirrorHead
  readonly sum: RowSum
}

/** A store that cannot be read is as good as a damaged one: the copy is fetched again. */
async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'POISONED') throw damaged('it cannot be read', error)
    throw error
  }
}

async function readRows(place: MirrorPlace, visit: RowVisitor): Promise<FoundRows> {
  const { store, crypto, key } = place
  const sum = new RowSum()
  const bootsRow = store.get(BOOTS_PLACE)
  if (bootsRow === undefined) {
    const rows = await store.range({ ...EVERYTHING, limit: 1 })
    if (rows.length > 0) throw damaged('it has rows and no boots')
    return { boots: NO_BOOTS, used: new Set(), head: EMPTY_HEAD, sum }
  }
  const boots = parseBoots(bootsRow, { crypto, key })
  if (boots === undefined) throw damaged('its boots are of another format or key')
  const seal = new MirrorSeal({ crypto, key, boots, own: undefined })
  const headValue = store.get(HEAD_PLACE)
  const headPlain = headValue === undefined ? undefined : seal.open(HEAD_PLACE, headValue)
  if (headValue === undefined || headPlain === undefined)
    throw damaged('its head is missing or does not verify')
  const { head, sum: expected } = decodeHead(headPlain)
  if (head.wiping) throw damaged('it was being removed')
  const used = new Set([bootOf(headValue)])
  for await (const rows of recordRows(store)) {
    for (const [at, value] of rows) {
      const tag = tagOfPlace(at)
      const plain = seal.open(at, value)
      if (tag === undefined || plain === undefined) throw damaged('a row does not verify')
      sum.add(value)
      used.add(bootOf(value))
      visit(bytesKey(tag), decodeRow(plain), head)
    }
  }
  if (!sum.equals(expected)) throw damaged('rows are missing or left over')
  return { boots, used, head, sum }
}

async function* recordRows(store: OrderedStore): AsyncGenerator<StoreRow[], void, undefined> {
  let gte = RECORDS_FROM
  for (;;) {
    const rows = await store.range({ gte, lt: RECORDS_TO, limit: limits.rangeRowsMax })
    yield rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < limits.rangeRowsMax) return
    gte = new Uint8Array(last[0].length + 1)
    gte.set(last[0])
  }
}

function freeNumber(boots: Boots): number {
  for (let number = 0; number < limits.guestBootsMax; number += 1) if (!boots.has(number)) return number
  throw damaged(`it was opened ${limits.guestBootsMax} times without being sealed anew`)
}

/** So that the numbers of old boots become free. Each batch keeps head and rows in step. */
async function resealRows(store: OrderedStore, { seal, head, sum }: OpenedRows): Promise<void> {
  for await (const rows of recordRows(store)) {
    const operations: StoreOperation[] = []
    for (const [at, value] of rows) {
      if (bootOf(value) === seal.own) continue
      const plain = seal.open(at, value)
      assert(plain !== undefined, 'a row that verified a moment ago verifies')
      const sealed = seal.seal(at, plain)
      sum.subtract(value)
      sum.add(sealed)
      operations.push({ type: 'put', key: at, value: sealed })
    }
    if (operations.length > 0) {
      await store.batch([...operations, headRow(seal, head, sum)], { sync: false })
    }
  }
}

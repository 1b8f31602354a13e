/**
 * Brings the store of a misfit to the point from which it opens as a replica again: rows in order, vector and cursors empty, no
 * incarnation that a peer could resume from (REPLICATION rule 22). Invariant: the row of the rebase is there first and says how far it
 * has come, so that a power cut is followed by the same steps.
 */
import { BlazeError, toHex } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { BOOT_ID_BYTES } from '../envelope.ts'
import {
  confirmedKey,
  encodeFormat,
  encodeIncarnations,
  FORMAT,
  formatKey,
  incarnationsKey,
  parseCommitRow,
  rebaseKey,
  rowsOf,
} from '../row.ts'
import type { StoreOperation, StoreReader } from '../store.ts'
import { encodeRebase, readRebase, sameOrder } from './rebase.ts'
import type { RebaseOrder } from './rebase.ts'
import { removeRows, tryParse, walk } from './row-walk.ts'
import type { RowRange } from './row-walk.ts'
import { salvage } from './salvage.ts'
import type { Salvaged, SalvageOptions } from './salvage.ts'

export interface PrepareOptions extends SalvageOptions {
  /** Damage was found since the last opening: what that one did for the same order does not count. */
  readonly anew?: boolean
  /** Rows that are made from arrivals, and are made anew when these are numbered anew. */
  readonly derived?: readonly RowRange[]
}

/** Throws `DAMAGED` for a store of another space and `NOT_SUPPORTED` for another format: nothing of them is to be put in order. */
export function checkFormat(store: StoreReader, spaceId: Uint8Array): void {
  const row = store.get(formatKey)
  if (row === undefined || row.length !== 1 + spaceId.length) return
  if (row[0] !== FORMAT)
    throw new BlazeError('NOT_SUPPORTED', `the store has format ${row[0]}, this version reads ${FORMAT}`)
  const found = toHex(row.subarray(1))
  if (found === toHex(spaceId)) return
  throw new BlazeError('DAMAGED', `the store belongs to space ${found}, not ${toHex(spaceId)}`)
}

/** Does the first step of the rebase, unless it is done. What it had to leave out is told when rows were put in order. */
export async function prepareRebase(
  options: PrepareOptions,
  order: RebaseOrder,
): Promise<Salvaged | undefined> {
  const { store, env } = options
  const found = readRebase(store)
  const isBegun = found !== undefined && found.step !== 'clear' && sameOrder(found, order)
  if (isBegun && options.anew !== true) return undefined
  await store.batch([{ type: 'put', key: rebaseKey, value: encodeRebase({ ...order, step: 'clear' }) }])
  let salvaged: Salvaged | undefined
  if (order.reason === 'forked') await dropDeadCommits(options)
  else {
    for (const range of options.derived ?? []) await removeRows(store, range)
    salvaged = await salvage(options)
  }
  for (const kind of ['v', 'p', 'h'] as const) await removeRows(store, rowsOf(kind))
  await store.batch([
    { type: 'del', key: confirmedKey },
    { type: 'put', key: formatKey, value: encodeFormat(options.spaceId) },
    { type: 'put', key: incarnationsKey, value: nobodysIncarnation(env) },
    { type: 'put', key: rebaseKey, value: encodeRebase({ ...order, step: 'reissue' }) },
  ])
  return salvaged
}

/** The vector, which kept the newest commit of each id, begins empty. */
async function dropDeadCommits({ store, crypto }: PrepareOptions): Promise<void> {
  await walk(store, rowsOf('c'), async (rows) => {
    const dead = rows.filter(([, value]) =>
      tryParse(() => parseCommitRow(value, crypto))?.live.every((count) => count === 0),
    )
    if (dead.length > 0) await store.batch(dead.map(([key]): StoreOperation => ({ type: 'del', key })))
  })
}

/** A store has one, and this one was never told to anybody. */
function nobodysIncarnation(env: Env): Uint8Array {
  return encodeIncarnations([{ id: env.entropy(BOOT_ID_BYTES), firstArrival: 1 }])
}

/**
 * Reads the arrivals of a replica page by page, beside whoever writes.
 * Invariant: an arrival on a page was synced, and every synced arrival between two pages was on one of them.
 */
import { limits } from '../../runtime/index.ts'
import type { RecentArrivals } from './replica-state.ts'
import type { Arrival, ArrivalPage } from './replica.ts'
import type { RoundSource } from './round/round-source.ts'
import { arrivalKey, numberOfKey } from './row.ts'
import type { StoreSnapshot } from './store.ts'

/** What a page needs of its replica. */
export interface ArrivalHost {
  readonly recent: RecentArrivals
  /** Throws once the replica is closed or poisoned. */
  check(): void
  lastArrival(): number
  /** A snapshot of just what is synced. */
  snapshot(): Promise<{ readonly snapshot: StoreSnapshot; readonly source: RoundSource }>
}

/** At most `limitMax` arrivals after `after`. */
export async function readArrivals(host: ArrivalHost, after: number, limitMax: number): Promise<ArrivalPage> {
  host.check()
  const limit = Math.min(limitMax, limits.rangeRowsMax)
  const recent = host.recent.since(after, limit)
  if (recent !== undefined) return pageOf(recent, host.lastArrival())
  // The store itself may show a batch on its way to the disk, and not the older arrivals that it takes away.
  const { snapshot, source } = await host.snapshot()
  try {
    const rows = await snapshot.range({
      gte: arrivalKey(after + 1),
      lt: arrivalKey(source.lastArrival + 1),
      limit,
    })
    host.check()
    const arrivals = rows.map(([key, tag]) => ({ arrival: numberOfKey(key), tag }))
    return pageOf(arrivals, source.lastArrival)
  } finally {
    await snapshot.close()
  }
}

/** The newest arrival is always there: only a newer one takes it away. */
function pageOf(arrivals: readonly Arrival[], newest: number): ArrivalPage {
  return { arrivals, upTo: arrivals.at(-1)?.arrival ?? newest }
}

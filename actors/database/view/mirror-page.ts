/**
 * What mirrors read: the records that changed after an arrival, page by page, as they are shown now.
 * Invariant: everything on a page was synced; a record that is not on it has changed again and comes on a later one.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { Replica } from '../../replica/index.ts'
import type { RecordState } from '../record/record.ts'
import type { KeyedView } from './keyed-view.ts'

export interface MirrorEntry {
  readonly arrival: number
  /** Of the envelopes, 16 bytes. */
  readonly tag: Uint8Array
  /** Undefined when nothing of the tag is shown. */
  readonly state: RecordState | undefined
}

export interface MirrorPage {
  /** In order of arrival; fewer than were asked for, even none, where records have changed again. */
  readonly entries: readonly MirrorEntry[]
  /** Synced arrival that the page reaches, and after which the next one begins. */
  readonly upTo: number
  /** Whether nothing came after `upTo` when the page was read. */
  readonly last: boolean
}

/** Looks at up to `limit` arrivals after `after`. */
export async function readMirrorPage(
  view: KeyedView,
  replica: Replica,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<MirrorPage> {
  const { arrivals, upTo } = await replica.arrivals(after, limit)
  // From here on in one turn: what is compared and what is shown belong together.
  const entries: MirrorEntry[] = []
  for (const { arrival, tag } of arrivals) {
    const present = replica.present(tag)
    if (present.arrival > arrival) continue
    if (present.arrival < arrival) throw damaged(arrival)
    entries.push({ arrival, tag, state: view.shownOf(tag, present.live) })
  }
  return { entries, upTo, last: upTo === replica.lastArrival }
}

function damaged(arrival: number): BlazeError {
  const problem = `arrival ${arrival} leads to no tag`
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; restore from a peer or a backup`, {
    details: { problems: [problem], count: 1 },
  })
}

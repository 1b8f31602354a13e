/** Rows of a tracker, the same in every process, and what a policy lets through of them, told by other code than the product's. */

/** Larger than most records are: of what is on its way when a process dies, few rows are lost. */
const BODY_CHARS = 500

export interface TrackerRow {
  readonly id: string
  readonly n: number
  readonly title: string
  readonly status: 'open' | 'closed'
  readonly body: string
  readonly secret: string
}

/** Every fourth one is closed. */
export function trackerRow(n: number): TrackerRow {
  return {
    id: `row-${n}`,
    n,
    title: `title of ${n}`,
    status: n % 4 === 3 ? 'closed' : 'open',
    body: `${n} `.repeat(BODY_CHARS).slice(0, BODY_CHARS),
    secret: `nobody may see ${n}`,
  }
}

/** Rows `from` up to, and without, `to`. */
export function trackerRows(from: number, to: number): TrackerRow[] {
  return Array.from({ length: to - from }, (_, at) => trackerRow(from + at))
}

/** How many records went how fast, as numbers and in words. */

export interface Transfer {
  readonly records: number
  readonly ms: number
  readonly recordsPerSecond: number
}

export function transferOf(records: number, ms: number): Transfer {
  return { records, ms: round(ms, 1), recordsPerSecond: Math.round((records / ms) * 1000) }
}

export function describe({ records, ms, recordsPerSecond }: Transfer): string {
  const seconds = (ms / 1000).toFixed(2)
  return `${grouped(records)} records in ${seconds} s (${grouped(recordsPerSecond)}/s)`
}

export function round(n: number, digits: number): number {
  return Number(n.toFixed(digits))
}

function grouped(n: number): string {
  return n.toLocaleString('en-US')
}

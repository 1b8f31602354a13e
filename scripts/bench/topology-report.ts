/**
 * The figures of the group `topology`, from what its processes noted.
 *
 * Invariant: every sample counts as it was measured; how many are below zero, because a guest's callback ran before the writer's
 * `await` returned, stands in the line.
 */
import { encodeChanges, encodeItem } from '../../actors/topology/mirror/message.ts'
import { readMemory } from '../process/memory.ts'
import { makeRecords } from './record.ts'
import { percentile } from './report.ts'
import type { Report } from './report.ts'

const mebibyte = 1024 * 1024
const via = { via: 'uds' } as const
/** What a record on a socket has besides a changes message: `u32 length`, head of the frame, authentication tag (PROTOCOL §7). */
const aroundMessageBytes = 4 + 10 + 16

export interface GuestFigures {
  readonly guests: number
  readonly latencies: readonly number[]
  /** Resident memory of the host without guests and with all of them, in bytes. */
  readonly before: number
  readonly after: number
}

export class TopologyReport {
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  visible(system: string, latencies: readonly number[]): void {
    this.#visible(system, latencies, { negative: negativeOf(latencies) })
  }

  /** Half of each round trip counts; the whole stands beside it. */
  visibleEcho(system: string, roundTrips: readonly number[]): void {
    const halves = roundTrips.map((ms) => ms / 2)
    this.#visible(system, halves, {
      roundTripP50: Number(percentile(roundTrips, 0.5).toFixed(3)),
      roundTripP99: Number(percentile(roundTrips, 0.99).toFixed(3)),
    })
  }

  visibleTotal(system: string, latencies: readonly number[]): void {
    const p99 = Number(percentile(latencies, 0.99).toFixed(3))
    const measure = { bench: 'visible-total', system, unit: 'ms', params: via } as const
    this.#report.round(measure, percentile(latencies, 0.5), { samples: latencies.length, p99 })
  }

  mirror(system: string, rows: number, ms: number): void {
    const measure = { bench: 'mirror', system, unit: 'records/s', params: { rows } } as const
    this.#report.round(measure, (rows / ms) * 1000)
  }

  guests(system: string, { guests, latencies, before, after }: GuestFigures): void {
    const bench = `guests-${guests}`
    this.#report.round({ bench, system, unit: 'ms', params: via }, percentile(latencies, 0.5), {
      samples: latencies.length,
      negative: negativeOf(latencies),
      p99: Number(percentile(latencies, 0.99).toFixed(3)),
    })
    this.#report.round({ bench: `${bench}-memory`, system, unit: 'MiB', params: via }, after / mebibyte, {
      before: Number((before / mebibyte).toFixed(1)),
    })
  }

  #visible(system: string, latencies: readonly number[], more: Readonly<Record<string, number>>): void {
    const fields = { samples: latencies.length, ...more }
    const at = (share: number): number => percentile(latencies, share)
    this.#report.round({ bench: 'visible-p50', system, unit: 'ms', params: via }, at(0.5), fields)
    this.#report.round({ bench: 'visible-p99', system, unit: 'ms', params: via }, at(0.99), fields)
  }
}

/** Of two readings for each write. Both must be there for every one. */
export function differences(later: readonly number[], earlier: readonly number[]): number[] {
  if (later.length !== earlier.length)
    throw new Error(`${later.length} writes were seen, ${earlier.length} were made`)
  return later.map((ms, n) => {
    const before = earlier[n]
    if (before === undefined) throw new Error(`write ${n} was seen, and never acknowledged`)
    return ms - before
  })
}

/** Resident memory of a process, in bytes. */
export function memoryOf({ pid }: { readonly pid: number }): number {
  const memory = readMemory(pid)
  if (memory === undefined) throw new Error(`no memory figure of process ${pid}`)
  return memory.rssBytes
}

/** Bytes of one synthetic record as it travels to a guest. */
export function bytesOnTheWay(seed: number): number {
  const stamp = { ms: Date.now(), counter: 0, writer: new Uint8Array(8) }
  const [record] = makeRecords(1, seed)
  const fields = Object.entries({ ...record, write: 1_000 })
  const state = {
    collection: 'records',
    id: '00000000-0000-7000-8000-000000000000',
    home: null,
    life: 1,
    deleted: undefined,
    fields: new Map(fields.map(([name, value]) => [name, { value, stamp }])),
  }
  const item = encodeItem({ kind: 'record', tag: new Uint8Array(16), state })
  const head = { caughtUp: true, upTo: 1, cursor: 1 }
  return encodeChanges(head, [item]).length + aroundMessageBytes
}

function negativeOf(latencies: readonly number[]): number {
  return latencies.filter((ms) => ms < 0).length
}

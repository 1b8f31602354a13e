/**
 * What group `sync` measures, how much of it, and what is promised.
 *
 * Invariant: a size is a parameter of its figure, so that figures of different sizes are never taken for one another.
 */
import type { Certificate } from '../../transports/certificate.ts'
import { Child } from '../process/child.ts'
import type { DeviceCalls, FleetCalls, LoadPlan, RawCalls } from './device-calls.ts'
import type { Target } from './headline-table.ts'
import type { GroupOptions } from './report.ts'
import type { ProxyCalls } from './sync-proxy.ts'

/** Each with what is measured on the way: `catch-up` is the memory of the server and the latencies too, `reconnect` bytes and ms. */
export const syncBenches = [
  'visible',
  'catch-up',
  'catch-up-bytes',
  'fan-out-100',
  'idle-client-memory',
  'reconnect',
  'repair-1-in-1e6',
] as const
export type SyncBench = (typeof syncBenches)[number]

export const syncTargets: readonly Target[] = [
  { bench: 'catch-up', wanted: 'least', value: 30_000 },
  { bench: 'catch-up-bytes', wanted: 'most', value: 900 },
  { bench: 'visible-p50', where: { via: 'supervisor' }, wanted: 'most', value: 2 },
  { bench: 'visible-p99', where: { via: 'supervisor' }, wanted: 'most', value: 10 },
  { bench: 'server-memory', wanted: 'most', value: 100 },
  { bench: 'reconnect-bytes', wanted: 'most', value: 1_024 },
  { bench: 'reconnect-ms', wanted: 'most', value: 50 },
  { bench: 'repair-1-in-1e6', where: { figure: 'trips' }, wanted: 'most', value: 6 },
  { bench: 'repair-1-in-1e6', where: { figure: 'bytes' }, wanted: 'most', value: 8_192 },
]

export interface SyncSizes {
  readonly rows: number
  readonly load: LoadPlan
  /** Of `reconnect` and `repair-1-in-1e6`. */
  readonly manyRows: number
  /** Of `fan-out-100` and the writes that all of them see. */
  readonly fanOut: number
  readonly writes: number
  readonly idle: number
  /** Milliseconds that follow an answer which was waited for: what comes later is counted too. */
  readonly restMs: number
}

export function syncSizes({ quick }: GroupOptions): SyncSizes {
  return quick
    ? {
        rows: 500,
        load: { updates: 50, perSecond: 100 },
        manyRows: 1_000,
        fanOut: 4,
        writes: 5,
        idle: 4,
        restMs: 100,
      }
    : {
        rows: 10_000,
        load: { updates: 2_000, perSecond: 100 },
        manyRows: 1_000_000,
        fanOut: 100,
        writes: 100,
        idle: 300,
        restMs: 2_000,
      }
}

export interface SyncRun extends GroupOptions {
  readonly sizes: SyncSizes
  readonly certificate: Certificate
}

export function startDevice({ stage }: GroupOptions, name: string): Child<DeviceCalls> {
  return new Child(stage, { name, module: './device', base: import.meta.url })
}

export function startFleet({ stage }: GroupOptions, name: string): Child<FleetCalls> {
  return new Child(stage, { name, module: './device-fleet', base: import.meta.url })
}

export function startRaw({ stage }: GroupOptions, name: string): Child<RawCalls> {
  return new Child(stage, { name, module: './raw-device', base: import.meta.url })
}

export function startProxy({ stage }: GroupOptions, name: string): Child<ProxyCalls> {
  return new Child(stage, { name, module: './sync-proxy', base: import.meta.url })
}

/** Of `tls://127.0.0.1:PORT`. */
export function portOf({ listen }: { readonly listen: string }): number {
  return Number(new URL(listen).port)
}

export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

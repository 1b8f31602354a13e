/** What group `channel` measures, how much of it, and what the issue of the transports promises. */
import type { Target } from './headline-table.ts'
import type { GroupOptions } from './report.ts'

export const channelBenches = [
  'rtt-p50',
  'stream-1KiB',
  'handshake',
  'handshake-rate',
  'idle-memory',
] as const
export type ChannelBench = (typeof channelBenches)[number]

export const channelTargets: readonly Target[] = [
  { bench: 'rtt-p50', where: { transport: 'uds' }, wanted: 'most', value: 3.5, of: 'raw' },
  { bench: 'rtt-p50', where: { transport: 'tls' }, wanted: 'most', value: 2.5, of: 'raw' },
  { bench: 'stream-1KiB', where: { transport: 'uds' }, wanted: 'least', value: 0.5, of: 'raw' },
  { bench: 'stream-1KiB', where: { transport: 'tls' }, wanted: 'least', value: 0.5, of: 'raw' },
  { bench: 'handshake', wanted: 'most', value: 5 },
  { bench: 'handshake-rate', wanted: 'least', value: 300 },
  { bench: 'idle-memory', wanted: 'most', value: 60_000 },
]

export interface ChannelSizes {
  readonly trips: number
  readonly messages: number
  readonly handshakes: number
  readonly connections: number
}

export function channelSizes({ quick }: GroupOptions): ChannelSizes {
  return quick
    ? { trips: 200, messages: 2_000, handshakes: 20, connections: 50 }
    : { trips: 10_000, messages: 200_000, handshakes: 500, connections: 1_000 }
}

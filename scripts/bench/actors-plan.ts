/**
 * What group `actors` measures: benches, their sizes, who takes part, and what the issue of this kernel promises.
 *
 * Invariant: every system of a case gets the same parameters, as one JSON object on its command line.
 */
import type { Target } from './headline-table.ts'
import type { Measure } from './report.ts'

export type ActorSystem = 'blazedb' | 'nact' | 'xstate' | 'bare ring' | 'erlang'

export type Params = Readonly<Record<string, number | string>>

/** One line of the report for each of its systems. */
export interface ActorCase {
  readonly bench: string
  readonly unit: Measure['unit']
  readonly params: Params
  readonly systems: readonly ActorSystem[]
}

export const targets: readonly Target[] = [
  { bench: 'ping-pong', wanted: 'least', value: 6_000_000 },
  { bench: 'ping-pong', wanted: 'least', value: 1, of: 'erlang' },
  { bench: 'ring-1000', wanted: 'least', value: 5_000_000 },
  { bench: 'ask', wanted: 'least', value: 1_000_000 },
  { bench: 'spawn-stop', wanted: 'least', value: 400_000 },
  { bench: 'skynet-1e6', wanted: 'most', value: 2.1 },
  { bench: 'skynet-1e6', wanted: 'most', value: 1, of: 'erlang' },
  { bench: 'idle-memory', wanted: 'most', value: 1_024 },
  { bench: 'machine-memory', wanted: 'most', value: 5_120 },
  { bench: 'machine-event', wanted: 'least', value: 0.8, of: 'xstate' },
  { bench: 'restart', wanted: 'most', value: 50 },
]

export function actorCases(quick: boolean): ActorCase[] {
  const size = (full: number, small: number): number => (quick ? small : full)
  const messages = size(2_000_000, 20_000)
  const common = ['blazedb', 'nact', 'erlang'] as const
  return [
    {
      bench: 'ping-pong',
      unit: 'msg/s',
      params: { messages },
      systems: ['blazedb', 'nact', 'xstate', 'bare ring', 'erlang'],
    },
    {
      bench: 'ring-1000',
      unit: 'msg/s',
      params: { actors: 1_000, hops: messages },
      systems: ['blazedb', 'nact', 'bare ring', 'erlang'],
    },
    {
      bench: 'ask',
      unit: 'asks/s',
      params: { asks: size(1_000_000, 10_000), inFlight: 1_000 },
      systems: common,
    },
    {
      bench: 'spawn-stop',
      unit: 'actors/s',
      params: { actors: size(500_000, 10_000), atOnce: 1_000 },
      systems: common,
    },
    { bench: 'skynet-1e6', unit: 's', params: { leaves: size(1_000_000, 10_000) }, systems: common },
    {
      bench: 'idle-memory',
      unit: 'bytes',
      params: { actors: size(100_000, 10_000) },
      systems: ['blazedb', 'nact', 'xstate', 'erlang'],
    },
    {
      bench: 'machine-memory',
      unit: 'bytes',
      params: { machines: size(10_000, 1_000), states: 3 },
      systems: ['blazedb', 'xstate'],
    },
    {
      bench: 'machine-event',
      unit: 'events/s',
      params: { events: size(1_000_000, 20_000) },
      systems: ['blazedb', 'xstate'],
    },
    {
      bench: 'restart',
      unit: 'us',
      params: { restarts: size(2_000, 100) },
      systems: ['blazedb', 'erlang'],
    },
    ...['never', 'gone'].map((listener): ActorCase => ({
      bench: 'tap-off',
      unit: 'msg/s',
      params: { listener, messages },
      systems: ['blazedb'],
    })),
  ]
}

/** In the order in which they run. */
export const actorBenches: readonly string[] = [...new Set(actorCases(true).map(({ bench }) => bench))]

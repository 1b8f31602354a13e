/**
 * Group `channel`: the secure channel between two processes, beside sockets that carry the same number of bytes in the same writes.
 *
 * Invariant: a round has fresh processes; systems take turns; what did not come back whole fails the run. `handshake` and its rate are from
 * the dial over TLS until the channel is open, the rate by what the server's process needs of one core; `raw` there is TLS alone.
 */
import { Child } from '../process/child.ts'
import { channelSystems, channelTransports } from './channel-calls.ts'
import type {
  ChannelClientCalls,
  ChannelPlace,
  ChannelServerCalls,
  ChannelSystemName,
  ChannelTransport,
} from './channel-calls.ts'
import { channelBenches, channelSizes, channelTargets } from './channel-plan.ts'
import type { ChannelBench, ChannelSizes } from './channel-plan.ts'
import { printTable, sayTargets } from './headline-table.ts'
import { inTurn, median } from './report.ts'
import type { GroupOptions, Headline } from './report.ts'

const callMs = 300_000
const tripBytes = 64
const messageBytes = 1_024
/** Handshakes at once: enough to keep the server busy. */
const atOnce = 8
/** Handshakes before those that count. */
const warmHandshakes = 20

interface Round extends GroupOptions {
  readonly sizes: ChannelSizes
  readonly system: ChannelSystemName
  readonly round: number
}

interface Pair {
  readonly server: Child<ChannelServerCalls>
  readonly client: Child<ChannelClientCalls>
  readonly place: ChannelPlace
}

const benches: Readonly<Record<ChannelBench, (round: Round) => Promise<void>>> = {
  'rtt-p50': (round) => eachTransport(round, runTrips),
  'stream-1KiB': (round) => eachTransport(round, runStream),
  handshake: runHandshake,
  'handshake-rate': runHandshakeRate,
  'idle-memory': runIdleMemory,
}

export async function runChannelGroup(options: GroupOptions): Promise<void> {
  const { only, rounds, report } = options
  const sizes = channelSizes(options)
  const headlines: Headline[] = []
  for (const bench of channelBenches) {
    if (only !== undefined && only !== bench) continue
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`channel: ${bench}, round ${round} of ${rounds}\n`)
      for (const system of inTurn(channelSystems, round))
        await benches[bench]({ ...options, sizes, system, round })
    }
    headlines.push(...report.headlines())
  }
  printTable(headlines, [])
  sayTargets(channelTargets, headlines)
}

async function eachTransport(
  round: Round,
  run: (round: Round, transport: ChannelTransport) => Promise<void>,
): Promise<void> {
  for (const transport of channelTransports) await run(round, transport)
}

async function withPair(
  { stage, system, round }: Round,
  transport: ChannelTransport,
  work: (pair: Pair) => Promise<void>,
): Promise<void> {
  const start = (role: string): { name: string; module: string; base: string } => ({
    name: `${system} ${role} over ${transport}, round ${round}`,
    module: './channel-process',
    base: import.meta.url,
  })
  const server = new Child<ChannelServerCalls>(stage, start('server'))
  const client = new Child<ChannelClientCalls>(stage, start('client'))
  try {
    const directory = stage.makeDirectory(`channel-${server.pid}`)
    const place = await server.call('listen', { system, transport, directory }, { timeoutMs: callMs })
    await work({ server, client, place })
  } finally {
    await client.stop()
    await server.stop()
  }
}

function runTrips(round: Round, transport: ChannelTransport): Promise<void> {
  const { report, system, sizes } = round
  return withPair(round, transport, async ({ client, place }) => {
    await client.call('connect', { system, place }, { timeoutMs: callMs })
    const us = await client.call('trips', { count: sizes.trips, bytes: tripBytes }, { timeoutMs: callMs })
    if (us.length !== sizes.trips) throw new Error(`${us.length} of ${sizes.trips} round trips`)
    report.round({ bench: 'rtt-p50', system, unit: 'us', params: { transport } }, median(us))
  })
}

function runStream(round: Round, transport: ChannelTransport): Promise<void> {
  const { report, system, sizes } = round
  const { messages } = sizes
  return withPair(round, transport, async ({ client, place }) => {
    await client.call('connect', { system, place }, { timeoutMs: callMs })
    const { ms } = await client.call('stream', { messages, bytes: messageBytes }, { timeoutMs: callMs })
    const perSecond = messages / (ms / 1_000)
    report.round({ bench: 'stream-1KiB', system, unit: 'msg/s', params: { transport } }, perSecond)
  })
}

function runHandshake(round: Round): Promise<void> {
  const { report, system, sizes } = round
  return withPair(round, 'tls', async ({ client, place }) => {
    const body = { system, place, atOnce: 1 }
    await client.call('handshakes', { ...body, count: warmHandshakes }, { timeoutMs: callMs })
    const ms = await client.call('handshakes', { ...body, count: sizes.handshakes }, { timeoutMs: callMs })
    report.round({ bench: 'handshake', system, unit: 'ms', params: {} }, median(ms))
  })
}

function runHandshakeRate(round: Round): Promise<void> {
  const { report, system, sizes } = round
  return withPair(round, 'tls', async ({ server, client, place }) => {
    const body = { system, place, atOnce }
    await client.call('handshakes', { ...body, count: warmHandshakes * atOnce }, { timeoutMs: callMs })
    const before = await server.call('cpu', null, { timeoutMs: callMs })
    const startMs = performance.now()
    const ms = await client.call('handshakes', { ...body, count: sizes.handshakes }, { timeoutMs: callMs })
    const seconds = (performance.now() - startMs) / 1_000
    const cpuSeconds = ((await server.call('cpu', null, { timeoutMs: callMs })) - before) / 1_000_000
    const more = { wallPerSecond: Math.round(ms.length / seconds) }
    report.round(
      { bench: 'handshake-rate', system, unit: 'handshakes/s', params: {} },
      ms.length / cpuSeconds,
      more,
    )
  })
}

function runIdleMemory(round: Round): Promise<void> {
  const { report, system, sizes } = round
  const { connections } = sizes
  return withPair(round, 'tls', async ({ server, client, place }) => {
    // What the first connections load is not what each costs.
    await client.call('hold', { system, place, count: 20 }, { timeoutMs: callMs })
    const before = await server.call('memory', null, { timeoutMs: callMs })
    await client.call('hold', { system, place, count: connections }, { timeoutMs: callMs })
    const after = await server.call('memory', null, { timeoutMs: callMs })
    const params = { connections }
    report.round({ bench: 'idle-memory', system, unit: 'bytes', params }, (after - before) / connections)
  })
}

/**
 * Group `topology`: an app that shares its database and its guests, in processes of their own, beside Unix sockets and classic-level
 * that move and store the same number of bytes.
 *
 * Invariant: a round has fresh processes and empty directories; systems take turns; what was not seen fails the run. A latency from a
 * commit is the difference of two readings of the machine's clock; one that is below zero stays as it is, and is counted.
 */
import { join } from 'node:path'
import { Child } from '../process/child.ts'
import type { LoadPlan } from './device-calls.ts'
import type { NeighbourCalls, RawNeighbourCalls } from './neighbour-calls.ts'
import type { GroupOptions } from './report.ts'
import { bytesOnTheWay, differences, memoryOf, TopologyReport } from './topology-report.ts'

const callMs = 180_000
const system = {
  ours: 'blazedb',
  echo: 'raw uds echo',
  putAndEcho: 'raw classic-level + uds echo',
  mirror: 'raw uds + classic-level',
  fanOut: 'raw uds',
} as const

interface Plan {
  /** Records that are there before a load begins. */
  readonly settled: number
  readonly load: LoadPlan
  readonly mirrorRows: number
  readonly guests: { readonly processes: number; readonly each: number; readonly load: LoadPlan }
}

interface Round extends GroupOptions {
  readonly plan: Plan
  readonly figures: TopologyReport
  readonly directory: string
  readonly round: number
  /** Of one record on its way to a guest. */
  readonly rowBytes: number
}

export async function runTopologyGroup(options: GroupOptions): Promise<void> {
  const { quick, rounds, report, stage, seed } = options
  const plan: Plan = quick
    ? {
        settled: 100,
        load: { updates: 100, perSecond: 100 },
        mirrorRows: 1_000,
        guests: { processes: 2, each: 3, load: { updates: 20, perSecond: 20 } },
      }
    : {
        settled: 1_000,
        load: { updates: 2_000, perSecond: 100 },
        mirrorRows: 100_000,
        guests: { processes: 5, each: 10, load: { updates: 200, perSecond: 20 } },
      }
  const rowBytes = bytesOnTheWay(seed)
  const figures = new TopologyReport(report)
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`topology: round ${round} of ${rounds}\n`)
    const directory = stage.makeDirectory(`topology-${round}`)
    const at: Round = { ...options, plan, figures, directory, round, rowBytes }
    await runVisible(at)
    await runRawEcho(at)
    await runMirror(at)
    await runRawMirror(at)
    await runGuests(at)
    await runRawFanOut(at)
  }
  report.headlines()
}

/** One writer, one guest: each insert from its commit, and from its call, until the guest's callback. */
async function runVisible(round: Round): Promise<void> {
  const { plan, seed, figures } = round
  const { host, group } = await startHost(round, 'visible', plan.settled)
  const guest = startNeighbour(round, 'guest')
  try {
    await connect(guest, { group, guests: 1, rows: plan.settled })
    await guest.call('watch', null, { timeoutMs: callMs })
    const seen = guest.call('seen', { updates: plan.load.updates }, { timeoutMs: callMs })
    // Reported by the await below.
    seen.catch(() => undefined)
    const written = await host.call('insert', { seed: seed + 1, ...plan.load }, { timeoutMs: callMs })
    const [seenMs = []] = await seen
    figures.visible(system.ours, differences(seenMs, written.committedMs))
    figures.visibleTotal(system.ours, differences(seenMs, written.startMs))
  } finally {
    await Promise.all([guest.stop(), host.stop()])
  }
}

async function runRawEcho(round: Round): Promise<void> {
  const { plan, directory, rowBytes, figures } = round
  const host = startRaw(round, 'raw host')
  const guest = startRaw(round, 'raw guest')
  const path = join(directory, 'echo.sock')
  try {
    const store = join(directory, 'raw-echo')
    await guest.call('listen', { at: store, path, rows: 0, rowBytes }, { timeoutMs: callMs })
    const trips = await host.call('echo', { path, rowBytes, ...plan.load }, { timeoutMs: callMs })
    figures.visibleEcho(system.echo, trips)
    const put = { at: join(directory, 'raw-put'), path, rowBytes, ...plan.load }
    figures.visibleTotal(system.putAndEcho, await host.call('putAndEcho', put, { timeoutMs: callMs }))
  } finally {
    await Promise.all([host.stop(), guest.stop()])
  }
}

async function runMirror(round: Round): Promise<void> {
  const { plan, figures } = round
  const rows = plan.mirrorRows
  const { host, group } = await startHost(round, 'mirror', rows)
  const guest = startNeighbour(round, 'guest')
  try {
    const [ms = Number.NaN] = await connect(guest, { group, guests: 1, rows })
    const [theirs, ours] = [
      await host.call('fingerprint', null, { timeoutMs: callMs }),
      await guest.call('fingerprint', null, { timeoutMs: callMs }),
    ]
    if (theirs !== ours) throw new Error('the guest does not hold the values of the host')
    figures.mirror(system.ours, rows, ms)
  } finally {
    await Promise.all([guest.stop(), host.stop()])
  }
}

async function runRawMirror(round: Round): Promise<void> {
  const { plan, directory, rowBytes, figures } = round
  const rows = plan.mirrorRows
  const host = startRaw(round, 'raw host')
  const guest = startRaw(round, 'raw guest')
  const path = join(directory, 'rows.sock')
  try {
    const source = join(directory, 'raw-mirror-host')
    await host.call('listen', { at: source, path, rows, rowBytes }, { timeoutMs: callMs })
    const at = join(directory, 'raw-mirror-guest')
    const { ms } = await guest.call('take', { at, path, rows }, { timeoutMs: callMs })
    figures.mirror(system.mirror, rows, ms)
  } finally {
    await Promise.all([guest.stop(), host.stop()])
  }
}

/** Many guests of one host. Each sight of a write by a guest is one sample. */
async function runGuests(round: Round): Promise<void> {
  const { plan, seed, figures } = round
  const { processes, each, load } = plan.guests
  const { host, group } = await startHost(round, 'guests', plan.settled)
  const before = memoryOf(host)
  const apps = Array.from({ length: processes }, (_, n) => startNeighbour(round, `app ${n + 1}`))
  try {
    for (const app of apps) await connect(app, { group, guests: each, rows: plan.settled })
    await Promise.all(apps.map((app) => app.call('watch', null, { timeoutMs: callMs })))
    const seen = apps.map((app) => app.call('seen', { updates: load.updates }, { timeoutMs: callMs }))
    for (const sight of seen) sight.catch(() => undefined)
    const written = await host.call('insert', { seed: seed + 2, ...load }, { timeoutMs: callMs })
    const byGuest = (await Promise.all(seen)).flat()
    const latencies = byGuest.flatMap((seenMs) => differences(seenMs, written.committedMs))
    const guests = byGuest.length
    figures.guests(system.ours, { guests, latencies, before, after: memoryOf(host) })
  } finally {
    await Promise.all([...apps, host].map((process) => process.stop()))
  }
}

async function runRawFanOut(round: Round): Promise<void> {
  const { plan, directory, rowBytes, figures } = round
  const { processes, each, load } = plan.guests
  const host = startRaw(round, 'raw host')
  const apps = Array.from({ length: processes }, (_, n) => startRaw(round, `raw app ${n + 1}`))
  const path = join(directory, 'fan-out.sock')
  try {
    const store = join(directory, 'raw-fan-out')
    await host.call('listen', { at: store, path, rows: 0, rowBytes }, { timeoutMs: callMs })
    const before = memoryOf(host)
    for (const app of apps) await app.call('follow', { path, links: each }, { timeoutMs: callMs })
    const seen = apps.map((app) => app.call('seen', { updates: load.updates }, { timeoutMs: callMs }))
    for (const sight of seen) sight.catch(() => undefined)
    const links = processes * each
    const sentMs = await host.call('send', { rowBytes, links, ...load }, { timeoutMs: callMs })
    const byLink = (await Promise.all(seen)).flat()
    const latencies = byLink.flatMap((seenMs) => differences(seenMs, sentMs))
    figures.guests(system.fanOut, { guests: links, latencies, before, after: memoryOf(host) })
  } finally {
    await Promise.all([...apps, host].map((process) => process.stop()))
  }
}

async function startHost(
  round: Round,
  name: string,
  rows: number,
): Promise<{ host: Child<NeighbourCalls>; group: string }> {
  const host = startNeighbour(round, `host of ${name}`)
  const group = join(round.directory, `${name}-group`)
  try {
    const at = join(round.directory, `${name}-host`)
    await host.call('host', { at, group, rows, seed: round.seed }, { timeoutMs: callMs })
    return { host, group }
  } catch (error) {
    await host.stop()
    throw error
  }
}

async function connect(
  child: Child<NeighbourCalls>,
  body: { group: string; guests: number; rows: number },
): Promise<number[]> {
  return (await child.call('connect', body, { timeoutMs: callMs })).ms
}

function startNeighbour({ stage, round }: Round, name: string): Child<NeighbourCalls> {
  const base = import.meta.url
  return new Child(stage, { name: `${name} of round ${round}`, module: './neighbour', base })
}

function startRaw({ stage, round }: Round, name: string): Child<RawNeighbourCalls> {
  const base = import.meta.url
  return new Child(stage, { name: `${name} of round ${round}`, module: './raw-neighbour', base })
}

/**
 * Group `sync`: devices and supervisor in processes of their own, sockets between them, beside TLS and classic-level that move and
 * store the same number of bytes.
 *
 * Invariant: a round has a fresh supervisor, fresh devices and empty directories; systems take turns; what was not seen fails the run.
 */
import { join } from 'node:path'
import { openLevelDirectory } from '../../actors/replica/disk/level-directory.ts'
import { rowsOf } from '../../actors/replica/row.ts'
import { createNodeEnv } from '../../runtime/index.ts'
import { createCertificate } from '../../transports/certificate.ts'
import { readMemory } from '../process/memory.ts'
import { startSupervisor } from '../process/supervisor-process.ts'
import type { SupervisorProcess } from '../process/supervisor-process.ts'
import { printTable, sayTargets } from './headline-table.ts'
import { openRawStore, putBatch } from './raw-store.ts'
import { percentile } from './report.ts'
import type { GroupOptions, Measure } from './report.ts'
import { runFleet } from './sync-fleet.ts'
import { runMany } from './sync-many.ts'
import { portOf, rest, startDevice, startProxy, startRaw, syncSizes, syncTargets } from './sync-plan.ts'
import type { SyncBench, SyncRun } from './sync-plan.ts'

const callMs = 120_000
/** Above every plan. */
const rowsMax = 1_000_000
const mebibyte = 1024 * 1024
/** Directory of a database's store below that of the database. */
const storeName = 'store'
const rawOverTls = 'raw tls + classic-level'

interface Round extends SyncRun {
  readonly directory: string
  readonly round: number
}

export async function runSyncGroup(options: GroupOptions): Promise<void> {
  const { only, report } = options
  const certificate = await createCertificate(createNodeEnv())
  const run: SyncRun = { ...options, sizes: syncSizes(options), certificate }
  const wanted = (...benches: SyncBench[]): SyncBench[] =>
    benches.filter((bench) => only === undefined || only === bench)
  const [small, fleet, many] = [
    wanted('visible', 'catch-up', 'catch-up-bytes'),
    wanted('fan-out-100', 'idle-client-memory'),
    wanted('reconnect', 'repair-1-in-1e6'),
  ]
  if (small.length > 0) await runRounds(run, small)
  if (fleet.length > 0) await runFleet(run, fleet)
  if (many.length > 0) await runMany(run, many)
  const headlines = report.headlines()
  printTable(headlines, [])
  sayTargets(syncTargets, headlines)
}

async function runRounds(run: SyncRun, benches: readonly SyncBench[]): Promise<void> {
  const { rounds, stage } = run
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`${benches.join(', ')}: round ${round} of ${rounds}\n`)
    const directory = stage.makeDirectory(`sync-${round}`)
    const at: Round = { ...run, directory, round }
    if (benches.includes('visible')) await runInMemory(at)
    if (benches.includes('visible') || benches.includes('catch-up'))
      await runRawOverTls(at, await runThroughSupervisor(at))
    if (benches.includes('catch-up-bytes')) await runCatchUpBytes(at)
  }
}

async function runInMemory(round: Round): Promise<void> {
  const { sizes, directory, seed } = round
  const device = startDevice(round, 'device')
  const raw = startRaw(round, 'raw device')
  try {
    const at = join(directory, 'memory')
    const ours = await device.call('updateInMemory', { at, seed, ...sizes.load }, { timeoutMs: callMs })
    reportVisible(round, { system: 'blazedb', via: 'memory' }, ours)
    const rowBytes = await copyEnvelopes(join(at, 'from', storeName), join(directory, 'raw-sample'))
    const twice = { at: join(directory, 'raw-memory'), rowBytes, ...sizes.load }
    const theirs = await raw.call('putTwice', twice, { timeoutMs: callMs })
    reportVisible(round, { system: 'raw classic-level', via: 'memory' }, theirs)
  } finally {
    await Promise.all([device.stop(), raw.stop()])
  }
}

/** Catch-up, memory, then live updates. Resolves with the bytes of an envelope, on average. */
async function runThroughSupervisor(round: Round): Promise<number> {
  const { stage, report, sizes, directory, seed } = round
  const supervisor = await startSupervisor(stage, join(directory, 'supervisor'))
  const a = startDevice(round, 'device A')
  const b = startDevice(round, 'device B')
  try {
    const { rows, load } = sizes
    const place = join(directory, 'a')
    const code = supervisor.enrolment ?? ''
    const host = { at: place, rows, seed, code, name: 'bench', port: portOf(supervisor) }
    await a.call('host', host, { timeoutMs: callMs })
    const invite = await a.call('invite', null, { timeoutMs: callMs })
    const { ms } = await b.call('join', { at: join(directory, 'b'), invite, rows }, { timeoutMs: callMs })
    report.round(catchUp('blazedb', rows), (rows / ms) * 1000)
    reportMemory(round, 'blazedb', supervisor)

    await b.call('watch', null, { timeoutMs: callMs })
    const seen = b.call('seen', { updates: load.updates }, { timeoutMs: callMs })
    // Reported by the await below.
    seen.catch(() => undefined)
    await a.call('update', load, { timeoutMs: callMs })
    reportVisible(round, { system: 'blazedb', via: 'supervisor' }, await seen)
    await b.call('close', null, { timeoutMs: callMs })
    await a.call('close', null, { timeoutMs: callMs })
    return await copyEnvelopes(join(place, storeName), join(directory, 'raw-relay'))
  } finally {
    await Promise.all([a.stop(), b.stop()])
    await supervisor.stop()
  }
}

/** One sender with the same envelopes in a store, one receiver that stores them; then rows that are stored, echoed, counted. */
async function runRawOverTls(round: Round, rowBytes: number): Promise<void> {
  const { report, sizes, directory, certificate } = round
  const relay = startRaw(round, 'raw relay')
  const device = startRaw(round, 'raw device')
  try {
    const { rows, load } = sizes
    const port = await relay.call(
      'listen',
      { at: join(directory, 'raw-relay'), ...certificate },
      { timeoutMs: callMs },
    )
    const at = join(directory, 'raw-device')
    const { ms } = await device.call('take', { at, port, rows }, { timeoutMs: callMs })
    report.round(catchUp(rawOverTls, rows), (rows / ms) * 1000)
    reportMemory(round, rawOverTls, relay)
    const echo = { at: join(directory, 'raw-echo'), port, rowBytes, ...load }
    const latencies = await device.call('echo', echo, { timeoutMs: callMs })
    reportVisible(round, { system: rawOverTls, via: 'supervisor' }, latencies)
  } finally {
    await Promise.all([relay.stop(), device.stop()])
  }
}

/** Both hops, both ways, all bytes of TCP: joining, the team and acknowledgements too. The raw limit sends the rows twice. */
async function runCatchUpBytes(round: Round): Promise<void> {
  const { stage, report, sizes, directory, seed, certificate } = round
  const { rows } = sizes
  const supervisor = await startSupervisor(stage, join(directory, 'counted-supervisor'))
  const [a, b] = [startDevice(round, 'counted A'), startDevice(round, 'counted B')]
  const [relay, device] = [startRaw(round, 'counted relay'), startRaw(round, 'counted raw device')]
  const proxy = startProxy(round, 'counting proxy')
  try {
    const port = await proxy.call('open', { port: portOf(supervisor) }, { timeoutMs: callMs })
    const place = join(directory, 'counted-a')
    const host = { at: place, rows, seed, code: supervisor.enrolment ?? '', name: 'bench', port }
    await a.call('host', host, { timeoutMs: callMs })
    const invite = await a.call('invite', null, { timeoutMs: callMs })
    await b.call('join', { at: join(directory, 'counted-b'), invite, rows }, { timeoutMs: callMs })
    await rest(sizes.restMs)
    const ours = await proxy.call('passed', null, { timeoutMs: callMs })
    await Promise.all([
      a.call('close', null, { timeoutMs: callMs }),
      b.call('close', null, { timeoutMs: callMs }),
    ])
    const at = join(directory, 'counted-relay')
    await copyEnvelopes(join(place, storeName), at)
    await proxy.call(
      'lead',
      { port: await relay.call('listen', { at, ...certificate }, { timeoutMs: callMs }) },
      { timeoutMs: callMs },
    )
    await proxy.call('begin', null, { timeoutMs: callMs })
    await device.call('take', { at: join(directory, 'counted-raw'), port, rows }, { timeoutMs: callMs })
    const theirs = await proxy.call('passed', null, { timeoutMs: callMs })
    for (const [system, { upBytes, downBytes }, hops] of [
      ['blazedb', ours, 1],
      [rawOverTls, theirs, 2],
    ] as const) {
      const measure = { bench: 'catch-up-bytes', system, unit: 'bytes', params: { rows } } as const
      report.round(measure, (hops * (upBytes + downBytes)) / rows)
    }
  } finally {
    await Promise.all([a, b, relay, device].map((child) => child.stop()))
    await proxy.stop()
    await supervisor.stop()
  }
}

function catchUp(system: string, rows: number): Measure {
  return { bench: 'catch-up', system, unit: 'records/s', params: { rows } }
}

function reportVisible(
  { report, sizes }: Round,
  { system, via }: { system: string; via: 'memory' | 'supervisor' },
  latencies: readonly number[],
): void {
  if (latencies.length !== sizes.load.updates)
    throw new Error(`${latencies.length} of ${sizes.load.updates} updates`)
  const more = { samples: latencies.length, perSecond: sizes.load.perSecond }
  const at = (share: number): number => percentile(latencies, share)
  report.round({ bench: 'visible-p50', system, unit: 'ms', params: { via } }, at(0.5), more)
  report.round({ bench: 'visible-p99', system, unit: 'ms', params: { via } }, at(0.99), more)
}

function reportMemory(round: Round, system: string, process: Pick<SupervisorProcess, 'pid'>): void {
  const memory = readMemory(process.pid)
  if (memory === undefined) throw new Error(`no memory figure of process ${process.pid}`)
  const { rssBytes, peakBytes } = memory
  const params = { rows: round.sizes.rows }
  const more = peakBytes === undefined ? {} : { peak: Math.round(peakBytes / mebibyte) }
  round.report.round({ bench: 'server-memory', system, unit: 'MiB', params }, rssBytes / mebibyte, more)
}

/** The raw relay moves what the supervisor moved: the rows that hold the envelopes. Resolves with their average length. */
async function copyEnvelopes(from: string, to: string): Promise<number> {
  const source = await openLevelDirectory(from)
  const target = await openRawStore(to)
  try {
    const found = await source.range({ ...rowsOf('t'), limit: rowsMax })
    const rows = found.map(([key, value]) => ({ key, value }))
    await putBatch(target, rows)
    const bytes = rows.reduce((sum, { value }) => sum + value.length, 0)
    return Math.round(bytes / Math.max(1, rows.length))
  } finally {
    await target.close()
    await source.close()
  }
}

/**
 * The demo, step by step. Each step does its work, measures it, checks it, and says one line.
 *
 * Invariant: a line is said only after what it claims was read back; every wait is bounded; what is opened belongs to the stage.
 */
import { BlazeDBClient, RemoteNode, SyncPolicy } from '../../actors/index.ts'
import type { Collection } from '../../actors/index.ts'
import { machineMs, openLoop } from '../bench/load.ts'
import { percentile } from '../bench/report.ts'
import { Child } from '../process/child.ts'
import { readMemory } from '../process/memory.ts'
import { beginStep } from '../process/progress-step.ts'
import type { Stage } from '../process/stage.ts'
import { collectionName, databaseName, password, syncMs, withheldField } from './agreement.ts'
import { readCities } from './city.ts'
import type { DashboardCalls } from './dashboard-calls.ts'
import type { DeviceCalls, Edit } from './device-calls.ts'
import { fingerprint } from './fingerprint.ts'
import { showDashboard } from './next-door.ts'
import type { DashboardResult } from './next-door.ts'
import type { DemoSupervisor } from './supervisor.ts'
import { describe, round, transferOf } from './transfer.ts'
import type { Transfer } from './transfer.ts'

const batch = 500
/** scrypt with N = 2^17 and r = 8. */
const derivationMiB = 128
const load = { updates: 100, perSecond: 50 } as const
/** Milliseconds between two looks at how far an upload is. */
const lookMs = 100

export interface ShowOptions {
  readonly stage: Stage
  readonly supervisor: DemoSupervisor
  /** A line for people. */
  readonly say: (label: string, text: string) => void
  readonly rows: number
  /** Name of the database on the supervisor, which no other run has. */
  readonly database: string
}

export interface DemoResult {
  readonly database: string
  readonly import: Transfer
  readonly dashboard: DashboardResult
  readonly upload: Transfer
  readonly join: Transfer
  readonly edits: { readonly deviceA: number; readonly deviceB: number; readonly same: number }
  /** From the call of a write in the app until the second device, or the dashboard, shows it. */
  readonly latency: { readonly updates: number; readonly device: Latency; readonly dashboard: Latency }
  readonly peakMiB: {
    readonly app: number
    readonly dashboard: number
    readonly device: number
    readonly supervisor: number | null
  }
}

interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** The processes that the demo shows, after they have started. */
interface Cast {
  readonly app: BlazeDBClient
  readonly dashboard: Child<DashboardCalls>
  readonly device: Child<DeviceCalls>
}

export async function runShow(options: ShowOptions): Promise<DemoResult> {
  const { stage, say } = options
  const app = await BlazeDBClient.open({ name: databaseName, at: stage.makeDirectory('app'), password })
  stage.own('app', () => app.close())
  const imported = await importCities(options, app.collection(collectionName))
  const { dashboard, result: mirrored } = await showDashboard(options, app)
  const upload = await uploadAll(options, app)
  const base = import.meta.url
  const device = new Child<DeviceCalls>(stage, { name: 'second device', module: './device', base })
  const cast: Cast = { app, dashboard, device }
  const joined = await joinDevice(options, cast)
  const edits = await editBoth(options, cast)
  const latency = await measureLatency(options, cast)
  const peakMiB = await readPeaks(options, cast)

  await device.call('close', null, { timeoutMs: syncMs })
  await dashboard.call('close', null, { timeoutMs: syncMs })
  if (options.supervisor.kind === 'running')
    say('left behind', `the sealed database ${options.database} on the supervisor`)
  return {
    database: options.database,
    import: imported,
    dashboard: mirrored,
    upload,
    join: joined,
    edits,
    latency,
    peakMiB,
  }
}

async function importCities({ say, rows }: ShowOptions, cities: Collection): Promise<Transfer> {
  const docs = readCities(rows)
  const step = beginStep('importing', docs.length)
  const startMs = machineMs()
  for (let at = 0; at < docs.length; at += batch) {
    await cities.insertMany(docs.slice(at, at + batch), { timeoutMs: syncMs })
    step.at(at + batch)
  }
  const ms = machineMs() - startMs
  step.end()
  await expectCount('import', cities, docs.length)
  const transfer = transferOf(docs.length, ms)
  say('import', `${describe(transfer)}, sealed, signed and on the disk`)
  return transfer
}

async function uploadAll(options: ShowOptions, app: BlazeDBClient): Promise<Transfer> {
  const { say, supervisor, database } = options
  const { records } = app.status()
  const step = beginStep('syncing to the supervisor', records)
  const startMs = machineMs()
  const sync = await app.enableSync({
    remote: RemoteNode.parse(supervisor.code),
    database,
    policy: new SyncPolicy({ encryption: 'e2eOnly' }),
  })
  const look = setInterval(() => step.at(records - sync.status().lag), lookMs)
  try {
    await sync.caughtUp({ timeoutMs: syncMs })
  } finally {
    clearInterval(look)
  }
  const ms = machineMs() - startMs
  step.end()
  const transfer = transferOf(records, ms)
  say('upload', `${describe(transfer)} to the supervisor, which cannot read them`)
  return transfer
}

async function joinDevice({ say, stage }: ShowOptions, { app, device }: Cast): Promise<Transfer> {
  const { records } = app.status()
  const invite = await app.invite({ role: 'writer' })
  const at = stage.makeDirectory('device')
  const step = beginStep('second device catches up', records)
  const joined = await device.call(
    'join',
    { at, invite },
    { timeoutMs: syncMs, progress: (count) => step.at(count) },
  )
  step.end()
  if (joined.records !== records)
    throw new Error(`the second device has ${joined.records} of ${records} records`)
  await expectAgreement(app.collection(collectionName), device)
  const transfer = transferOf(records, joined.ms)
  say('second device', `${describe(transfer)} in another process, field for field equal`)
  return transfer
}

/** Both sides edit at the same time: records of their own, the same records in other fields, and the same fields. */
async function editBoth({ say }: ShowOptions, cast: Cast): Promise<DemoResult['edits']> {
  const { app, dashboard, device } = cast
  const cities = app.collection(collectionName)
  const docs = await cities.query().limit(100).all({ timeoutMs: syncMs })
  const ids = docs.map(({ id }) => id)
  const share = Math.floor(ids.length / 4)
  const [onlyA, onlyB, otherField, sameField] = [0, 1, 2, 3].map((n) => ids.slice(n * share, (n + 1) * share))
  const editsA = editsOf(
    [onlyA, { visited: 'by A' }],
    [otherField, { rating: 5 }],
    [sameField, { note: 'A' }],
  )
  const editsB = editsOf([onlyB, { visited: 'by B' }], [otherField, { price: 9 }], [sameField, { note: 'B' }])
  const step = beginStep('both devices edit', 1)
  await Promise.all([
    Promise.all(editsA.map(({ id, patch }) => cities.update(id, patch, { timeoutMs: syncMs }))),
    device.call('edit', editsB, { timeoutMs: syncMs }),
  ])
  await app.sync?.caughtUp({ timeoutMs: syncMs })
  await expectAgreement(cities, device)
  const shown = await dashboard.call('fingerprint', null, { timeoutMs: syncMs })
  if (shown !== (await fingerprint(cities, withheldField)))
    throw new Error('the dashboard does not show the same records')
  for (const id of otherField ?? []) {
    const doc = await cities.get(id)
    if (doc?.rating !== 5 || doc.price !== 9) throw new Error(`an edit of record ${id} was lost`)
  }
  step.end()
  const same = share * 2
  say(
    'edits',
    `${editsA.length} records by A, ${editsB.length} by B at the same time, ${same} of them the same; A, B and dashboard agree`,
  )
  return { deviceA: editsA.length, deviceB: editsB.length, same }
}

function editsOf(...groups: readonly [ids: readonly string[] | undefined, patch: Edit['patch']][]): Edit[] {
  return groups.flatMap(([ids = [], patch]) => ids.map((id) => ({ id, patch })))
}

async function measureLatency({ say }: ShowOptions, cast: Cast): Promise<DemoResult['latency']> {
  const { app, dashboard, device } = cast
  const cities = app.collection(collectionName)
  const step = beginStep('one update after the other', load.updates)
  const probe = 'latency'
  const wait = { timeoutMs: syncMs }
  // One record each, so that no update is merged with the one before.
  await Promise.all([
    device.call('follow', { probeId: probe }, wait),
    dashboard.call('follow', { probeId: probe }, wait),
  ])
  const seen = Promise.all([device.call('seen', load, wait), dashboard.call('seen', load, wait)])
  // Reported by the await below.
  seen.catch(() => undefined)
  await openLoop(load, async (n, sentMs) => {
    await cities.insert({ probe, n, sentMs }, wait)
    step.at(n + 1)
  })
  const [byDevice, byDashboard] = (await seen).map((latencies) => latencyOf(latencies))
  step.end()
  if (byDevice === undefined || byDashboard === undefined) throw new Error('no latencies')
  const { updates, perSecond } = load
  const words = ({ p50Ms, p99Ms }: Latency): string => `p50 ${p50Ms} ms, p99 ${p99Ms} ms`
  say(
    'latency',
    `${updates} writes, ${perSecond} a second, from the call in A until the dashboard shows them:`,
  )
  say('', `${words(byDashboard)}; until B does, through the supervisor: ${words(byDevice)}`)
  return { updates, device: byDevice, dashboard: byDashboard }
}

function latencyOf(latencies: readonly number[]): Latency {
  return { p50Ms: round(percentile(latencies, 0.5), 2), p99Ms: round(percentile(latencies, 0.99), 2) }
}

async function readPeaks(
  { supervisor, say }: ShowOptions,
  { dashboard, device }: Cast,
): Promise<DemoResult['peakMiB']> {
  const app = mebibytes(process.resourceUsage().maxRSS * 1024)
  const nextDoor = mebibytes(await dashboard.call('peak', null, { timeoutMs: syncMs }))
  const second = mebibytes(await device.call('peak', null, { timeoutMs: syncMs }))
  const memory = readMemory(supervisor.pid)
  const relay = memory === undefined ? null : mebibytes(memory.peakBytes ?? memory.rssBytes)
  const since = supervisor.kind === 'running' ? ' since its start' : ''
  const theirs = relay === null ? 'unknown' : `${relay} MiB${since}`
  say(
    'peak memory',
    `app ${app} MiB, dashboard ${nextDoor} MiB, second device ${second} MiB, supervisor ${theirs}`,
  )
  say('', `(the key of a password takes ${derivationMiB} MiB to derive, once at each opening)`)
  return { app, dashboard: nextDoor, device: second, supervisor: relay }
}

async function expectCount(what: string, collection: Collection, expected: number): Promise<void> {
  const count = await collection.query().count({ timeoutMs: syncMs })
  if (count !== expected) throw new Error(`${what}: ${count} of ${expected} records are there`)
}

/** What each side held when it was asked is on the other by then, so a few looks are enough. */
async function expectAgreement(cities: Collection, device: Child<DeviceCalls>): Promise<void> {
  const deadlineMs = machineMs() + syncMs
  for (;;) {
    const theirs = await device.call('fingerprint', null, { timeoutMs: syncMs })
    if (theirs === (await fingerprint(cities))) return
    if (machineMs() > deadlineMs) throw new Error('the two devices do not hold the same records')
    await pause()
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, lookMs)
  })
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / (1024 * 1024))
}

/**
 * Many devices with one database: when all of them have a write, and what each costs the supervisor while nothing happens.
 *
 * Invariant: each is a TLS connection of its own with a store of its own; they share a few processes. A write counts when the last device
 * showed it, which it does after its store has it durably. Both systems go through a process that passes bytes on.
 */
import { join } from 'node:path'
import type { Child } from '../process/child.ts'
import { beginStep } from '../process/progress-step.ts'
import { startSupervisor } from '../process/supervisor-process.ts'
import type { SupervisorProcess } from '../process/supervisor-process.ts'
import type { DeviceCalls, FleetCalls, RawCalls } from './device-calls.ts'
import { percentile } from './report.ts'
import { portOf, rest, startDevice, startFleet, startProxy, startRaw } from './sync-plan.ts'
import type { SyncBench, SyncRun } from './sync-plan.ts'
import type { ProxyCalls } from './sync-proxy.ts'
import { memoryOf } from './topology-report.ts'

const callMs = 600_000
/** Processes that the devices share. */
const processes = 4
/** Records that each device has. */
const rows = 100
/** Bytes of an envelope with one changed record, about. */
const rowBytes = 600
const rawSystem = 'raw tls + classic-level'
const kibibyte = 1024

interface Fleet extends SyncRun {
  readonly directory: string
  readonly proxy: Child<ProxyCalls>
  readonly writer: Child<DeviceCalls>
  readonly fleets: readonly Child<FleetCalls>[]
  supervisor: SupervisorProcess
  joined: number
  /** Number of the next write. */
  next: number
}

interface RawFleet {
  readonly port: number
  readonly at: string
  readonly writer: Child<RawCalls>
  readonly followers: readonly Child<RawCalls>[]
}

export async function runFleet(run: SyncRun, benches: readonly SyncBench[]): Promise<void> {
  const { stage, sizes, seed } = run
  const directory = stage.makeDirectory('sync-fleet')
  const supervisor = await startSupervisor(stage, join(directory, 'supervisor'))
  const [proxy, writer] = [startProxy(run, 'proxy of the fleet'), startDevice(run, 'writer')]
  const fleets = Array.from({ length: processes }, (_, n) => startFleet(run, `fleet ${n + 1}`))
  const fleet: Fleet = { ...run, directory, proxy, writer, fleets, supervisor, joined: 0, next: 0 }
  try {
    const port = await proxy.call('open', { port: portOf(supervisor) }, { timeoutMs: callMs })
    const code = supervisor.enrolment ?? ''
    const host = { at: join(directory, 'writer'), rows, seed, code, name: 'bench', port }
    await writer.call('host', host, { timeoutMs: callMs })
    if (benches.includes('fan-out-100')) {
      await joinUpTo(fleet, sizes.fanOut)
      await fanOut(fleet)
    }
    if (benches.includes('idle-client-memory')) {
      await joinUpTo(fleet, sizes.idle)
      await idleMemory(fleet)
    }
  } finally {
    await Promise.all([...fleets, writer].map((child) => child.stop()))
    await proxy.stop()
    await fleet.supervisor.stop()
  }
}

/** As many as `count` in all, in the processes in turn. */
async function joinUpTo(fleet: Fleet, count: number): Promise<void> {
  const { writer, fleets, directory } = fleet
  const step = beginStep('devices that join', count)
  while (fleet.joined < count) {
    const n = fleet.joined % fleets.length
    const invite = await writer.call('invite', null, { timeoutMs: callMs })
    const at = join(directory, `fleet-${n}`)
    await fleets[n]?.call('join', { at, invites: [invite], records: rows }, { timeoutMs: callMs })
    fleet.joined += 1
    step.at(fleet.joined)
  }
  step.end()
}

async function fanOut(fleet: Fleet): Promise<void> {
  const { report, sizes, rounds, writer, fleets } = fleet
  for (const each of fleets) await each.call('watch', null, { timeoutMs: callMs })
  const raw = await startRawFleet(fleet, sizes.fanOut)
  try {
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`fan-out-100: round ${round} of ${rounds}\n`)
      const [ours, theirs]: [number[], number[]] = [[], []]
      for (let write = 0; write < sizes.writes; write += 1) {
        const n = fleet.next
        fleet.next += 1
        const startMs = await writer.call('updateOnce', { n }, { timeoutMs: callMs })
        ours.push(
          (await last(fleets.map((each) => each.call('seen', { n }, { timeoutMs: callMs })))) - startMs,
        )
        const post = { at: join(raw.at, 'writer'), port: raw.port, n, rowBytes }
        const postMs = await raw.writer.call('post', post, { timeoutMs: callMs })
        const stored = raw.followers.map((each) => each.call('followed', { n }, { timeoutMs: callMs }))
        theirs.push((await last(stored)) - postMs)
      }
      for (const [system, latencies] of [
        ['blazedb', ours],
        [rawSystem, theirs],
      ] as const) {
        const params = { clients: sizes.fanOut }
        const more = { samples: latencies.length, p99: Number(percentile(latencies, 0.99).toFixed(3)) }
        report.round({ bench: 'fan-out-100', system, unit: 'ms', params }, percentile(latencies, 0.5), more)
      }
    }
  } finally {
    await Promise.all([raw.writer, ...raw.followers].map((child) => child.stop()))
  }
}

async function startRawFleet(fleet: Fleet, links: number): Promise<RawFleet> {
  const { directory, certificate } = fleet
  const at = join(directory, 'raw')
  const relay = startRaw(fleet, 'raw relay')
  const proxy = startProxy(fleet, 'raw proxy')
  const listen = { at: join(at, 'relay'), ...certificate }
  const target = await relay.call('listen', listen, { timeoutMs: callMs })
  const port = await proxy.call('open', { port: target }, { timeoutMs: callMs })
  const followers = Array.from({ length: processes }, (_, n) => startRaw(fleet, `raw fleet ${n + 1}`))
  for (const [n, each] of followers.entries()) {
    const share = Math.floor((links + n) / processes)
    await each.call('follow', { at: join(at, String(n)), port, links: share }, { timeoutMs: callMs })
  }
  return { port, at, writer: startRaw(fleet, 'raw writer'), followers }
}

/** A supervisor without clients, and then with all of them, each caught up and at rest. */
async function idleMemory(fleet: Fleet): Promise<void> {
  const { stage, sizes, rounds, writer, fleets, proxy, directory } = fleet
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`idle-client-memory: round ${round} of ${rounds}\n`)
    await Promise.all(fleets.map((each) => each.call('pause', null, { timeoutMs: callMs })))
    await writer.call('pause', null, { timeoutMs: callMs })
    await fleet.supervisor.stop()
    fleet.supervisor = await startSupervisor(stage, join(directory, 'supervisor'))
    await proxy.call('lead', { port: portOf(fleet.supervisor) }, { timeoutMs: callMs })
    // What the first connection loads is not what each costs.
    await writer.call('resume', null, { timeoutMs: callMs })
    await rest(sizes.restMs)
    const before = memoryOf(fleet.supervisor)
    const resumed = fleets.map((each) => each.call('resume', null, { timeoutMs: callMs }))
    const count = (await Promise.all(resumed)).reduce((sum, each) => sum + each, 0)
    if (count !== fleet.joined) throw new Error(`${count} of ${fleet.joined} devices are caught up`)
    await rest(sizes.restMs)
    reportIdle(fleet, 'blazedb', memoryOf(fleet.supervisor) - before)
    await rawIdle(fleet, round)
  }
}

async function rawIdle(fleet: Fleet, round: number): Promise<void> {
  const { sizes, directory, certificate, joined } = fleet
  const relay = startRaw(fleet, 'raw relay')
  const clients = startRaw(fleet, 'raw clients')
  try {
    const at = join(directory, `idle-${round}`)
    const port = await relay.call('listen', { at: join(at, 'relay'), ...certificate }, { timeoutMs: callMs })
    await clients.call('bounce', { port, rowBytes }, { timeoutMs: callMs })
    const before = memoryOf(relay)
    await clients.call('follow', { at, port, links: joined }, { timeoutMs: callMs })
    await rest(sizes.restMs)
    reportIdle(fleet, 'raw tls', memoryOf(relay) - before)
  } finally {
    await Promise.all([clients.stop(), relay.stop()])
  }
}

/** Of so few clients that the collector of the process has gained more, it is below zero. */
function reportIdle({ report, joined }: Fleet, system: string, bytes: number): void {
  const measure = { bench: 'idle-client-memory', system, unit: 'KiB', params: { clients: joined } } as const
  report.round(measure, bytes / joined / kibibyte)
}

async function last(times: readonly Promise<number>[]): Promise<number> {
  return Math.max(...(await Promise.all(times)))
}

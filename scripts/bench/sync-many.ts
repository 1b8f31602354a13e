/**
 * A device with a million records that comes back: what it costs when nothing has changed, and when the supervisor lost one.
 *
 * Invariant: the million is made once and measured in every round; all bytes of TCP count, of TLS and of its handshake too, unless
 * `counted` is `above TLS`: then what a bare TLS connection passes before its first record is taken off. A process between the two counts,
 * also in what is timed, and the raw limit goes through it too.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from '../process/child.ts'
import { beginStep } from '../process/progress-step.ts'
import { startSupervisor } from '../process/supervisor-process.ts'
import type { SupervisorProcess } from '../process/supervisor-process.ts'
import type { DeviceCalls, RawCalls } from './device-calls.ts'
import { liveOf, loseRecord } from './sync-lost.ts'
import { portOf, rest, startDevice, startProxy, startRaw } from './sync-plan.ts'
import type { SyncBench, SyncRun } from './sync-plan.ts'
import type { Passed, ProxyCalls } from './sync-proxy.ts'

const callMs = 900_000
/** Of the row that the raw limit of a reconnection sends there and back. */
const bounceBytes = 1
/** Key, lengths, and what TLS puts around a record. */
const aroundRowBytes = 16 + 8 + 22
/** The first byte of a raw link, as a record of TLS. */
const modeBytes = 1 + 22

interface Many extends SyncRun {
  readonly proxy: Child<ProxyCalls>
  readonly device: Child<DeviceCalls>
  readonly rawProxy: Child<ProxyCalls>
  readonly rawPort: number
  readonly raw: Child<RawCalls>
  /** Directory of the supervisor. */
  readonly data: string
  supervisor: SupervisorProcess
}

export async function runMany(run: SyncRun, benches: readonly SyncBench[]): Promise<void> {
  const { stage, sizes, seed, certificate } = run
  const directory = stage.makeDirectory('sync-many')
  const data = join(directory, 'supervisor')
  const supervisor = await startSupervisor(stage, data)
  const [proxy, rawProxy] = [startProxy(run, 'proxy'), startProxy(run, 'raw proxy')]
  const [device, raw, relay] = [
    startDevice(run, 'device'),
    startRaw(run, 'raw device'),
    startRaw(run, 'relay'),
  ]
  const many: Many = {
    ...run,
    ...{ proxy, device, raw, rawProxy, data, supervisor },
    rawPort: await rawProxy.call(
      'open',
      {
        port: await relay.call(
          'listen',
          { at: join(directory, 'raw-relay'), ...certificate },
          { timeoutMs: callMs },
        ),
      },
      { timeoutMs: callMs },
    ),
  }
  const rows = sizes.manyRows
  const step = beginStep('records of a device', rows)
  try {
    const code = supervisor.enrolment ?? ''
    const port = await proxy.call('open', { port: portOf(supervisor) }, { timeoutMs: callMs })
    const host = { at: join(directory, 'device'), rows, seed, code, name: 'bench', port }
    await device.call('host', host, { timeoutMs: callMs, progress: (count) => step.at(count) })
    step.end()
    for (let round = 1; round <= run.rounds; round += 1) {
      process.stderr.write(`${benches.join(', ')}: round ${round} of ${run.rounds}\n`)
      if (benches.includes('reconnect')) await reconnect(many)
      if (benches.includes('repair-1-in-1e6')) await repair(many)
    }
  } finally {
    step.end()
    await Promise.all([device.stop(), raw.stop()])
    await Promise.all([proxy.stop(), rawProxy.stop(), relay.stop(), many.supervisor.stop()])
  }
}

async function reconnect({ report, sizes, device, proxy, raw, rawProxy, rawPort }: Many): Promise<void> {
  const ours = await counted(
    proxy,
    sizes.restMs,
    () => device.call('resume', null, { timeoutMs: callMs }),
    () => device.call('pause', null, { timeoutMs: callMs }),
  )
  const bounce = { port: rawPort, rowBytes: bounceBytes }
  const theirs = await counted(rawProxy, 100, () => raw.call('bounce', bounce, { timeoutMs: callMs }))
  const records = sizes.manyRows
  const rowBytes = modeBytes + 2 * (aroundRowBytes + bounceBytes)
  const handshakeBytes = bytesOf(theirs.passed) - rowBytes
  for (const [system, { result, passed }] of [
    ['blazedb', ours],
    ['raw tls', theirs],
  ] as const) {
    const more = { up: passed.upBytes, down: passed.downBytes, trips: passed.turns.length }
    const measure = { bench: 'reconnect-bytes', system, unit: 'bytes' } as const
    const bytes = bytesOf(passed)
    report.round({ ...measure, params: { records, counted: 'TCP' } }, bytes, more)
    report.round({ ...measure, params: { records, counted: 'above TLS' } }, bytes - handshakeBytes)
    report.round({ bench: 'reconnect-ms', system, unit: 'ms', params: { records } }, result.ms)
  }
}

/** The raw limit passes once over the rows of one side, and sends one of them there and back: it does not know which. */
async function repair(many: Many): Promise<void> {
  const { stage, report, sizes, device, proxy, raw, rawProxy, rawPort, data } = many
  const records = sizes.manyRows
  await device.call('pause', null, { timeoutMs: callMs })
  await many.supervisor.stop()
  const store = storeOf(data)
  const rowBytes = await loseRecord(store)
  const scan = await raw.call('scan', { at: store }, { timeoutMs: callMs })
  if (scan.rows !== records - 1 || (await liveOf(store)) !== records - 1)
    throw new Error(`the supervisor has ${scan.rows} records, expected one of ${records} to be lost`)
  many.supervisor = await startSupervisor(stage, data)
  await proxy.call('lead', { port: portOf(many.supervisor) }, { timeoutMs: callMs })
  const ours = await counted(proxy, sizes.restMs, () => device.call('repair', null, { timeoutMs: callMs }))
  const bounce = { port: rawPort, rowBytes }
  const theirs = await counted(rawProxy, 100, () => raw.call('bounce', bounce, { timeoutMs: callMs }))
  await device.call('pause', null, { timeoutMs: callMs })
  await many.supervisor.stop()
  if ((await liveOf(store)) !== records) throw new Error('the record is not back')
  many.supervisor = await startSupervisor(stage, data)
  await proxy.call('lead', { port: portOf(many.supervisor) }, { timeoutMs: callMs })
  await device.call('resume', null, { timeoutMs: callMs })

  const { startMs, foundMs, endMs } = ours.result
  // The last turn before the difference was told began with the question whose answer told it.
  const first = ours.passed.turns.findLastIndex((turn) => turn.startMs <= foundMs && turn.startMs >= startMs)
  const turns = ours.passed.turns.slice(Math.max(0, first)).filter((turn) => turn.startMs <= endMs)
  const figures = (system: string, figure: { ms: number; bytes: number; trips: number }): void => {
    for (const unit of ['ms', 'bytes', 'trips'] as const)
      report.round(
        { bench: 'repair-1-in-1e6', system, unit, params: { records, figure: unit } },
        figure[unit],
      )
  }
  figures('blazedb', {
    ms: endMs - (turns[0]?.startMs ?? foundMs),
    bytes: turns.reduce((sum, { bytes }) => sum + bytes, 0),
    trips: turns.length,
  })
  const bytes = 2 * (aroundRowBytes + rowBytes)
  figures('raw tls + classic-level', { ms: scan.ms + theirs.result.ms, bytes, trips: 1 })
}

/** What a piece of work passes, from its begin until `restMs` after its end. */
async function counted<T>(
  proxy: Child<ProxyCalls>,
  restMs: number,
  work: () => Promise<T>,
  before: () => Promise<unknown> = () => Promise.resolve(),
): Promise<{ readonly result: T; readonly passed: Passed }> {
  await before()
  // What an end still sends.
  await rest(100)
  await proxy.call('begin', null, { timeoutMs: callMs })
  const result = await work()
  await rest(restMs)
  return { result, passed: await proxy.call('passed', null, { timeoutMs: callMs }) }
}

function bytesOf({ upBytes, downBytes }: Passed): number {
  return upBytes + downBytes
}

/** The one space of the supervisor. */
function storeOf(data: string): string {
  const [name, ...more] = readdirSync(join(data, 'spaces'))
  if (name === undefined || more.length > 0) throw new Error(`expected one space in ${data}`)
  return join(data, 'spaces', name)
}

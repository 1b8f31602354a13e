/**
 * `blazedb serve`: one supervisor in this process, from start to signal.
 *
 * Invariant: the first signal stops it in order, the second at once; a fault that nobody handles ends the process, since only a
 * restart makes its state known again.
 */
import { networkInterfaces } from 'node:os'
import { createDirectoryVolume, supervisorDirectory } from '../actors/index.ts'
import { createNodeEnv, describeError, limits, nodeCrypto } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import {
  createTlsTransport,
  createUdsTransport,
  createWebSocketTransport,
  makePrivateDirectory,
  routeTransports,
} from '../transports/index.ts'
import type { ControlPlace } from '../transports/index.ts'
import type { Advertise, ServeConfig } from './config.ts'
import { createLog } from './log.ts'
import { formatOperations } from './operations/index.ts'
import { startSupervisor } from './supervisor.ts'
import type { Supervisor } from './supervisor.ts'

export interface ServeOptions {
  readonly config: ServeConfig
  /** Absolute, existing. */
  readonly directory: string
  readonly control: ControlPlace
  readonly version: string
  readonly json: boolean
}

/** Resolves with the exit code after it was stopped. Rejects when it cannot start. */
export async function serve(options: ServeOptions): Promise<number> {
  const { config, directory } = options
  const env = createNodeEnv({ log: createLog() })
  endOnFaults(env)
  const signalled = firstSignal(env)
  const advertise = config.advertise ?? defaultAdvertise(config.listen.host)
  const localDirectory = await openLocal(config.local, env)
  const supervisor = await startSupervisor({
    world: {
      env,
      crypto: nodeCrypto,
      volume: createDirectoryVolume(directory),
      transport: routeTransports({
        tls: createTlsTransport(env),
        uds: createUdsTransport(env, nodeCrypto),
        ws: createWebSocketTransport(env),
      }),
    },
    listen: config.listen,
    ...(advertise === undefined ? {} : { advertise }),
    ...(localDirectory === undefined ? {} : { localDirectory }),
    quotaBytes: config.quotaBytes,
    rateBytes: config.rateBytes,
    ...(config.proxied === undefined ? {} : { proxied: config.proxied }),
    control: options.control,
    operations: config.ops,
    version: options.version,
    onFailed: (error) => endProcess(env, 'supervisor.failed', error),
  })
  process.stdout.write(`${options.json ? formatReady(supervisor) : formatStart(supervisor, options)}\n`)
  await signalled
  // Beyond this only the disk could be waiting, and what was acknowledged is on it.
  const patience = env.after(limits.supervisorStopMs, () => {
    env.log.error('supervisor.stop.late', { afterMs: limits.supervisorStopMs })
    process.exit(1)
  })
  await supervisor.stop()
  patience.cancel()
  return 0
}

/** Where there is no such directory, apps of this device come over TLS: that is no reason not to start. */
async function openLocal(local: ServeConfig['local'], env: Env): Promise<string | undefined> {
  if (local === 'none' || process.platform === 'win32') return undefined
  const directory = local === 'default' ? supervisorDirectory() : local.directory
  try {
    await makePrivateDirectory(directory)
    return directory
  } catch (error) {
    if (local !== 'default') throw error
    env.log.warn('local.unavailable', { directory, error: describeError(error) })
    return undefined
  }
}

function firstSignal(env: Env): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0
    const onSignal = (signal: NodeJS.Signals): void => {
      signals++
      env.log.info('signal', { signal, signals })
      if (signals > 1) process.exit(1)
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

function endOnFaults(env: Env): void {
  process.on('uncaughtException', (error) => endProcess(env, 'uncaught', error))
  process.on('unhandledRejection', (error) => endProcess(env, 'unhandled', error))
}

function endProcess(env: Env, event: string, error: unknown): never {
  env.log.error(event, {
    error: describeError(error),
    stack: error instanceof Error ? error.stack : undefined,
  })
  process.exit(1)
}

/** A code must name an address that another device can reach: not "every address". */
function defaultAdvertise(host: string): Advertise | undefined {
  if (host !== '0.0.0.0' && host !== '::') return undefined
  for (const addresses of Object.values(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? [])
      if (family === 'IPv4' && !internal) return { host: address }
  return { host: '127.0.0.1' }
}

function formatReady(supervisor: Supervisor): string {
  const { operations } = supervisor
  return JSON.stringify({
    event: 'ready',
    listen: supervisor.status().listen,
    ops: operations === undefined ? null : formatOperations(operations),
    enrolment: supervisor.enrolment() ?? null,
  })
}

function formatStart(supervisor: Supervisor, { directory, version }: ServeOptions): string {
  const { operations } = supervisor
  const enrolment = supervisor.enrolment()
  // From a checkout there is no program of that name yet, but a demo.
  const checkout = import.meta.url.endsWith('.ts')
  const program = checkout ? 'npx tsx server/main.ts' : 'blazedb'
  const lines = [
    `BlazeDB supervisor ${version}`,
    '',
    `  listens on    ${supervisor.status().listen.join(', ')}`,
    ...(operations === undefined ? [] : [`  status page   ${formatOperations(operations)}/`]),
    `  data          ${directory}`,
    '',
    ...(enrolment === undefined
      ? ['  The first enrolment code has been used; `enroll` makes another.']
      : [
          '  Enrolment code: lets one device host its databases here. Shown at every start until it is used.',
          '',
          `  ${enrolment}`,
        ]),
    '',
    '  Next, in another terminal:',
    ...(checkout
      ? ['    npm run demo                          10,000 records from one device to another']
      : []),
    `    ${program} enroll --data ${directory}`,
    `    ${program} status --data ${directory}`,
    '',
    '  Ctrl-C stops it.',
    '',
  ]
  return lines.join('\n')
}

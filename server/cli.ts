/**
 * The command line: `serve`, `enroll`, `status`, `peers`, `rotate-key`. Text for people, `--json` for programs.
 *
 * Invariant: exit codes are a promise. 0: done, or stopped in order. 1: a fault while running. 2: could not start: arguments,
 * configuration, port taken, data directory in use. 3: no supervisor runs there.
 */
import { mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Command, CommanderError } from 'commander'
import { BlazeError, createNodeEnv, ERRORS, nodeCrypto } from '../runtime/index.ts'
import type { ErrorCode } from '../runtime/index.ts'
import { controlSocketPath } from '../transports/index.ts'
import type { ControlPlace } from '../transports/index.ts'
import type { ConfigSources } from './config.ts'
import { resolveConfig, resolveData } from './config.ts'
import { requestCode, requestKeyChange, requestStatus } from './control.ts'
import { serve } from './serve.ts'
import { formatPeers, formatStatus } from './table.ts'

const exitCodes: Partial<Readonly<Record<ErrorCode, number>>> = {
  BAD_CONFIG: 2,
  PORT_IN_USE: 2,
  ALREADY_OPEN: 2,
  UNSAFE_DIRECTORY: 2,
  NO_SUPERVISOR: 3,
}

type Flags = Readonly<Record<string, string | boolean | undefined>>

/** Runs to the end of the command, for `serve` until it is stopped. Resolves with the exit code; writes to stdout and stderr. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode = 0
  const program = new Command('blazedb')
    .description('A local-first, encrypted database and the supervisor that relays it, blind.')
    .version(readVersion())
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0 done, 1 fault, 2 could not start, 3 no supervisor runs there.')
  const define = (name: string, description: string, run: (flags: Flags) => Promise<number>): Command =>
    program
      .command(name)
      .description(description)
      .option('--data <dir>', 'data directory (default ./blazedb-data)')
      .option('--config <file>', 'TOML file with data, listen, ops, advertise, local, quota, rate, proxied')
      .option('--json', 'JSON for programs')
      .action(async (flags: Flags) => {
        exitCode = await run(flags).catch((error: unknown) => report(error, flags.json === true))
      })
  define('serve', 'run the supervisor', runServe)
    .option('--listen <url>', 'where clients connect (default tls://0.0.0.0:8080)')
    .option('--ops <url>', 'status page and health, loopback only (default http://127.0.0.1:8081)')
    .option(
      '--advertise <host[:port]>',
      'what codes name (default: the listen address, or the first LAN address)',
    )
    .option('--quota <size>', 'what each database may have, like 512 MiB (default none)')
    .option('--rate <size>', 'what each device may send a second, like 1 MiB (default none)')
    .option('--proxied <url>', 'where a proxy that ends TLS forwards WebSocket to (default none)')
    .option('--local <dir>', 'where apps of this device find it (default: in the home directory; or none)')
    .addHelpText(
      'after',
      '\nEnvironment: BLAZEDB_DATA, _LISTEN, _OPS, _ADVERTISE, _LOCAL, _QUOTA, _RATE, _PROXIED, _CONFIG. Flags win, then environment, then file.',
    )
  define('enroll', 'make another enrolment code on the running supervisor', runEnroll)
  define('status', 'show what the running supervisor does', runStatus)
  define('peers', 'show the devices that are connected', runPeers)
  define(
    'rotate-key',
    'give the running supervisor a new key, which devices learn when they connect',
    runRotateKey,
  )
  try {
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? 0 : 2
  }
  return exitCode
}

async function runServe(flags: Flags): Promise<number> {
  const config = resolveConfig(sourcesOf(flags))
  const directory = makeDirectory(config.data)
  return serve({
    config,
    directory,
    control: placeOf(directory),
    version: readVersion(),
    json: flags.json === true,
  })
}

async function runEnroll(flags: Flags): Promise<number> {
  const enrolment = await requestCode({ place: findSupervisor(flags), env: createNodeEnv() })
  print(flags.json === true ? JSON.stringify({ event: 'enrolment', enrolment }) : enrolment)
  return 0
}

async function runRotateKey(flags: Flags): Promise<number> {
  const serverKey = await requestKeyChange({ place: findSupervisor(flags), env: createNodeEnv() })
  if (flags.json === true) print(JSON.stringify({ event: 'rotated', serverKey }))
  else
    print(
      [
        `The server key is now ${serverKey}.`,
        '  Devices that are connected learn it at once, others when they next connect.',
        '  Codes and invites that were made before name the old key: make them anew.',
      ].join('\n'),
    )
  return 0
}

async function runPeers(flags: Flags): Promise<number> {
  const env = createNodeEnv()
  const status = await requestStatus({ place: findSupervisor(flags), env })
  print(flags.json === true ? JSON.stringify(status.peers) : formatPeers(status, env.now()))
  return 0
}

async function runStatus(flags: Flags): Promise<number> {
  const env = createNodeEnv()
  const status = await requestStatus({ place: findSupervisor(flags), env })
  print(flags.json === true ? JSON.stringify(status) : formatStatus(status, env.now()))
  return 0
}

/** `NO_SUPERVISOR` when there is not even a data directory. */
function findSupervisor(flags: Flags): ControlPlace {
  const data = resolveData(sourcesOf(flags))
  try {
    return placeOf(realpathSync(data))
  } catch (cause) {
    throw new BlazeError('NO_SUPERVISOR', `there is no data directory ${data}`, { cause })
  }
}

function placeOf(directory: string): ControlPlace {
  return controlSocketPath({
    directory,
    temporary: realpathSync(tmpdir()),
    userId: process.getuid?.() ?? 0,
    crypto: nodeCrypto,
  })
}

function makeDirectory(data: string): string {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 })
    return realpathSync(data)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BlazeError('BAD_CONFIG', `cannot use ${data} as data directory: ${reason}`, { cause })
  }
}

function sourcesOf(flags: Flags): ConfigSources {
  const texts = Object.entries(flags).filter((flag): flag is [string, string] => typeof flag[1] === 'string')
  return {
    flags: Object.fromEntries(texts),
    environment: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  }
}

/** Says what went wrong and what to do about it. A fault that nobody expected shows where it came from. */
function report(error: unknown, json: boolean): number {
  if (!(error instanceof BlazeError)) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return 1
  }
  const { code, message, details } = error
  const { advice } = ERRORS[code]
  if (json) process.stderr.write(`${JSON.stringify({ event: 'failed', code, message, details, advice })}\n`)
  else process.stderr.write(`blazedb: ${code}: ${message}\n  ${advice}\n`)
  return exitCodes[code] ?? 1
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** From the package, which lies one level higher than in a checkout when built. */
function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { version }: { version?: unknown } = JSON.parse(
        readFileSync(new URL(path, import.meta.url), 'utf8'),
      )
      if (typeof version === 'string') return version
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return 'unknown'
}

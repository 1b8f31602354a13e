/**
 * Configuration of `blazedb serve`: flags over environment over TOML file over defaults, each value checked where it came from.
 *
 * Invariant: an unknown key or a bad value is `BAD_CONFIG` that names its source, what was expected and what came; nothing is guessed.
 */
import { isAbsolute, normalize } from 'node:path'
import { parse as parseToml, TomlError } from 'smol-toml'
import { z } from 'zod'
import { BlazeError } from '../runtime/index.ts'
import { parseEndpoint } from '../transports/index.ts'
import type { NetworkEndpoint } from '../transports/index.ts'
import { isLoopback } from './operations/index.ts'
import type { OperationsAddress } from './operations/index.ts'

export interface Advertise {
  readonly host: string
  readonly port?: number
}

export interface ServeConfig {
  /** Data directory as given. */
  readonly data: string
  readonly listen: NetworkEndpoint
  readonly ops: OperationsAddress
  readonly advertise: Advertise | undefined
  /** Where a proxy on this machine forwards WebSocket to, having ended TLS itself; undefined: nowhere. */
  readonly proxied: NetworkEndpoint | undefined
  /** Bytes of live records that each database may have; undefined: no limit but the disk. */
  readonly quotaBytes: number | undefined
  /** Bytes of records a second that each device may send; undefined: as fast as it can. */
  readonly rateBytes: number | undefined
  /** Where apps of this device find the supervisor. */
  readonly local: 'default' | 'none' | { readonly directory: string }
}

/** Where values come from; a missing value is undefined. */
export interface ConfigSources {
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Text of a file; throws when it cannot be read. */
  readFile(path: string): string
}

const keys = ['data', 'listen', 'ops', 'advertise', 'local', 'quota', 'rate', 'proxied'] as const
type Key = (typeof keys)[number]

const defaults: Readonly<Record<Exclude<Key, 'advertise'>, string>> = {
  data: './blazedb-data',
  listen: 'tls://0.0.0.0:8080',
  ops: 'http://127.0.0.1:8081',
  local: 'default',
  quota: 'none',
  rate: 'none',
  proxied: 'none',
}

const addressForm = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([^\s:/?#@[\]]{1,253}))(?::(\d{1,5}))?$/

const dataShape = z.string().trim().min(1, 'expected a directory, got nothing')

const listenShape = z.string().transform((text, ctx) => {
  try {
    const endpoint = parseEndpoint(text)
    if (endpoint.transport === 'tls') return endpoint
  } catch (error) {
    if (!(error instanceof BlazeError)) throw error
  }
  ctx.addIssue(`expected an endpoint like tls://0.0.0.0:8080, got "${text}"`)
  return z.NEVER
})

const opsShape = z.string().transform((text, ctx) => {
  const match = /^http:\/\/([^/]+)\/?$/.exec(text)
  const address = match?.[1] === undefined ? undefined : parseAddress(match[1])
  if (address?.port === undefined) {
    ctx.addIssue(`expected an address like http://127.0.0.1:8081, got "${text}"`)
    return z.NEVER
  }
  if (!isLoopback(address.host)) {
    ctx.addIssue(`expected a loopback address (this version has no access token for others), got "${text}"`)
    return z.NEVER
  }
  return { host: address.host, port: address.port }
})

const advertiseShape = z.string().transform((text, ctx) => {
  const address = parseAddress(text)
  if (address !== undefined && address.port !== 0) return address
  ctx.addIssue(`expected HOST or HOST:PORT, got "${text}"`)
  return z.NEVER
})

const localShape = z.string().transform((text, ctx) => {
  if (text === 'default' || text === 'none') return text
  if (isAbsolute(text) && normalize(text) === text) return { directory: text }
  ctx.addIssue(`expected default, none or an absolute directory, got "${text}"`)
  return z.NEVER
})

const proxiedShape = z.string().transform((text, ctx) => {
  if (text === 'none') return undefined
  try {
    const endpoint = parseEndpoint(text)
    const isPlain = endpoint.transport === 'ws' && endpoint.channelBinding === 'none'
    if (isPlain && isLoopback(endpoint.host)) return endpoint
  } catch (error) {
    if (!(error instanceof BlazeError)) throw error
  }
  ctx.addIssue(
    `expected none or an endpoint on loopback like ws://127.0.0.1:8082/sync?channelBinding=none, got "${text}"`,
  )
  return z.NEVER
})

const units = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const

const sizeShape = z.string().transform((text, ctx) => {
  if (text === 'none') return undefined
  const [, digits, unit] = /^(\d{1,6}) ?(B|KiB|MiB|GiB|TiB)$/.exec(text) ?? []
  const bytes = Number(digits) * units[unit as keyof typeof units]
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  ctx.addIssue(`expected none or a size like 512 MiB (B, KiB, MiB, GiB, TiB), got "${text}"`)
  return z.NEVER
})

const fileShape = z.strictObject({
  data: z.string().optional(),
  listen: z.string().optional(),
  ops: z.string().optional(),
  advertise: z.string().optional(),
  local: z.string().optional(),
  quota: z.string().optional(),
  rate: z.string().optional(),
  proxied: z.string().optional(),
})

/** `BAD_CONFIG`. */
export function resolveConfig(sources: ConfigSources): ServeConfig {
  const { flags, environment } = sources
  const path = flags.config ?? environment.BLAZEDB_CONFIG
  const file = path === undefined ? {} : readConfigFile(path, sources)
  const find = (key: Key): { text: string | undefined; source: string } => {
    const variable = `BLAZEDB_${key.toUpperCase()}`
    if (flags[key] !== undefined) return { text: flags[key], source: `--${key}` }
    if (environment[variable] !== undefined) return { text: environment[variable], source: variable }
    if (file[key] !== undefined) return { text: file[key], source: `${key} in ${path}` }
    return { text: key === 'advertise' ? undefined : defaults[key], source: `the default of ${key}` }
  }
  const read = <T>(key: Key, shape: z.ZodType<T>): T => {
    const { text, source } = find(key)
    return check(shape, text, { key, source })
  }
  return {
    data: read('data', dataShape),
    listen: read('listen', listenShape),
    ops: read('ops', opsShape),
    advertise: find('advertise').text === undefined ? undefined : read('advertise', advertiseShape),
    local: read('local', localShape),
    quotaBytes: read('quota', sizeShape),
    rateBytes: read('rate', sizeShape),
    proxied: read('proxied', proxiedShape),
  }
}

/** The data directory alone: what `enroll` and `status` need. */
export function resolveData(sources: ConfigSources): string {
  const { data, config } = sources.flags
  return resolveConfig({
    flags: { data, config },
    environment: {
      BLAZEDB_DATA: sources.environment.BLAZEDB_DATA,
      BLAZEDB_CONFIG: sources.environment.BLAZEDB_CONFIG,
    },
    readFile: (path) => sources.readFile(path),
  }).data
}

function readConfigFile(path: string, sources: ConfigSources): z.infer<typeof fileShape> {
  let text: string
  try {
    text = sources.readFile(path)
  } catch (cause) {
    throw badConfig(
      'config',
      `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    )
  }
  try {
    return check(fileShape, parseToml(text), { key: 'config', source: path })
  } catch (cause) {
    if (cause instanceof TomlError)
      throw badConfig('config', `${path} is not TOML: line ${cause.line}, column ${cause.column}`, cause)
    throw cause
  }
}

function check<T>(shape: z.ZodType<T>, value: unknown, from: { key: string; source: string }): T {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  )
  throw badConfig(from.key, `${from.source}: ${problems.join('; ')}`)
}

function parseAddress(text: string): Advertise | undefined {
  const match = addressForm.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (match === null || host === undefined) return undefined
  if (match[3] === undefined) return { host }
  const port = Number(match[3])
  return port <= 65_535 ? { host, port } : undefined
}

function badConfig(field: string, message: string, cause?: unknown): BlazeError {
  return new BlazeError('BAD_CONFIG', message, { cause, details: { field } })
}

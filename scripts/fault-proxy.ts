/**
 * A TCP proxy with faults, as a program: `npx tsx scripts/fault-proxy.ts --to 127.0.0.1:8080 --latency 50`; `--help` lists all.
 * Lines of JSON on stdin switch faults while it runs, lines of JSON on stdout say what it does.
 *
 * Invariant: every line is answered by one, a wrong one by what is wrong with it; it ends with its stdin or by a signal.
 */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { parseFaults, type Faults } from './fault-proxy/fault.ts'
import { FaultProxy, type Address } from './fault-proxy/fault-proxy.ts'

const help = `usage: npx tsx scripts/fault-proxy.ts --to HOST:PORT [options]

  --to HOST:PORT        where connections go on
  --listen HOST:PORT    default 127.0.0.1:0, any free port
  --seed N              of everything that is left to chance; default: drawn, and printed
  --latency MS          delay of every byte
  --jitter MS           up to this much more, by chance
  --rate BYTES          bytes a second and direction
  --slice BYTES         bytes of a write at most
  --loss SHARE          chance of a segment to be lost (0 to 0.9), which TCP shows as a wait
  --stall MS            that wait, doubling; default 200
  --reset-after BYTES   a connection is reset after about as many
  --half-open           connections stay open and carry nothing, and nobody is told
  --one-way up|down     the only direction that still works; up is from who dials
  --hold                nothing moves, and nothing is lost
  --refuse              new connections are reset

Lines on stdin, each answered by one on stdout:
  {"latencyMs":50,"jitterMs":10,"rate":0,"slice":7,"loss":0.02,"stallMs":200,"resetAfter":0,
   "halfOpen":false,"oneWay":null,"hold":false,"refuse":false}      any of these; others stay as they are
  {"clear":true}   no faults     {"reset":true}   resets what is open     {"counts":true}   tells what has passed
`

const options = {
  to: { type: 'string' },
  listen: { type: 'string' },
  seed: { type: 'string' },
  latency: { type: 'string' },
  jitter: { type: 'string' },
  rate: { type: 'string' },
  slice: { type: 'string' },
  loss: { type: 'string' },
  stall: { type: 'string' },
  'reset-after': { type: 'string' },
  'half-open': { type: 'boolean' },
  'one-way': { type: 'string' },
  hold: { type: 'boolean' },
  refuse: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** Names of faults, by flag. */
const faultOf = {
  latency: 'latencyMs',
  jitter: 'jitterMs',
  rate: 'rate',
  slice: 'slice',
  loss: 'loss',
  stall: 'stallMs',
  'reset-after': 'resetAfter',
  'half-open': 'halfOpen',
  'one-way': 'oneWay',
  hold: 'hold',
  refuse: 'refuse',
} as const

function parseAddress(name: string, text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new TypeError(`--${name}: expected HOST:PORT, got ${text}`)
  return { host: match[1] ?? match[2] ?? '', port }
}

function parseNumber(name: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value))
    throw new TypeError(`--${name}: expected a number, got ${text}`)
  return value
}

interface Call {
  readonly to: Address
  readonly listen: Address
  readonly seed: number
  readonly faults: Partial<Faults>
}

/** Undefined when help is asked for. */
function parseCall(args: string[]): Call | undefined {
  const { values } = parseArgs({ args, options })
  if (values.help === true) return undefined
  if (values.to === undefined) throw new TypeError('--to: name where connections go on, as HOST:PORT')
  const found: Record<string, unknown> = {}
  for (const [flag, fault] of Object.entries(faultOf)) {
    const value = values[flag as keyof typeof faultOf]
    if (value !== undefined)
      found[fault] = typeof value === 'string' && fault !== 'oneWay' ? parseNumber(flag, value) : value
  }
  return {
    to: parseAddress('to', values.to),
    listen: parseAddress('listen', values.listen ?? '127.0.0.1:0'),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : parseNumber('seed', values.seed),
    faults: parseFaults(found),
  }
}

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

function obey(proxy: FaultProxy, line: string): object {
  const { clear, reset, counts, ...faults } = JSON.parse(line) as Record<string, unknown>
  const changes = parseFaults(faults)
  if (clear === true) proxy.clear()
  if (Object.keys(changes).length > 0) proxy.set(changes)
  if (reset === true) proxy.reset()
  return counts === true ? { event: 'counts', ...proxy.counts } : { event: 'faults', ...proxy.faults }
}

async function run(call: Call): Promise<void> {
  const proxy = await FaultProxy.start(call)
  say({ event: 'listening', host: call.listen.host, port: proxy.port, seed: proxy.seed, ...proxy.faults })
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => {
    if (line.trim() === '') return
    try {
      say(obey(proxy, line))
    } catch (error) {
      say({ event: 'error', message: error instanceof Error ? error.message : String(error) })
    }
  })
  const end = (): void => void proxy.close().then(() => process.exit(0))
  lines.once('close', end)
  process.once('SIGINT', end).once('SIGTERM', end)
}

try {
  const call = parseCall(process.argv.slice(2))
  if (call === undefined) process.stdout.write(help)
  else await run(call)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  if (error instanceof TypeError) process.stderr.write('--help lists what there is\n')
  process.exitCode = error instanceof TypeError ? 2 : 1
}

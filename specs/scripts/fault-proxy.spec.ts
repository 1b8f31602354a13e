/** The fault proxy does to a byte stream what it says, no more, and gives everything back that was not swallowed. */
import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createChance } from '../../runtime/index.ts'
import { moduleAt } from '../../scripts/process/child.ts'
import { FaultProxy } from '../../scripts/fault-proxy/fault-proxy.ts'
import { noFaults, parseFaults, type Faults } from '../../scripts/fault-proxy/fault.ts'

/** A wait that takes longer has failed. */
const waitMsMax = 10_000
/** Long enough for loopback to show what should not come. */
const quietMs = 150

const parsed = (value: object): Record<string, unknown> =>
  JSON.parse(JSON.stringify(value)) as Record<string, unknown>

const ends: (() => void | Promise<void>)[] = []

test.after.each(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** What one end has seen. */
class End {
  readonly socket: Socket
  readonly chunks: Buffer[] = []
  ended = false
  closed = false
  error: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk))
    socket.on('end', () => (this.ended = true))
    socket.on('close', () => (this.closed = true))
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code))
    ends.push(() => void socket.destroy())
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }
}

interface Line {
  readonly proxy: FaultProxy
  readonly server: Server
  /** The other ends of what was dialled, in order. */
  readonly far: End[]
  readonly dial: () => Promise<End>
  /** Both ends of a connection through which a byte went each way. */
  readonly pair: () => Promise<{ near: End; far: End }>
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + waitMsMax
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not within ${waitMsMax} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, quietMs))

async function setUp(faults: Partial<Faults> = {}): Promise<Line> {
  const far: End[] = []
  const server = createServer((socket) => far.push(new End(socket)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy = await FaultProxy.start({ to: { host: '127.0.0.1', port }, seed: 7, faults })
  ends.push(() => void server.close())
  ends.push(() => proxy.close())
  const dial = async (): Promise<End> => {
    const near = new End(connect(proxy.port, '127.0.0.1'))
    await until('connected', () => !near.socket.connecting)
    return near
  }
  const pair = async (): Promise<{ near: End; far: End }> => {
    const near = await dial()
    near.socket.write('>')
    await until('the other end', () => far.at(-1)?.text === '>')
    const other = far.at(-1)
    if (other === undefined) throw new Error('expected the other end')
    other.socket.write('<')
    await until('the way back', () => near.text === '<')
    near.chunks.length = 0
    other.chunks.length = 0
    return { near, far: other }
  }
  return { proxy, server, far, dial, pair }
}

function randomBytes(count: number): Buffer {
  const chance = createChance(3)
  return Buffer.from(Array.from({ length: count }, () => Math.floor(chance() * 256)))
}

test('without faults every byte passes both ways, and the end of one side is the end of the other', async () => {
  const { proxy, pair } = await setUp()
  const { near, far } = await pair()
  const bytes = randomBytes(2_000_000)

  near.socket.write(bytes)
  far.socket.end(bytes)
  await until('all bytes', () => near.bytes.length === bytes.length && far.bytes.length === bytes.length)
  await until('the end', () => near.closed && far.closed && proxy.counts.living === 0)

  assert.ok(near.bytes.equals(bytes) && far.bytes.equals(bytes))
  assert.equal(proxy.counts, {
    connections: 1,
    living: 0,
    refused: 0,
    resets: 0,
    upBytes: bytes.length + 1,
    downBytes: bytes.length + 1,
  })
})

test('latency and jitter delay every byte and keep their order', async () => {
  const { proxy, pair } = await setUp()
  const { near, far } = await pair()
  proxy.set({ latencyMs: 80, jitterMs: 40 })

  const startMs = performance.now()
  for (let n = 0; n < 100; n++) near.socket.write(`${n},`)
  const expected = Array.from({ length: 100 }, (_, n) => `${n},`).join('')
  await until('the first byte', () => far.text.length > 0)
  const firstMs = performance.now() - startMs
  await until('all bytes', () => far.text.length === expected.length)

  assert.is(far.text, expected)
  assert.ok(firstMs >= 79, `${firstMs} ms`)
})

test('a rate holds on average, and holds back the sender instead of keeping it all', async () => {
  const { proxy, pair } = await setUp()
  const { near, far } = await pair()
  proxy.set({ rate: 1_000_000 })

  const startMs = performance.now()
  near.socket.write(randomBytes(300_000))
  await until('all bytes', () => far.bytes.length === 300_000)
  const tookMs = performance.now() - startMs

  assert.ok(tookMs >= 250, `300,000 bytes in ${tookMs} ms`)
})

test('a slice is written alone, so that no write comes whole', async () => {
  const { proxy, pair } = await setUp()
  const { near, far } = await pair()
  const bytes = randomBytes(2_000)
  proxy.set({ slice: 7 })

  near.socket.write(bytes)
  await until('all bytes', () => far.bytes.length === bytes.length)

  assert.ok(far.bytes.equals(bytes))
  assert.ok(far.chunks.length > 50, `${far.chunks.length} reads`)
})

test('a lost segment holds up all behind it, and nothing is missing in the end', async () => {
  const { proxy, pair } = await setUp()
  const { near, far } = await pair()
  const bytes = randomBytes(60_000)
  proxy.set({ loss: 0.1, stallMs: 20 })

  const startMs = performance.now()
  near.socket.write(bytes)
  await until('all bytes', () => far.bytes.length === bytes.length)
  const tookMs = performance.now() - startMs

  assert.ok(far.bytes.equals(bytes))
  assert.ok(tookMs >= 20, `nothing was held up: ${tookMs} ms`)
})

test('a connection is reset on both sides in the middle of its bytes, and the next one begins anew', async () => {
  const { proxy, far, dial, pair } = await setUp({ resetAfter: 10_000 })

  for (let turn = 0; turn < 3; turn++) {
    const near = await dial()
    near.socket.write(randomBytes(40_000))
    await until('the reset', () => near.closed && far[turn]?.closed === true)
    const passed = far[turn]?.bytes.length ?? 0
    assert.is(near.error, 'ECONNRESET')
    assert.ok(passed <= 15_000, `${passed} bytes passed`)
  }
  assert.is(proxy.counts.resets, 3)
  proxy.clear()
  const both = await pair()
  proxy.reset()
  await until('a reset on demand', () => both.near.closed && both.far.closed)
  assert.equal([both.near.error, both.far.error], ['ECONNRESET', 'ECONNRESET'])
})

test('a half-open connection carries nothing, tells nobody of an end, and stays so; the next one works', async () => {
  const { proxy, dial, pair } = await setUp()
  const { near, far } = await pair()
  proxy.set({ halfOpen: true })

  near.socket.write('lost')
  far.socket.write('lost')
  const late = await dial()
  late.socket.write('lost too')
  await quiet()
  proxy.clear()
  near.socket.write('and this')
  far.socket.end()
  await quiet()
  const after = await pair()

  assert.is(near.text, '')
  assert.is(far.text, '')
  assert.is(near.closed || near.ended, false)
  assert.is(late.text, '')
  after.near.socket.write('heard')
  await until('a new connection', () => after.far.text === 'heard')
})

for (const [oneWay, works, dead] of [
  ['up', 'far', 'near'],
  ['down', 'near', 'far'],
] as const) {
  test(`one way ${oneWay}: the other direction is swallowed, and without a gap for good`, async () => {
    const { proxy, pair } = await setUp()
    const both = await pair()
    proxy.set({ oneWay })

    both.near.socket.write('up')
    both.far.socket.write('down')
    await until('what works', () => both[works].text === oneWay)
    await quiet()
    proxy.clear()
    both.near.socket.write('up')
    both.far.socket.write('down')
    await until('what works', () => both[works].text === oneWay + oneWay)
    await quiet()

    assert.is(both[dead].text, '')
  })
}

test('a line on hold moves nothing and loses nothing', async () => {
  const { proxy, pair } = await setUp()
  const { near, far } = await pair()
  proxy.set({ hold: true })

  near.socket.write('held')
  far.socket.end('back')
  await quiet()
  const during = [near.text, far.text, near.ended]
  proxy.clear()
  await until('both', () => near.text === 'back' && far.text === 'held' && near.ended)

  assert.equal(during, ['', '', false])
})

test('refuse resets new connections and leaves those that are there', async () => {
  const { proxy, dial, pair } = await setUp()
  const { near, far } = await pair()
  proxy.set({ refuse: true })

  const late = await dial()
  await until('the reset', () => late.closed)
  near.socket.write('still')
  await until('the old one', () => far.text === 'still')

  assert.is(late.error, 'ECONNRESET')
  assert.is(proxy.counts.refused, 1)
})

test('a target that is not there is a reset, and a wrong fault a TypeError that names it', async () => {
  const { server, proxy, dial } = await setUp()
  await new Promise((resolve) => server.close(resolve))

  const near = await dial()
  await until('the reset', () => near.closed)

  assert.is(near.error, 'ECONNRESET')
  assert.is(proxy.counts.living, 0)
  for (const wrong of [{ latencyMs: -1 }, { loss: 1 }, { oneWay: 'left' }, { hold: 1 }, { speed: 5 }])
    assert.throws(() => parseFaults(wrong), new RegExp(Object.keys(wrong)[0] ?? ''))
})

interface Program {
  readonly next: () => Promise<Record<string, unknown>>
  readonly write: (line: string) => void
  readonly end: () => Promise<number | null>
}

function startProgram(args: string[]): Program & { stderr: () => string } {
  const { path, execArgv } = moduleAt('../../scripts/fault-proxy', import.meta.url)
  const child = spawn(process.execPath, [...execArgv, path, ...args])
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  ends.push(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  return {
    next: async () => {
      await until('a line', () => lines.length > 0)
      return JSON.parse(lines.shift() ?? '') as Record<string, unknown>
    },
    write: (line) => void child.stdin.write(`${line}\n`),
    end: async () => {
      child.stdin.end()
      return ended
    },
    stderr: () => stderr,
  }
}

test('the program says where it listens and its seed, is told faults by lines, and ends with its stdin', async () => {
  const { far, server } = await setUp()
  const { port } = server.address() as AddressInfo
  const program = startProgram([
    '--to',
    `127.0.0.1:${port}`,
    '--seed',
    '5',
    '--latency',
    '3',
    '--one-way',
    'up',
  ])

  const listening = await program.next()
  assert.is(listening['event'], 'listening')
  assert.is(listening['seed'], 5)
  assert.equal([listening['latencyMs'], listening['oneWay']], [3, 'up'])
  const near = new End(connect(Number(listening['port']), '127.0.0.1'))
  near.socket.write('through')
  await until('the other end', () => far[0]?.text === 'through')

  program.write('{"clear":true}')
  assert.equal(await program.next(), parsed({ event: 'faults', ...noFaults }))
  program.write('{"slice":7,"oneWay":"down"}')
  assert.equal(await program.next(), parsed({ event: 'faults', ...noFaults, slice: 7, oneWay: 'down' }))
  program.write('{"latencyMs":"much"}')
  assert.match(String((await program.next())['message']), 'latencyMs')
  program.write('no JSON')
  assert.is((await program.next())['event'], 'error')
  program.write('{"reset":true,"counts":true}')
  const counts = await program.next()
  assert.equal(
    [counts['event'], counts['connections'], counts['resets'], counts['upBytes']],
    ['counts', 1, 1, 7],
  )
  assert.is(await program.end(), 0)
})

test('wrong arguments are exit code 2 with what was expected', async () => {
  for (const [args, says] of [
    [[], '--to'],
    [['--to', 'nowhere'], 'HOST:PORT'],
    [['--to', '127.0.0.1:1', '--latency', 'long'], '--latency'],
    [['--to', '127.0.0.1:1', '--one-way', 'left'], 'oneWay'],
  ] as const) {
    const program = startProgram([...args])
    assert.is(await program.end(), 2)
    assert.match(program.stderr(), says)
  }
})

test.run()

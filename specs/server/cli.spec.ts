/** The program as people and scripts run it: a child process, real files, real sockets on loopback. */
// time limit: 240 s
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatDeviceId, parseCode } from '../../actors/team/index.ts'
import { createNodeEnv, nodeCrypto, toHex } from '../../runtime/index.ts'
import { createTlsTransport, parseEndpoint } from '../../transports/index.ts'
import { portOf } from '../contracts/transport.ts'
import { SpecDevice } from './device.ts'
import { runBlazedb, serveBlazedb } from './process.ts'
import type { Ended, Running } from './process.ts'

const env = createNodeEnv()
let directory = ''
let data = ''
const started: Running[] = []

test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), 'blazedb-cli-'))
  data = join(directory, 'data')
})
test.after.each(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
  rmSync(directory, { recursive: true, force: true })
})

async function serve(args: readonly string[] = []): ReturnType<typeof serveBlazedb> {
  const running = await serveBlazedb(data, args)
  started.push(running)
  return running
}

function run(...args: readonly string[]): Promise<Ended> {
  return runBlazedb(args).ended
}

async function healthz(ops: string): Promise<{ status: number; ok: unknown }> {
  const response = await fetch(`${ops}/healthz`)
  const body: unknown = await response.json()
  return { status: response.status, ok: typeof body === 'object' && body !== null && 'ok' in body && body.ok }
}

/** Sends bytes to a TCP port and waits until the other side ends. */
function sendGarbage(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
    socket.resume()
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
  })
}

test('serve says where it is, answers, makes codes, shows its status, and stops in order', async () => {
  const { ready, child, ended } = await serve()
  const url = ready.listen[0] ?? ''
  assert.match(url, /^tls:\/\/127\.0\.0\.1:[1-9]\d*$/)
  assert.ok(ready.enrolment?.startsWith(`blazedb://127.0.0.1:${portOf(parseEndpoint(url))}/enroll/`))
  assert.equal(await healthz(ready.ops), { status: 200, ok: true })
  assert.match(await (await fetch(ready.ops)).text(), '/supervisor/listeners/tls')

  const enrolled = await run('enroll', '--data', data, '--json')
  assert.is(enrolled.code, 0, enrolled.stderr)
  const { enrolment } = JSON.parse(enrolled.stdout)
  assert.match(enrolment, /^blazedb:\/\/127\.0\.0\.1:\d+\/enroll\//)
  assert.is.not(enrolment, ready.enrolment)
  const text = await run('enroll', '--data', data)
  assert.match(text.stdout, /^blazedb:\/\/[^\n]+\n$/)

  const status = await run('status', '--data', data)
  assert.is(status.code, 0)
  assert.match(status.stdout, 'BlazeDB supervisor 0.1.0: healthy')
  assert.match(status.stdout, /\/supervisor\/access +access +open/)
  assert.is(JSON.parse((await run('status', '--data', data, '--json')).stdout).pid, child.pid)

  assert.is(statSync(join(data, 'identity')).mode & 0o777, 0o600)
  assert.is(statSync(join(data, 'control.sock')).mode & 0o777, 0o600)
  const askedMs = env.monotonic()
  child.kill('SIGTERM')
  const end = await ended
  assert.is(end.code, 0, end.stderr)
  assert.ok(env.monotonic() - askedMs < 5_000)
  assert.is(end.stdout.split('\n').length, 2, 'one line on stdout')
  for (const line of end.stderr.trim().split('\n')) assert.type(JSON.parse(line).msg, 'string')
  assert.is(existsSync(join(data, 'control.sock')), false)
})

test('a device that is connected is a peer by its device id, and learns a key that is changed', async () => {
  const { ready } = await serve()
  const endpoint = parseEndpoint(ready.listen[0] ?? '')
  const code = parseCode(ready.enrolment ?? '')
  assert.match((await run('peers', '--data', data)).stdout, 'No device is connected.')
  const device = new SpecDevice(env, createTlsTransport(env))
  await device.redeem(ready.enrolment ?? '', endpoint)
  const connected = await device.connect(endpoint, code.serverKey)

  const id = formatDeviceId(nodeCrypto, device.key)
  assert.match(
    (await run('peers', '--data', data)).stdout,
    new RegExp(String.raw`^DEVICE.*\n${id} +127\.0\.0\.1:`),
  )
  const [peer, ...others] = JSON.parse((await run('peers', '--data', data, '--json')).stdout)
  assert.equal([peer.device, others.length], [id, 0])

  const rotated = await run('rotate-key', '--data', data, '--json')
  assert.is(rotated.code, 0, rotated.stderr)
  const { serverKey } = JSON.parse(rotated.stdout)
  assert.is(await connected.closed, undefined, 'it is told goodbye')
  const enrolled = await run('enroll', '--data', data)
  assert.is(toHex(parseCode(enrolled.stdout).serverKey), serverKey)
  const again = await device.connect(endpoint, parseCode(enrolled.stdout).serverKey)
  again.close()
  assert.match((await run('rotate-key', '--data', data)).stdout, /^The server key is now 04[0-9a-f]{128}\./)
})

test('a restart keeps the key, and shows the code until a device has redeemed it', async () => {
  const device = new SpecDevice(env, createTlsTransport(env))
  const first = await serve()
  const code = first.ready.enrolment ?? ''
  first.child.kill('SIGKILL')
  await first.ended

  const second = await serve()
  assert.is(payloadOf(second.ready.enrolment ?? ''), payloadOf(code), 'key, id and secret are the same')
  const paired = await device.redeem(
    second.ready.enrolment ?? '',
    parseEndpoint(second.ready.listen[0] ?? ''),
  )
  assert.is(paired.mayHost, true)
  second.child.kill('SIGINT')
  assert.is((await second.ended).code, 0)

  const third = await serve()
  assert.is(third.ready.enrolment, null)
  const again = await device.redeem(code, parseEndpoint(third.ready.listen[0] ?? ''))
  assert.is(again.mayHost, true)
  const other = new SpecDevice(env, createTlsTransport(env))
  await other.redeem(code, parseEndpoint(third.ready.listen[0] ?? '')).then(
    () => assert.unreachable('a second device redeemed the code'),
    (error: unknown) => assert.match(String(error), /another device/),
  )
  assert.equal(await healthz(third.ready.ops), { status: 200, ok: true })
})

test('a stop says goodbye to connected clients, and does not wait for one that has stopped reading', async () => {
  const { ready, child, ended } = await serve()
  const endpoint = parseEndpoint(ready.listen[0] ?? '')
  const code = parseCode(ready.enrolment ?? '')
  const device = new SpecDevice(env, createTlsTransport(env))
  const connected = await device.connect(endpoint, code.serverKey)
  // Taken, and never read from: the goodbye cannot be delivered.
  const silent = await createTlsTransport(env).dial(endpoint, { timeoutMs: 5_000 })
  silent.pause()

  const askedMs = env.monotonic()
  child.kill('SIGTERM')

  assert.is(await connected.closed, undefined)
  assert.is((await ended).code, 0)
  assert.ok(env.monotonic() - askedMs < 5_000)
  silent.destroy()
})

test('garbage on the port is cut off, and the supervisor stays healthy', async () => {
  const { ready } = await serve()
  const port = portOf(parseEndpoint(ready.listen[0] ?? ''))

  await sendGarbage(port, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  await sendGarbage(port, env.entropy(10_000))
  // Past TLS: a hello of the right length and no sense.
  const link = await createTlsTransport(env).dial(parseEndpoint(ready.listen[0] ?? ''), { timeoutMs: 5_000 })
  await new Promise<void>((resolve) => {
    link.attach({ record() {}, drain() {}, closed: () => resolve() })
    link.send(env.entropy(120))
  })

  assert.equal(await healthz(ready.ops), { status: 200, ok: true })
  const device = new SpecDevice(env, createTlsTransport(env))
  const paired = await device.redeem(ready.enrolment ?? '', parseEndpoint(ready.listen[0] ?? ''))
  assert.is(paired.mayHost, true)
})

test('a taken port is PORT_IN_USE with exit code 2, and nothing is left behind', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  const { port } = holder.address() as AddressInfo
  const at = `tls://127.0.0.1:${port}`
  const free = 'http://127.0.0.1:0'

  const { code, stderr, stdout } = await run('serve', '--data', data, '--listen', at, '--ops', free)

  assert.is(code, 2, stderr)
  assert.match(stderr, `PORT_IN_USE: cannot listen on ${at}`)
  assert.is(stdout, '')
  assert.is(existsSync(join(data, 'control.sock')), false)
  const taken = await run(
    ...['serve', '--data', data, '--listen', 'tls://127.0.0.1:0', '--ops', `http://127.0.0.1:${port}`],
  )
  assert.is(taken.code, 2)
  assert.match(taken.stderr, 'PORT_IN_USE')
  await new Promise((resolve) => holder.close(resolve))
})

test('a data directory in use is ALREADY_OPEN with the pid of its holder, and exit code 2', async () => {
  const { child, ready } = await serve()

  const { code, stderr } = await run(
    ...['serve', '--data', data, '--listen', 'tls://127.0.0.1:0', '--ops', 'http://127.0.0.1:0', '--json'],
  )

  assert.is(code, 2, stderr)
  const failure = JSON.parse(stderr.trim().split('\n').at(-1) ?? '')
  assert.is(failure.code, 'ALREADY_OPEN')
  assert.is(failure.details.pid, child.pid)
  assert.equal(await healthz(ready.ops), { status: 200, ok: true })
  assert.is((await run('status', '--data', data)).code, 0, 'its control socket is still there')
})

test('without a supervisor enroll and status exit 3 and say what to do', async () => {
  const [enroll, status] = await Promise.all([run('enroll', '--data', data), run('status', '--data', data)])

  for (const { code, stderr } of [enroll, status]) {
    assert.is(code, 3)
    assert.match(stderr, /NO_SUPERVISOR: .*\n.*blazedb serve/)
  }
})

test('a second signal ends it at once with exit code 1, a bad argument with 2', async () => {
  const bad = run('serve', '--listen', 'nowhere')
  const unknown = run('serve', '--prot', '1')
  const { child, ended } = await serve()
  // Both wait for the process to go on, so that neither can come after its end.
  for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGINT', 'SIGCONT'] as const) child.kill(signal)

  assert.is((await ended).code, 1)
  assert.is((await bad).code, 2)
  assert.match((await bad).stderr, 'BAD_CONFIG: --listen: expected an endpoint')
  assert.is((await unknown).code, 2)
})

test('without --json it says in words where it listens and what to run next', async () => {
  const running = runBlazedb([
    'serve',
    '--data',
    data,
    '--listen',
    'tls://127.0.0.1:0',
    '--ops',
    'http://127.0.0.1:0',
  ])
  started.push(running)
  await running.firstLine
  running.child.kill('SIGTERM')
  const { code, stdout } = await running.ended

  assert.is(code, 0)
  for (const part of [
    /listens on +tls:\/\/127\.0\.0\.1:\d+/,
    /status page +http:/,
    /blazedb:\/\//,
    /npm run demo/,
    /enroll --data/,
    /status --data/,
  ])
    assert.match(stdout, part)
})

function payloadOf(url: string): string {
  return url.split('/').at(-1) ?? ''
}

test.run()

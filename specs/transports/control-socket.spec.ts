/** The control socket: one line asks, one line answers, for its owner only. */
import { existsSync, mkdtempSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createNodeEnv, limits, nodeCrypto } from '../../runtime/index.ts'
import { askControl, controlSocketPath, listenControl } from '../../transports/index.ts'
import type { ControlPlace, ControlServer } from '../../transports/index.ts'
import { codeOf } from '../server/world.ts'

const env = createNodeEnv()
let directory = ''

test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), 'blazedb-control-'))
})
test.after.each(() => rmSync(directory, { recursive: true, force: true }))

function placeIn(where: string): ControlPlace {
  return controlSocketPath({
    directory: where,
    temporary: directory,
    userId: process.getuid?.() ?? 0,
    crypto: nodeCrypto,
  })
}

function listen(place: ControlPlace): Promise<ControlServer> {
  return listenControl({ place, env, handle: async (request) => ({ echo: request }) })
}

function ask(place: ControlPlace, request: unknown): Promise<unknown> {
  return askControl({ place, request, timeoutMs: 2_000, env })
}

/** Sends raw bytes and resolves with everything that comes back before the other side ends. */
function sendRaw(path: string, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })
}

test('a request is answered, the socket is for its owner, and closing removes it', async () => {
  const place = placeIn(directory)
  const server = await listen(place)

  assert.equal(await ask(place, { op: 'status', text: 'ä' }), { echo: { op: 'status', text: 'ä' } })
  assert.is(statSync(place.path).mode & 0o777, 0o600)

  await server.close()
  assert.is(existsSync(place.path), false)
  assert.is(await codeOf(ask(place, {})), 'UNREACHABLE')
})

test('two requests on one connection are answered in order', async () => {
  const place = placeIn(directory)
  const server = await listen(place)
  const answers = sendRaw(place.path, Buffer.from('1\n2\n'))
  // The server ends an idle connection only after its limit, so the answers are awaited by closing it.
  await ask(place, 3)
  await server.close()

  assert.is(await answers, '{"echo":1}\n{"echo":2}\n')
})

test('a long data directory gets a short path in a directory of this user alone', async () => {
  const long = join(directory, 'x'.repeat(120))
  const place = placeIn(long)

  assert.ok(Buffer.byteLength(place.path) <= limits.socketPathBytesMax)
  assert.is.not(place.path, placeIn(`${long}y`).path)

  const server = await listen(place)
  assert.is(statSync(dirname(place.path)).mode & 0o777, 0o700)
  assert.equal(await ask(place, 1), { echo: 1 })
  await server.close()
})

test('a directory that others may enter is refused on both sides', async () => {
  const place = placeIn(join(directory, 'x'.repeat(120)))
  mkdirSync(dirname(place.path), { mode: 0o755 })

  assert.is(await codeOf(listen(place)), 'UNSAFE_DIRECTORY')
  assert.is(await codeOf(ask(place, 1)), 'UNSAFE_DIRECTORY')
})

test('a stale socket is replaced, a living one is not', async () => {
  const place = placeIn(directory)
  const server = await listen(place)
  assert.is(await codeOf(listen(place)), 'ALREADY_OPEN')
  assert.equal(await ask(place, 1), { echo: 1 })
  await server.close()

  writeFileSync(place.path, '')
  const again = await listen(place)
  assert.equal(await ask(place, 2), { echo: 2 })
  await again.close()
})

test('what is no JSON, or too long, ends its connection and nothing else', async () => {
  const place = placeIn(directory)
  const server = await listen(place)

  assert.is(await sendRaw(place.path, Buffer.from('{\n')), '')
  assert.is(await sendRaw(place.path, Buffer.alloc(limits.controlRequestBytesMax + 70_000, 0x20)), '')
  assert.equal(await ask(place, 1), { echo: 1 })

  await server.close()
})

test('a peer that never answers is a TIMEOUT, one that hangs up is LINK_CLOSED', async () => {
  const place = placeIn(directory)
  const silent = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (chunk: Buffer) => {
      if (chunk.toString().includes('hang up')) socket.destroy()
    })
  })
  await new Promise<void>((resolve) => silent.listen(place.path, resolve))

  assert.is(await codeOf(askControl({ place, request: 'wait', timeoutMs: 50, env })), 'TIMEOUT')
  assert.is(await codeOf(ask(place, 'hang up')), 'LINK_CLOSED')

  await new Promise((resolve) => silent.close(resolve))
})

test.run()

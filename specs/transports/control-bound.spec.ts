/** Bounds of the control socket, each at its limit and one above: lines, connections, and how long somebody may say nothing. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createNodeEnv, limits } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import { askControl, listenControl } from '../../transports/index.ts'
import type { ControlPlace, ControlServer } from '../../transports/index.ts'
import { codeOf } from '../server/world.ts'

/** Timers run out so much sooner. */
const SPEED = 40
const node = createNodeEnv()
const fast: Env = { ...node, after: (ms, callback) => node.after(ms / SPEED, callback) }
let directory = ''
let place: ControlPlace = { path: '', ownDirectory: false }

test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), 'blazedb-control-bound-'))
  place = { path: join(directory, 'control.sock'), ownDirectory: false }
})
test.after.each(() => rmSync(directory, { recursive: true, force: true }))

function listen(env: Env = node): Promise<ControlServer> {
  return listenControl({ place, env, handle: async (request) => JSON.stringify(request).length })
}

interface Raw {
  readonly socket: Socket
  readonly connected: Promise<void>
  /** All that came, once the other side has ended. */
  readonly got: Promise<string>
}

function raw(): Raw {
  const socket = createConnection(place.path)
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return {
    socket,
    connected: new Promise((resolve) => socket.once('connect', resolve)),
    got: new Promise((resolve) => socket.once('close', () => resolve(text))),
  }
}

/** A request whose line has so many bytes, without its end. */
function line(bytes: number): string {
  return JSON.stringify('x'.repeat(bytes - 2))
}

test('a request of 65,536 bytes is answered, one byte more ends the connection, however it is cut', async () => {
  const server = await listen()
  const whole = limits.controlRequestBytesMax
  for (const at of [1, whole / 2, whole - 1, whole]) {
    for (const extra of [0, 1]) {
      const text = `${line(whole + extra)}\n`
      const { socket, connected, got } = raw()
      await connected
      socket.write(text.slice(0, at))
      await new Promise((resolve) => setTimeout(resolve, 5))
      socket.write(text.slice(at))
      if (extra === 0) {
        await new Promise((resolve) => socket.once('data', resolve))
        socket.destroy()
      }
      assert.is(await got, extra === 0 ? `${whole}\n` : '', `cut at ${at}, ${extra} above`)
    }
  }
  await server.close()
})

test('an answer of 8 MiB is taken, one byte more is none', async () => {
  let bytes = 0
  const answering: Server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(`${line(bytes)}\n`))
  })
  await new Promise<void>((resolve) => answering.listen(place.path, resolve))
  const ask = (): Promise<unknown> => askControl({ place, request: 1, timeoutMs: 10_000, env: node })

  bytes = limits.controlAnswerBytesMax
  assert.is(String(await ask()).length, bytes - 2)
  bytes += 1
  assert.is(await codeOf(ask()), 'LINK_CLOSED')
  await new Promise((resolve) => answering.close(resolve))
})

test('16 connections stay, one more is dropped, and one that leaves makes room', async () => {
  const server = await listen()
  const open = Array.from({ length: limits.controlConnectionsMax }, raw)
  await Promise.all(open.map(({ connected }) => connected))

  const ask = (): Promise<unknown> => askControl({ place, request: 1, timeoutMs: 2_000, env: node })
  assert.is(await codeOf(ask()), 'LINK_CLOSED')
  open[0]?.socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.is(await ask(), 1)

  for (const { socket } of open) socket.destroy()
  await server.close()
})

test('who sends no whole request for 10 s is cut off, also after an answer; a request that takes longer is waited for', async () => {
  const server = await listenControl({
    place,
    env: fast,
    handle: (request) =>
      new Promise((resolve) => node.after((2 * limits.controlIdleMs) / SPEED, () => resolve(request))),
  })
  const idleMs = limits.controlIdleMs / SPEED
  const lived = async ({ socket, got }: Raw, text: string): Promise<[string, number]> => {
    const startMs = performance.now()
    socket.write(text)
    return [await got, (performance.now() - startMs) / idleMs]
  }

  const [[silent, silentFor], [half, halfFor], [asked, askedFor]] = await Promise.all([
    lived(raw(), ''),
    lived(raw(), '{"op"'),
    lived(raw(), '1\n'),
  ])
  assert.equal([silent, half, asked], ['', '', '1\n'])
  assert.ok(silentFor > 0.9 && silentFor < 2 && halfFor > 0.9 && halfFor < 2, `${silentFor} ${halfFor}`)
  assert.ok(askedFor > 2.9 && askedFor < 4.5, `${askedFor}`)
  await server.close()
})

test.run()

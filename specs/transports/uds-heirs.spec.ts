/** How many processes may have died one after the other while they took over one dead socket. */
import { chmodSync, linkSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createNodeEnv, limits, nodeCrypto, toHex } from '../../runtime/index.ts'
import { socketFileName } from '../../transports/socket-file.ts'
import { createUdsTransport } from '../../transports/index.ts'
import { codeOf } from '../server/world.ts'

const NAME = 'bugs'
const HEX = 16
let directory = ''
test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), 'blazedb-heirs-'))
})
test.after.each(() => rmSync(directory, { recursive: true }))

/** A socket under this name whose server is gone. */
async function leaveDead(name: string): Promise<void> {
  const server = createServer()
  const temporary = join(directory, 'listening')
  await new Promise<void>((resolve) => server.listen(temporary, resolve))
  linkSync(temporary, join(directory, name))
  chmodSync(join(directory, name), 0o600)
  await new Promise((resolve) => server.close(resolve))
}

/** As each process that takes over a dead socket calls its claim. */
function heirOf(name: string): string {
  const { dev, ino, mtimeNs } = lstatSync(join(directory, name), { bigint: true })
  const id = toHex(nodeCrypto.sha256(new TextEncoder().encode(`${dev} ${ino} ${mtimeNs}`))).slice(0, HEX)
  return `${socketFileName(NAME, nodeCrypto).slice(0, HEX)}.${id}.heir`
}

/** A dead socket, and as many dead heirs of it, each of the one before. */
async function leaveHeirs(count: number): Promise<void> {
  let last = socketFileName(NAME, nodeCrypto)
  await leaveDead(last)
  for (let n = 0; n < count; n += 1) {
    last = heirOf(last)
    await leaveDead(last)
  }
}

function listen(): Promise<string> {
  const transport = createUdsTransport(createNodeEnv(), nodeCrypto)
  const listening = transport.listen({ transport: 'uds', directory, name: NAME }, () => undefined)
  return codeOf(
    listening.then(async (listener) => {
      await listener.close()
      throw Object.assign(new Error(), { code: 'ok' })
    }),
  )
}

test('after 63 heirs that died the next one takes the socket over, and nothing of them is left', async () => {
  await leaveHeirs(limits.socketHeirsMax - 1)

  assert.is(await listen(), 'ok')
  assert.equal(readdirSync(directory), [])
})

test('after 64 it is PORT_IN_USE, and what is there stays', async () => {
  await leaveHeirs(limits.socketHeirsMax)
  const before = readdirSync(directory)

  assert.is(await listen(), 'PORT_IN_USE')
  assert.equal(readdirSync(directory), before)
})

test.run()

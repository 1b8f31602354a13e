/** The UDS transport works in a directory of its user alone, and neither uses nor removes what others may have put there. */
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, createNodeEnv, limits, nodeCrypto, toHex } from '../../runtime/index.ts'
import { createUdsTransport } from '../../transports/index.ts'
import type { Listener, LocalEndpoint, Transport } from '../../transports/index.ts'
import { openSocketDirectory } from '../../transports/socket-directory.ts'
import { codeOf, connect, until, watch } from '../contracts/transport.ts'

const OTHER_USER = 65_534
const transport: Transport = createUdsTransport(createNodeEnv(), nodeCrypto)
let root = ''
let directory = ''
let listener: Listener | undefined

test.before.each(() => {
  root = mkdtempSync(join(tmpdir(), 'blazedb-uds-'))
  directory = join(root, 'group')
  mkdirSync(directory, { mode: 0o700 })
})
test.after.each(async () => {
  await listener?.close()
  listener = undefined
  rmSync(root, { recursive: true, force: true })
})

const endpointIn = (where: string, name = 'bugs'): LocalEndpoint => ({
  transport: 'uds',
  directory: where,
  name,
})
/** As other programs may rely on it: half of SHA-256, in hexadecimal. */
const fileOf = (name: string): string =>
  `${toHex(nodeCrypto.sha256(new TextEncoder().encode(name)).subarray(0, 16))}.sock`
const dial = (endpoint: LocalEndpoint): Promise<string> =>
  codeOf(transport.dial(endpoint, { timeoutMs: 1_000 }).then((link) => link.destroy()))
const listen = (endpoint: LocalEndpoint): Promise<string> =>
  codeOf(transport.listen(endpoint, (link) => link.destroy()).then((listening) => (listener = listening)))

/** Whether both sides refuse, with a message that says what to do. */
async function bothRefuse(endpoint: LocalEndpoint, advice: RegExp): Promise<void> {
  for (const attempt of [
    () => transport.listen(endpoint, () => undefined),
    () => transport.dial(endpoint, { timeoutMs: 1_000 }),
  ]) {
    const error = await attempt().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    assert.instance(error, BlazeError)
    assert.is(error instanceof BlazeError && error.code, 'UNSAFE_DIRECTORY')
    assert.match(error instanceof Error ? error.message : '', advice)
  }
}

/** False, with a word, where only root could arrange what a spec needs. */
function isRoot(what: string): boolean {
  if (process.geteuid?.() === 0) return true
  console.log(`SKIPPED: ${what} needs root`)
  return false
}

test('the socket has a hashed name and is its owner’s alone', async () => {
  assert.is(await listen(endpointIn(directory, 'bug tracker / 2')), 'no error')

  assert.equal(readdirSync(directory), [fileOf('bug tracker / 2')])
  const { mode } = lstatSync(join(directory, fileOf('bug tracker / 2')))
  assert.is(mode & 0o777, 0o600)
  assert.is(statSync(directory).mode & 0o777, 0o700)
})

test('a directory that others may read, enter or write is refused at listen and at dial, and left as it is', async () => {
  assert.is(await listen(endpointIn(directory)), 'no error')
  for (const mode of [0o755, 0o777, 0o750, 0o701, 0o1777]) {
    chmodSync(directory, mode)

    await bothRefuse(endpointIn(directory), /chmod 700/)
    assert.is(lstatSync(directory).mode & 0o7777, mode)
  }
  chmodSync(directory, 0o700)

  assert.is(await dial(endpointIn(directory)), 'no error')
})

test('a symbolic link to a fine directory is refused', async () => {
  const alias = join(root, 'alias')
  symlinkSync(directory, alias)
  assert.is(await listen(endpointIn(directory)), 'no error')

  await bothRefuse(endpointIn(alias), /symbolic link; name the directory it leads to/)
})

test('a directory of another user is refused, and so is a socket of another user', async () => {
  if (!isRoot('a directory of another user')) return
  assert.is(await listen(endpointIn(directory)), 'no error')
  chownSync(directory, OTHER_USER, OTHER_USER)
  await bothRefuse(endpointIn(directory), /belongs to user 65534/)
  chownSync(directory, 0, 0)
  const socket = join(directory, fileOf('bugs'))
  chownSync(socket, OTHER_USER, OTHER_USER)

  await bothRefuse(endpointIn(directory), /belongs to user 65534/)
  assert.ok(existsSync(socket))
})

test('a file in place of the directory is refused, a missing one is BAD_CONFIG to listen and UNREACHABLE to dial', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '', { mode: 0o600 })
  await bothRefuse(endpointIn(file), /is no directory/)

  for (const missing of [join(root, 'missing'), join(file, 'below')]) {
    assert.is(await listen(endpointIn(missing)), 'BAD_CONFIG')
    assert.is(await dial(endpointIn(missing)), 'UNREACHABLE')
  }
})

test('a directory that is exchanged while it is opened is refused', async () => {
  const { default: files } = await import('node:fs/promises')
  const { syncBuiltinESMExports } = await import('node:module')
  const { open } = files
  const exchange = async (...args: Parameters<typeof open>): ReturnType<typeof open> => {
    renameSync(directory, `${directory}.away`)
    mkdirSync(directory, { mode: 0o700 })
    return open(...args)
  }
  Object.assign(files, { open: exchange })
  syncBuiltinESMExports()
  try {
    assert.is(await listen(endpointIn(directory)), 'UNSAFE_DIRECTORY')
  } finally {
    Object.assign(files, { open })
    syncBuiltinESMExports()
  }
})

test('what is no socket of ours alone in the socket’s place is refused at listen and at dial, and not removed', async () => {
  const living = endpointIn(directory, 'living')
  assert.is(await listen(living), 'no error')
  const place = join(directory, fileOf('bugs'))
  const impostors: [RegExp, () => void][] = [
    [/is no socket/, () => writeFileSync(place, 'keep me', { mode: 0o600 })],
    [/is no socket/, () => mkdirSync(place, { mode: 0o700 })],
    [/symbolic link/, () => symlinkSync(join(directory, fileOf('living')), place)],
    [/symbolic link/, () => symlinkSync(join(directory, 'nowhere'), place)],
    [/open to other users \(mode 0755\)/, () => openSocket(living, place)],
  ]

  for (const [advice, plant] of impostors) {
    plant()
    const planted = lstatSync(place)
    await bothRefuse(endpointIn(directory), advice)
    await bothRefuse(endpointIn(directory), /find out who made it, then remove it/)
    assert.is(lstatSync(place).ino, planted.ino)
    rmSync(place, { recursive: true })
  }

  assert.equal(readdirSync(directory), [fileOf('living')])
})

/** A second name of a living socket, with rights for everybody. */
function openSocket(living: LocalEndpoint, place: string): void {
  linkSync(join(directory, fileOf(living.name)), place)
  chmodSync(place, 0o755)
}

test('what looks like a leftover of a start and is no socket is not removed', async () => {
  const leftover = join(directory, `${fileOf('bugs').slice(0, 16)}.0123456789abcdef.new`)
  writeFileSync(leftover, 'keep me')

  assert.is(await listen(endpointIn(directory)), 'no error')

  assert.ok(existsSync(leftover))
})

test('a directory whose path has 140 characters works, its socket lies in it, and no handle stays open', async () => {
  const long = join(root, 'ü'.repeat(50), 'x'.repeat(140 - root.length - 52))
  mkdirSync(long, { recursive: true, mode: 0o700 })
  assert.is(long.length, 140)
  const endpoint = endpointIn(long)
  const handles = (): number => readdirSync('/proc/self/fd').length
  const before = handles()

  const pair = await connect({ listening: transport, dialling: transport, endpoint })
  const [here, there] = [watch(pair.dialled), watch(pair.accepted)]
  pair.dialled.send(Uint8Array.of(1))
  pair.accepted.send(Uint8Array.of(2))
  await until(() => here.records.length + there.records.length === 2, 'a record each way')
  assert.equal(readdirSync(long), [fileOf('bugs')])
  assert.is(await listen(endpoint), 'PORT_IN_USE')

  await pair.end()
  await until(() => here.closed.length + there.closed.length === 2, 'both ends')
  assert.equal(readdirSync(long), [])
  assert.is(await dial(endpoint), 'UNREACHABLE')
  assert.is(handles(), before)
})

test('where open files have no paths a long directory is BAD_CONFIG that asks for a shorter one', async () => {
  const fits = join(root, 'y'.repeat(limits.socketPathBytesMax - 1 - 38 - root.length - 1))
  mkdirSync(fits, { mode: 0o700 })
  mkdirSync(`${fits}z`, { mode: 0o700 })

  const opened = await openSocketDirectory(fits, 38, '/nowhere')
  assert.is(opened?.at('s').length, fits.length + 2)
  assert.is(await codeOf(openSocketDirectory(`${fits}z`, 38, '/nowhere')), 'BAD_CONFIG')
  await openSocketDirectory(`${fits}z`, 38, '/nowhere').catch((error: Error) =>
    assert.match(error.message, /at most 64 bytes/),
  )
  await opened?.close()
})

test.run()

/** The header: what opens it, what does not, and what one broken copy costs. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHeader, unlockHeader } from '../../../actors/database/header-file.ts'
import type { HeaderWorld } from '../../../actors/database/header-file.ts'
import { parseHeader } from '../../../actors/database/header.ts'
import { foundSpace } from '../../../actors/database/identity.ts'
import type { DatabaseIdentity } from '../../../actors/database/identity.ts'
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { Volume } from '../../../actors/replica/index.ts'
import { BlazeError, concatBytes, createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { createHeaderVolume } from './header-volume.ts'

const env = createNodeEnv()
const key = new Uint8Array(32).fill(1)
const other = new Uint8Array(32).fill(2)

interface Created extends HeaderWorld {
  readonly identity: DatabaseIdentity
}

async function created(secret: { key: Uint8Array } | { password: string } = { key }): Promise<Created> {
  const world = { volume: createSimulatedVolume(env), crypto: nodeCrypto, env }
  const identity = foundSpace({ crypto: nodeCrypto, env })
  await createHeader(world, { secret, profile: 'small', identity })
  return { ...world, identity }
}

async function outcome(
  world: HeaderWorld,
  secret: { key: Uint8Array } | { password: string },
): Promise<unknown> {
  try {
    return (await unlockHeader(world, secret))?.identity
  } catch (error) {
    if (error instanceof BlazeError) return error.code
    throw error
  }
}

const isViolation = (error: unknown): boolean =>
  error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION'

async function flip(volume: Volume, name: string, at: number): Promise<void> {
  const bytes = (await volume.readFile(name)) as Uint8Array
  bytes[at] = (bytes[at] as number) ^ 1
  await volume.writeFile(name, bytes)
}

test('a password opens what it closed, and no other secret does', async () => {
  const world = await created({ password: 'pässword' })

  assert.equal(await outcome(world, { password: 'pässword' }), world.identity)
  assert.is(await outcome(world, { password: 'password' }), 'WRONG_PASSWORD')
  assert.is(await outcome(world, { key }), 'WRONG_PASSWORD')
})

test('a raw key opens what it closed, and no other secret does', async () => {
  const world = await created()

  assert.equal(await outcome(world, { key }), world.identity)
  assert.is(await outcome(world, { key: other }), 'WRONG_PASSWORD')
  assert.is(await outcome(world, { password: 'x' }), 'WRONG_PASSWORD')
})

test('nothing of the identity is readable in the file', async () => {
  const { volume, identity } = await created()
  const file = Buffer.from((await volume.readFile('header.0')) as Uint8Array)

  for (const secret of [identity.space, identity.signSeed, identity.dhScalar, identity.tagKey, key]) {
    assert.is(file.indexOf(secret), -1)
  }
})

test('updates are kept, both copies hold them, and generations grow', async () => {
  const world = await created()
  const file = await unlockHeader(world, { key })

  await Promise.all([
    file?.update({ remote: { host: 'pi' } }),
    file?.update({ mirrors: [{ collection: 'c', source: new Uint8Array(16) }] }),
  ])
  await file?.update({ genesis: undefined })

  const copies = await Promise.all(['header.0', 'header.1'].map((name) => world.volume.readFile(name)))
  assert.equal(copies[0], copies[1])
  assert.is(parseHeader(copies[0] as Uint8Array, nodeCrypto).generation, 4)
  const identity = (await outcome(world, { key })) as DatabaseIdentity
  assert.equal(identity.remote, { host: 'pi' })
  assert.is(identity.mirrors.length, 1)
  assert.is(identity.genesis, undefined)
  assert.equal(identity.tagKey, world.identity.tagKey)
})

test('the newer of two valid copies counts, as after a crash between the two writes', async () => {
  const world = await created()
  const old = (await world.volume.readFile('header.1')) as Uint8Array
  const file = await unlockHeader(world, { key })
  await file?.update({ remote: 'new' })
  await world.volume.writeFile('header.1', old)

  assert.is(((await outcome(world, { key })) as DatabaseIdentity).remote, 'new')
})

test('two broken copies are HEADER_DAMAGED, none at all is a new directory', async () => {
  const world = await created()
  for (const name of ['header.0', 'header.1']) await flip(world.volume, name, 0)
  assert.is(await outcome(world, { key }), 'HEADER_DAMAGED')
  for (const name of ['header.0', 'header.1']) await world.volume.writeFile(name, new Uint8Array(0))
  assert.is(await outcome(world, { key }), 'HEADER_DAMAGED')

  const sealed = await created()
  const length = ((await sealed.volume.readFile('header.0')) as Uint8Array).length
  for (const name of ['header.0', 'header.1']) await flip(sealed.volume, name, length - 1)
  assert.is(await outcome(sealed, { key }), 'HEADER_DAMAGED')

  assert.is(await unlockHeader({ ...world, volume: createSimulatedVolume(env) }, { key }), undefined)
})

test('any flipped bit of both copies at once is HEADER_DAMAGED, whatever the secret', async () => {
  const { volume, ...world } = await created()
  const bytes = (await volume.readFile('header.0')) as Uint8Array

  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const files = new Map([0, 1].map((n) => [`header.${n}`, bytes.slice()]))
    for (const copy of files.values()) copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.is(
      await outcome({ ...world, volume: createHeaderVolume(files) }, { key }),
      'HEADER_DAMAGED',
      `bit ${bit}`,
    )
  }
})

test('any flipped bit of one copy is healed from the other, and never asks for a password in vain', async () => {
  const { volume, identity, ...world } = await created()
  const bytes = (await volume.readFile('header.0')) as Uint8Array

  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const files = new Map([0, 1].map((n) => [`header.${n}`, bytes.slice()]))
    const copy = files.get(`header.${bit % 2}`) as Uint8Array
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.equal(
      await outcome({ ...world, volume: createHeaderVolume(files) }, { key }),
      identity,
      `bit ${bit}`,
    )
    assert.equal(files.get('header.0'), files.get('header.1'), `bit ${bit} was not healed`)
  }
})

test('a header that was cut off anywhere, or has more behind it, is no copy', async () => {
  const { volume } = await created()
  const bytes = (await volume.readFile('header.0')) as Uint8Array

  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => parseHeader(bytes.subarray(0, length), nodeCrypto), isViolation, `${length} bytes`)
  }
  assert.throws(() => parseHeader(concatBytes([bytes, Uint8Array.of(0)]), nodeCrypto), isViolation)
})

test('a forged copy, its checksum made right, is refused and not believed', async () => {
  const { volume, ...world } = await created()
  const bytes = (await volume.readFile('header.0')) as Uint8Array
  const outcomes = new Set<string>()

  for (let at = 0; at < bytes.length - 32; at += 1) {
    const forged = bytes.slice()
    forged[at] = (forged[at] as number) ^ 1
    forged.set(nodeCrypto.sha256(forged.subarray(0, -32)), forged.length - 32)
    const files = new Map([0, 1].map((n) => [`header.${n}`, forged]))
    outcomes.add(String(await outcome({ ...world, volume: createHeaderVolume(files) }, { key })))
  }

  assert.equal(
    [...outcomes].toSorted((a, b) => (a < b ? -1 : 1)),
    ['HEADER_DAMAGED', 'WRONG_PASSWORD'],
  )
})

test('costs outside their bounds are refused before anything is derived, even under a right checksum', async () => {
  const { volume } = await created({ password: 'p' })
  const bytes = (await volume.readFile('header.0')) as Uint8Array
  const rows: [number, number][] = [
    [11, 0],
    [11, 2],
    [12, 14],
    [12, 21],
    [12, 63],
    [13, 9],
    [14, 0],
    [14, 5],
  ]
  for (const [at, value] of rows) {
    const forged = bytes.slice()
    forged[at] = value
    forged.set(nodeCrypto.sha256(forged.subarray(0, -32)), forged.length - 32)
    let scrypts = 0
    const crypto = {
      ...nodeCrypto,
      scrypt: () => {
        scrypts += 1
        return Promise.resolve(key)
      },
    }
    const files = new Map([0, 1].map((n) => [`header.${n}`, forged]))
    assert.is(
      await outcome({ volume: createHeaderVolume(files), crypto, env }, { password: 'p' }),
      'HEADER_DAMAGED',
      `byte ${at}`,
    )
    assert.is(scrypts, 0)
  }
})

test.run()

/** What a real directory adds to a volume: codes for its faults, rights, and files that are made once. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume, createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { Volume } from '../../../actors/replica/index.ts'
import { BlazeError, createSimulation, limits } from '../../../runtime/index.ts'
import { codeOf, settle } from './replica-world.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (found: Uint8Array | undefined): string | undefined =>
  found === undefined ? undefined : new TextDecoder().decode(found)

/** Runs on a fresh directory below the temporary one, which does not exist yet. */
async function withDirectory(work: (at: string) => Promise<void>): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'blazedb-volume-'))
  try {
    await work(join(parent, 'volume'))
  } finally {
    rmSync(parent, { recursive: true })
  }
}

test('a path that is a file is DIRECTORY_UNUSABLE with the reason', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-volume-'))
  try {
    const at = join(directory, 'file')
    writeFileSync(at, 'not a directory')
    const volume = createDirectoryVolume(at)

    for (const work of [
      () => volume.openStore('store'),
      () => volume.writeFile('header.0', new Uint8Array(1)),
    ]) {
      const error: unknown = await work().then(
        () => undefined,
        (cause: unknown) => cause,
      )

      assert.ok(error instanceof BlazeError)
      assert.is(error.code, 'DIRECTORY_UNUSABLE')
      assert.is(error.details['at'], at)
      assert.match(String(error.details['reason']), /^(ENOTDIR|EEXIST)$/)
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

async function makesOnce(volume: Volume, settled: <T>(promise: Promise<T>) => Promise<T>): Promise<void> {
  const many = Array.from({ length: 8 }, (_, at) => volume.createFile('keys/one', bytes(`maker ${at}`)))

  const made = await settled(Promise.all(many))

  assert.is(made.filter(Boolean).length, 1)
  assert.is(textOf(await volume.readFile('keys/one')), `maker ${made.indexOf(true)}`)
  assert.is(await settled(volume.createFile('keys/one', bytes('late'))), false)
  assert.is(textOf(await volume.readPrivate('keys/one')), `maker ${made.indexOf(true)}`)
  assert.equal(await volume.list('keys'), ['one'])
  assert.is(await volume.readPrivate('keys/none'), undefined)
  for (const name of ['../one', '/one', 'a/../../one', '']) {
    assert.is(await outcome(async () => volume.createFile(name, bytes('x'))), 'TypeError')
    assert.is(await outcome(async () => volume.readPrivate(name)), 'TypeError')
  }
}

async function outcome(work: () => Promise<unknown>): Promise<string> {
  return work().then(
    () => 'ok',
    (error: unknown) => (error instanceof TypeError ? 'TypeError' : String(error)),
  )
}

test('of several makers of a file one succeeds, on a real disk and on a simulated one', async () => {
  const simulation = createSimulation(1)
  await makesOnce(createSimulatedVolume(simulation.env('disk')), (promise) => settle(simulation, promise))
  await withDirectory(async (at) => makesOnce(createDirectoryVolume(at), (promise) => promise))
})

test('a file that was made is for its owner only, and nothing is left beside it', () =>
  withDirectory(async (at) => {
    const volume = createDirectoryVolume(at)

    await volume.createFile('secret', bytes('x'))
    await volume.createFile('secret', bytes('y'))

    assert.is(statSync(join(at, 'secret')).mode & 0o777, 0o600)
    assert.is(statSync(join(at, 'secret')).nlink, 1)
    assert.equal(readdirSync(at), ['secret'])
  }))

test('a file that was being made when the power went is there whole or not at all', async () => {
  const simulation = createSimulation(1)
  const volume = createSimulatedVolume(simulation.env('disk'), { latencyMsMax: 100 })

  const making = volume.createFile('secret', bytes('x'))
  volume.crash()

  assert.is(await settle(simulation, codeOf(making)), 'POISONED')
  assert.is(await volume.readFile('secret'), undefined)
  assert.is(await settle(simulation, volume.createFile('secret', bytes('y'))), true)
})

test('private makes a directory for this user alone, and refuses one that is not', () =>
  withDirectory(async (at) => {
    await createDirectoryVolume(join(at, 'deep')).private()
    assert.is(statSync(at).mode & 0o777, 0o700)
    assert.is(statSync(join(at, 'deep')).mode & 0o777, 0o700)
    await createDirectoryVolume(join(at, 'deep')).private()

    chmodSync(join(at, 'deep'), 0o750)
    assert.is(await codeOf(createDirectoryVolume(join(at, 'deep')).private()), 'UNSAFE_DIRECTORY')
    symlinkSync(at, join(at, 'link'))
    assert.is(await codeOf(createDirectoryVolume(join(at, 'link')).private()), 'UNSAFE_DIRECTORY')
  }))

test('a private file is read only while others have no right to it, and up to a size', () =>
  withDirectory(async (at) => {
    const volume = createDirectoryVolume(at)
    await volume.writeFile('secret', bytes('x'))
    assert.is(textOf(await volume.readPrivate('secret')), 'x')

    for (const mode of [0o640, 0o604, 0o610]) {
      chmodSync(join(at, 'secret'), mode)
      assert.is(await codeOf(volume.readPrivate('secret')), 'UNSAFE_DIRECTORY')
      assert.is(textOf(await volume.readFile('secret')), 'x')
    }
    symlinkSync('secret', join(at, 'link'))
    assert.is(await codeOf(volume.readPrivate('link')), 'UNSAFE_DIRECTORY')
    await volume.writeFile('large', new Uint8Array(limits.privateFileBytesMax))
    assert.is((await volume.readPrivate('large'))?.length, limits.privateFileBytesMax)
    await volume.writeFile('large', new Uint8Array(limits.privateFileBytesMax + 1))
    assert.is(await codeOf(volume.readPrivate('large')), 'DAMAGED')
    assert.is(await codeOf(createDirectoryVolume(join(at, 'secret')).readPrivate('x')), 'DIRECTORY_UNUSABLE')
  }))

test.run()

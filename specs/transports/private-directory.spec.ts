/** A private directory is made, or found to be one, and never changed. */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { makePrivateDirectory } from '../../transports/index.ts'
import { codeOf } from '../contracts/transport.ts'

let root = ''
const modeOf = (path: string): number => lstatSync(path).mode & 0o7777

test.before.each(() => {
  root = mkdtempSync(join(tmpdir(), 'blazedb-private-'))
})
test.after.each(() => rmSync(root, { recursive: true, force: true }))

test('it is made with the directories above it, all for this user alone, whatever the umask', async () => {
  const umask = process.umask(0)
  await makePrivateDirectory(join(root, 'a/b/c'))
  process.umask(umask)

  for (const path of ['a', 'a/b', 'a/b/c']) assert.is(modeOf(join(root, path)), 0o700)
})

test('one that is there is left alone, also when several make it at once', async () => {
  await Promise.all(Array.from({ length: 20 }, () => makePrivateDirectory(join(root, 'a/b'))))
  writeFileSync(join(root, 'a/b/file'), '')

  await makePrivateDirectory(join(root, 'a/b'))

  assert.ok(lstatSync(join(root, 'a/b/file')).isFile())
})

test('what is no directory of this user alone is UNSAFE_DIRECTORY and stays as it is', async () => {
  const path = join(root, 'a')
  mkdirSync(path)
  for (const mode of [0o755, 0o710, 0o702]) {
    chmodSync(path, mode)
    assert.is(await codeOf(makePrivateDirectory(path)), 'UNSAFE_DIRECTORY')
    assert.is(modeOf(path), mode)
  }
  chmodSync(path, 0o700)
  symlinkSync(path, join(root, 'link'))
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'))
  writeFileSync(join(root, 'file'), '', { mode: 0o600 })

  for (const name of ['link', 'dangling', 'file'])
    assert.is(await codeOf(makePrivateDirectory(join(root, name))), 'UNSAFE_DIRECTORY', name)
})

test('one of another user is UNSAFE_DIRECTORY', async () => {
  if (process.geteuid?.() !== 0) {
    console.log('SKIPPED: a directory of another user needs root')
    return
  }
  mkdirSync(join(root, 'a'), { mode: 0o700 })
  chownSync(join(root, 'a'), 65_534, 65_534)

  assert.is(await codeOf(makePrivateDirectory(join(root, 'a'))), 'UNSAFE_DIRECTORY')
})

test('one that cannot be made is DIRECTORY_UNUSABLE', async () => {
  writeFileSync(join(root, 'file'), '')

  assert.is(await codeOf(makePrivateDirectory(join(root, 'file/below'))), 'DIRECTORY_UNUSABLE')
})

test.run()

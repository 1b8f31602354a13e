/** A real directory that cannot be used: a code and a reason, not a bare error of the operating system. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume } from '../../../actors/replica/index.ts'
import { BlazeError } from '../../../runtime/index.ts'

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

test.run()

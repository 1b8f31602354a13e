/** The reserve of a disk: a quarter of a small one, 64 MiB of others, and half of it for what frees room. */
import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FreeSpace } from '../../../actors/replica/disk/free-space.ts'
import { limits } from '../../../runtime/index.ts'
import { codeOf } from '../../fixtures/code-of.ts'
import { onSmallDisk } from '../../fixtures/small-disk.ts'

const MEBIBYTE = 1_048_576

/** Whether a write, and what frees room, may go on with so many bytes free. */
function verdicts(at: string, freeBytes: number): [string, string] {
  const { bavail, bsize } = statfsSync(at)
  writeFileSync(join(at, `filler ${freeBytes}`), Buffer.alloc(bavail * bsize - freeBytes))
  const code = (frees: boolean): string => codeOf(() => new FreeSpace(at).check(0, frees))
  return [code(false), code(true)]
}

for (const [what, diskBytes, reserveBytes] of [
  ['a disk of 64 MiB', 64 * MEBIBYTE, 16 * MEBIBYTE],
  ['a disk of 512 MiB', 512 * MEBIBYTE, limits.diskReserveBytes],
] as const) {
  test(`${what} keeps ${reserveBytes / MEBIBYTE} MiB from writes, and half of that from deletes`, async () => {
    const block = 4_096
    await onSmallDisk(diskBytes, async (at) => {
      assert.equal(verdicts(at, reserveBytes), ['ok', 'ok'])
      assert.equal(verdicts(at, reserveBytes - block), ['DISK_FULL', 'ok'])
      assert.equal(verdicts(at, reserveBytes / 2), ['DISK_FULL', 'ok'])
      assert.equal(verdicts(at, reserveBytes / 2 - block), ['DISK_FULL', 'DISK_FULL'])
    })
  })
}

test('what is measured counts for a while, or until much was written', async () => {
  await onSmallDisk(64 * MEBIBYTE, async (at) => {
    const space = new FreeSpace(at)
    space.check(0, false)
    verdicts(at, MEBIBYTE)

    assert.is(
      codeOf(() => space.check(limits.spaceCheckMs - 1, false)),
      'ok',
    )
    assert.is(
      codeOf(() => space.check(limits.spaceCheckMs, false)),
      'DISK_FULL',
    )
    const other = new FreeSpace(at)
    assert.is(
      codeOf(() => other.check(0, false)),
      'DISK_FULL',
    )
  })
})

test('4 MiB that were written make it measure again', async () => {
  await onSmallDisk(64 * MEBIBYTE, async (at) => {
    const space = new FreeSpace(at)
    space.check(0, false)
    verdicts(at, MEBIBYTE)

    space.wrote(limits.spaceCheckBytes - 1)
    assert.is(
      codeOf(() => space.check(1, false)),
      'ok',
    )
    space.wrote(1)
    assert.is(
      codeOf(() => space.check(1, false)),
      'DISK_FULL',
    )
  })
})

test.run()

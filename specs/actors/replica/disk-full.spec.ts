/**
 * A disk that runs full and gets room again (DESIGN §6.2 rule 4), on a real file system of limited size: writers hear DISK_FULL before
 * LevelDB fails and go on by themselves; after a failure in LevelDB itself nothing acknowledged is lost.
 */
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contextOf, createDirectoryVolume, openReplica } from '../../../actors/replica/index.ts'
import type { Replica } from '../../../actors/replica/index.ts'
import { createNodeEnv, createSimulation, limits, nodeCrypto } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { onSmallDisk } from '../../fixtures/small-disk.ts'
import {
  authority,
  codeOf,
  device,
  draft,
  put,
  settle,
  spaceId,
  startNode,
  tag,
  textOf,
} from './replica-world.ts'
import { tagOfWrite } from './write-plan.ts'

const MEBIBYTE = 1_048_576
const DISK_BYTES = 256 * MEBIBYTE
const body = 'x'.repeat(20_000)

async function open(at: string, env: Env = createNodeEnv()): Promise<Replica> {
  const store = await createDirectoryVolume(join(at, 'volume')).openStore('replica')
  try {
    const options = { store, spaceId, env, crypto: nodeCrypto, authority: authority(), own: device(1) }
    return await openReplica(options)
  } catch (error) {
    await store.close()
    throw error
  }
}

function freeBytes(at: string): number {
  const { bavail, bsize } = statfsSync(at)
  return bavail * bsize
}

/** Takes all but so many bytes. */
function fill(at: string, left: number): void {
  writeFileSync(join(at, 'filler'), Buffer.alloc(Math.max(0, freeBytes(at) - left)))
}

function bodyOf(n: number): string {
  return `${n} ${body}`
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => createNodeEnv().after(ms, () => resolve()))
}

test('writes are refused below the reserve, reads and deletes go on, and writes again once there is room', async () => {
  await onSmallDisk(DISK_BYTES, async (at) => {
    const replica = await open(at)
    for (let n = 0; n < 50; n += 1) await put(replica, tagOfWrite(n), bodyOf(n))
    fill(at, DISK_BYTES / limits.diskReserveShare - MEBIBYTE)
    await sleep(limits.spaceCheckMs)

    assert.is(await codeOf(put(replica, tag(200), 'more')), 'DISK_FULL')
    assert.is(replica.live(tagOfWrite(7)).map(textOf).join(), bodyOf(7))
    const context = contextOf(replica.live(tagOfWrite(9)))
    await replica.write([draft(tagOfWrite(9), '', context, { deleted: true })])
    rmSync(join(at, 'filler'))
    await sleep(limits.spaceCheckMs)
    await put(replica, tag(200), 'more')

    await replica.close()
    const again = await open(at)
    assert.is(again.live(tag(200)).map(textOf).join(), 'more')
    assert.is((await again.verify()).count, 0)
    await again.close()
  })
})

test('a writer without pause is stopped by the reserve, never by LevelDB, and loses nothing', async () => {
  await onSmallDisk(DISK_BYTES, async (at) => {
    const replica = await open(at)
    let poisoned = false
    replica.onPoisoned(() => {
      poisoned = true
    })
    let n = 0
    let code = 'none'
    while (code === 'none') {
      const first = n
      const batch = Array.from({ length: 32 }, (_, i) =>
        draft(tagOfWrite(3 * (first + i) + 1), bodyOf(first + i), []),
      )
      code = await codeOf(replica.write(batch))
      if (code === 'none') n += 32
    }

    assert.is(code, 'DISK_FULL')
    assert.is(poisoned, false)
    assert.ok(freeBytes(at) > 0, `${freeBytes(at)} bytes are free`)
    await replica.close()
    const again = await open(at)
    for (let i = 0; i < n; i += 1)
      assert.is(
        again
          .present(tagOfWrite(3 * i + 1))
          .live.map(textOf)
          .join(),
        bodyOf(i),
      )
    assert.is((await again.verify()).count, 0)
    await again.close()
  })
})

test('a disk that is full in spite of the reserve poisons, and after reopening all that was acknowledged is there', async () => {
  await onSmallDisk(DISK_BYTES, async (at) => {
    const env = createNodeEnv()
    // A clock that stands still: the reserve is measured by bytes only, and others fill the disk meanwhile.
    const replica = await open(at, { ...env, monotonic: () => 1 })
    await put(replica, tagOfWrite(1), bodyOf(1))
    fill(at, 300_000)
    let n = 1
    let code = 'none'
    while (code === 'none') {
      n += 3
      code = await codeOf(put(replica, tagOfWrite(n), bodyOf(n)))
    }
    assert.is(code, 'POISONED')
    assert.is(await codeOf(put(replica, tag(200), 'small')), 'POISONED')
    assert.is(await codeOf(replica.close()), 'POISONED')

    const whileFull = await codeOf(open(at).then((opened) => opened.close()))
    assert.ok(['DISK_FULL', 'none'].includes(whileFull), whileFull)
    rmSync(join(at, 'filler'))
    const again = await open(at)
    for (let i = 1; i < n; i += 3) assert.is(again.live(tagOfWrite(i)).map(textOf).join(), bodyOf(i))
    // The one that failed is unknown: there whole, or not at all.
    assert.ok(['', bodyOf(n)].includes(again.live(tagOfWrite(n)).map(textOf).join()))
    assert.is((await again.verify()).count, 0)
    await put(again, tag(200), 'goes on')
    await again.close()
  })
})

test('a simulated disk below its reserve refuses too, and fails nobody', async () => {
  const simulation = createSimulation(1)
  const { volume, replica } = await startNode(simulation, 1)
  volume.setLow(true)
  assert.is(await codeOf(put(replica, tag(1), 'no')), 'DISK_FULL')
  // What others must store, such as a log entry that somebody was told of, may use the reserve.
  await settle(simulation, replica.extra([{ type: 'put', key: tag(1), value: tag(1) }]))
  volume.setLow(false)

  await settle(simulation, put(replica, tag(1), 'yes'))

  assert.is(replica.live(tag(1)).map(textOf).join(), 'yes')
})

test.run()

// time limit: 240 s
/**
 * Every kind of damage to the files of a killed process's store (DESIGN §6.2): the data is whole, or an error with a code says that it
 * is not. Never is a value wrong, an acknowledged write missing in silence, or the process ended.
 */
import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openReplica } from '../../../actors/replica/index.ts'
import { Acknowledged, readAcknowledged } from '../../../actors/replica/disk/acknowledged.ts'
import { crc32c } from '../../../actors/replica/disk/crc32c.ts'
import { FreeSpace } from '../../../actors/replica/disk/free-space.ts'
import { readManifest } from '../../../actors/replica/disk/level-manifest.ts'
import { openLevelStore, tryLevelStore } from '../../../actors/replica/disk/level-store.ts'
import { createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { copyOf, filesOf, judge, killedStore, temporaryDirectory } from './killed-store.ts'
import type { KilledStore, Verdict } from './killed-store.ts'
import { authority, codeOf, device, spaceId } from './replica-world.ts'

const root = temporaryDirectory()
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
/** Everything in the log, and one with tables and a log. */
const small = await killedStore(join(root, 'small'), 300)
const large = await storeWithLog()

/** The last batch of a log cannot be told from one that a kill cut off, so a log with little else shows nothing: another kill, then. */
async function storeWithLog(): Promise<KilledStore> {
  for (let attempt = 1; ; attempt += 1) {
    const store = await killedStore(join(root, `large-${attempt}`), 700 + attempt, { bodyBytes: 8_000 })
    const [name = ''] = filesOf(store, /\.log$/).slice(-1)
    const { lastSequence } = readManifest(readFileSync(filesOf(store, /^MANIFEST/).at(-1) ?? ''))
    const acknowledged = (await readAcknowledged(join(store.at, 'replica', 'ACKED'))) ?? 0
    // Right after a table was made the MANIFEST counts what is only in the log: then nothing tells that all of the log is gone.
    const shows = readFileSync(name).length > 100_000 && lastSequence < acknowledged
    if (shows || attempt === 8) return store
  }
}

/** What becomes of a copy that was damaged in this way. */
function damaged(store: KilledStore, damage: (copy: KilledStore) => void): Promise<Verdict> {
  const copy = copyOf(store, join(root, 'copy'))
  damage(copy)
  return judge(copy)
}

function flip(file: string | undefined, at: number): void {
  const bytes = readFileSync(file ?? '')
  bytes[at] = (bytes[at] ?? 0) ^ 0x40
  writeFileSync(file ?? '', bytes)
}

/** One more record at the end of a MANIFEST (LevelDB, log_format.md): masked CRC-32C, length, type, and the edit. */
function appendEdit(file: string, edit: Uint8Array): void {
  const record = Buffer.alloc(7 + edit.length)
  record.set(edit, 7)
  record[6] = 1
  record.writeUInt16LE(edit.length, 4)
  const crc = crc32c(record, 6, record.length)
  record.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, 0)
  appendFileSync(file, record)
}

/** So many places from the first to the last. */
function* places(size: number, count: number): Iterable<number> {
  for (let n = 0; n < count; n += 1) yield Math.floor(((size - 1) * n) / (count - 1))
}

const one = (store: KilledStore, name: RegExp): string => filesOf(store, name).at(-1) ?? ''
/** Tables that the MANIFEST names: a kill leaves some that a compaction had not finished. */
function tables(store: KilledStore): string[] {
  const { tables: live } = readManifest(readFileSync(one(store, /^MANIFEST/)))
  return filesOf(store, /\.ldb$/).filter((file) => live.has(Number.parseInt(basename(file), 10)))
}
const table = (store: KilledStore): string => tables(store).at(-1) ?? ''
const log = (store: KilledStore): string => one(store, /\.log$/)

test('the stores are what they should be, and whole while nobody touches them', async () => {
  assert.is(filesOf(small, /\.ldb$/).length, 0)
  assert.ok(tables(large).length > 1)
  assert.is(await damaged(small, () => {}), 'whole')
  assert.is(await damaged(large, () => {}), 'whole')
})

/**
 * Damages copies at places of the log in their order. All of it is noticed, but for what the kill kept from being acknowledged: the last
 * batch, without which the store is as whole as with it.
 */
async function assertNoticed(
  store: KilledStore,
  count: number,
  damage: (file: string, at: number) => void,
): Promise<void> {
  const { length } = readFileSync(log(store))
  const verdicts: Verdict[] = []
  for (const at of places(length - 1, count))
    verdicts.push(await damaged(store, (copy) => damage(log(copy), at)))
  const noticed = verdicts.filter((verdict) => verdict === 'damaged').length
  const whole = verdicts.length - noticed
  assert.equal(verdicts, [
    ...Array.from({ length: noticed }, () => 'damaged'),
    ...Array.from({ length: whole }, () => 'whole'),
  ])
  assert.ok(whole <= count / 4, `${whole} of ${count} went unnoticed`)
}

test('a byte flipped anywhere in the log is noticed', async () => {
  await assertNoticed(small, 60, flip)
})

test('a byte flipped anywhere in the log of a store with tables is noticed', async () => {
  await assertNoticed(large, 12, flip)
})

test('a log that is cut is noticed when an acknowledged write is gone with its end', async () => {
  await assertNoticed(small, 20, truncateSync)
})

test('a MANIFEST that counts what is only in the log does not hide that the end of the log is gone', async () => {
  const count = (copy: KilledStore): void =>
    appendEdit(one(copy, /^MANIFEST/), Uint8Array.of(4, 0xff, 0xff, 0x7f))
  const half = Math.floor(readFileSync(log(small)).length / 2)

  assert.is(await damaged(small, count), 'whole')
  const verdict = await damaged(small, (copy) => {
    count(copy)
    truncateSync(log(copy), half)
  })
  assert.is(verdict, 'damaged')
})

test('what a kill or a power cut leaves at the end of the log is no damage', async () => {
  const bytes = readFileSync(log(small))
  const half = bytes.subarray(0, 100)
  for (const tail of [half.subarray(0, 5), half, Buffer.alloc(5_000), Buffer.alloc(70_000, 0xff)])
    assert.is(
      await damaged(small, (copy) => writeFileSync(log(copy), Buffer.concat([bytes, tail]))),
      'whole',
      `${tail.length} bytes`,
    )
})

test('a byte flipped anywhere in a table is noticed', async () => {
  const { length } = readFileSync(table(large))
  for (const at of places(length, 12))
    assert.is(await damaged(large, (copy) => flip(table(copy), at)), 'damaged', `byte ${at} of ${length}`)
  // The handles of the blocks, and the footer, where a wrong length would end the process.
  for (let at = length - 60; at < length; at += 3) {
    // What fills up the footer says nothing.
    const isNoticed = (await damaged(large, (copy) => flip(table(copy), at))) === 'damaged'
    assert.ok(isNoticed || (at >= length - 48 && at < length - 8), `byte ${at} of ${length}`)
  }
})

test('a byte flipped anywhere in MANIFEST or CURRENT is noticed', async () => {
  for (const name of [/^MANIFEST/, /^CURRENT$/]) {
    const { length } = readFileSync(one(large, name))
    for (const at of places(length, Math.min(length, 20)))
      assert.is(
        await damaged(large, (copy) => flip(one(copy, name), at)),
        'damaged',
        `${String(name)} ${at} of ${length}`,
      )
  }
})

test('a MANIFEST that is cut is noticed', async () => {
  const { length } = readFileSync(one(large, /^MANIFEST/))
  for (const at of places(length - 1, 20))
    assert.is(
      await damaged(large, (copy) => truncateSync(one(copy, /^MANIFEST/), at)),
      'damaged',
      `${at} of ${length}`,
    )
})

for (const [way, change] of [
  ['removed', (file: string) => rmSync(file)],
  ['emptied', (file: string) => writeFileSync(file, '')],
] as const) {
  test(`a file that was ${way} is noticed, unless nothing needs it`, async () => {
    const unnoticed: string[] = []
    const needless = new Set(filesOf(large, /\.ldb$/).filter((file) => !tables(large).includes(file)))
    for (const file of filesOf(large, /./)) {
      const name = basename(file)
      if (needless.has(file)) continue
      const verdict = await damaged(large, (copy) => change(join(copy.at, 'replica', name)))
      if (verdict === 'damaged') continue
      assert.is(verdict, 'whole', name)
      unnoticed.push(name)
    }
    // Files of ours that only help, and two of LevelDB without data.
    assert.equal(unnoticed, ['ACKED', 'HOLDER', 'LOCK', 'LOG'])
  })
}

test('a store that ends whatever opens it is opened by another process first', async () => {
  const copy = copyOf(large, join(root, 'copy'))
  for (const file of filesOf(copy, /\.ldb$/)) {
    const bytes = readFileSync(file)
    const footer = bytes.length - 48
    // Two handles whose lengths no memory can hold; then what fills up the footer, and its last bytes as they were.
    const handle = Buffer.from([0, ...Array.from({ length: 8 }, () => 0xff), 0x0f])
    Buffer.concat([handle, handle]).copy(bytes, footer)
    writeFileSync(file, bytes)
  }

  assert.is(await codeOf(tryLevelStore(join(copy.at, 'replica'))), 'DAMAGED')
  assert.is(await judge(copyOf(large, join(root, 'copy'))), 'whole')
})

test('the batch records alone show what the log lost in the middle', async () => {
  const { length } = readFileSync(log(small))
  let gaps = 0
  for (const at of places(length - 33_000, 12)) {
    const copy = copyOf(small, join(root, 'copy'))
    flip(log(copy), at)
    // Past all that looks at files: LevelDB drops what it cannot read, and says nothing.
    const path = join(copy.at, 'replica')
    const store = await openLevelStore(path, async () => ({
      acknowledged: new Acknowledged(join(path, 'ACKED'), 0),
      space: new FreeSpace(path),
      verifyFiles: async () => [],
      closed: async () => {},
      released: () => {},
    }))
    const env = createNodeEnv()
    const opening = openReplica({
      store,
      spaceId,
      env,
      crypto: nodeCrypto,
      authority: authority(),
      own: device(1),
    })
    if ((await codeOf(opening)) === 'DAMAGED') gaps += 1
    await store.close()
  }
  assert.is(gaps, 12)
})

test.run()

/** The bytes of a backup: what is wrong with a file is found, and named by its frame. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BackupReader, encodeHead, FrameSealer } from '../../../actors/database/moving/backup-frame.ts'
import type { BackupHead } from '../../../actors/database/moving/backup-frame.ts'
import {
  encodeManifest,
  encodeRow,
  encodeTotals,
  ItemReader,
} from '../../../actors/database/moving/backup-item.ts'
import type { FileSource, StoreRow } from '../../../actors/replica/index.ts'
import { BlazeError, concatBytes, limits, nodeCrypto } from '../../../runtime/index.ts'

const key = new Uint8Array(32).fill(3)
const header = new Uint8Array(60).fill(4)
const rows = Array.from({ length: 12 }, (_, n): StoreRow => [
  Uint8Array.of(0x74, n),
  new Uint8Array(10 + n * 7).fill(n),
])
const manifest = { space: new Uint8Array(16).fill(1), madeAtMs: 5, lastOwnSeq: 7, tags: 12, envelopes: 12 }

/** The pieces of a backup: its head, then its frames. */
function pieces(id = 1, plainBytes = 100): Uint8Array[] {
  const head: BackupHead = { backupId: new Uint8Array(16).fill(id), header }
  const plain = concatBytes([encodeManifest(manifest), ...rows.map(encodeRow), encodeTotals(rows.length)])
  const sealer = new FrameSealer(nodeCrypto, key, head)
  const frames: Uint8Array[] = []
  for (let at = 0; at < plain.length; at += plainBytes) {
    frames.push(sealer.seal(plain.subarray(at, at + plainBytes), at + plainBytes >= plain.length))
  }
  return [encodeHead(head), ...frames]
}

/** Gives three bytes at a time at most, as a slow disk may. */
function sourceOf(bytes: Uint8Array): FileSource {
  let at = 0
  return {
    sizeBytes: bytes.length,
    async read(bytesMax) {
      const piece = bytes.subarray(at, at + Math.min(bytesMax, 3))
      at += piece.length
      return piece
    },
    async close() {},
  }
}

async function read(file: Uint8Array): Promise<StoreRow[]> {
  const reader = new BackupReader(sourceOf(file))
  const head = await reader.head()
  const items = new ItemReader()
  const found: StoreRow[] = []
  let last = 0
  await reader.frames(nodeCrypto, { key, head }, async (plain, frame) => {
    found.push(...items.add(plain, frame))
    last = frame
  })
  items.end(last)
  assert.equal(items.manifest, manifest)
  return found
}

/** The frame that `BACKUP_INVALID` names. */
async function brokenFrame(file: Uint8Array): Promise<unknown> {
  try {
    await read(file)
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'BACKUP_INVALID') return error.details['frame']
    if (error instanceof BlazeError) return error.code
    throw error
  }
  return 'whole'
}

test('what was written is read, wherever frames cut the rows', async () => {
  for (const plainBytes of [1, 2, 7, 64, 100, 5000]) {
    assert.equal(await read(concatBytes(pieces(1, plainBytes))), rows, `${plainBytes} bytes a frame`)
  }
})

test('a file that ends at any byte before its end is refused, with the frame in which it ends', async () => {
  const parts = pieces()
  const file = concatBytes(parts)
  const starts = parts.map((_, n) => concatBytes(parts.slice(0, n)).length)

  for (let length = 0; length < file.length; length += 1) {
    const frame = starts.findLastIndex((start) => start <= length)
    assert.is(await brokenFrame(file.subarray(0, length)), frame, `${length} bytes`)
  }
  assert.is(await brokenFrame(concatBytes([file, Uint8Array.of(0)])), parts.length - 1, 'a byte more')
})

test('any flipped bit of a frame is refused, with its number; one of the head at the latest with the first', async () => {
  const parts = pieces()
  const file = concatBytes(parts)
  const starts = parts.map((_, n) => concatBytes(parts.slice(0, n)).length)

  for (let bit = 0; bit < file.length * 8; bit += 1) {
    const changed = file.slice()
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    const frame = starts.findLastIndex((start) => start <= bit >> 3)
    const found = await brokenFrame(changed)
    if (frame > 0) assert.is(found, frame, `bit ${bit}`)
    // The version says NOT_SUPPORTED, a longer header that the file ends.
    else
      assert.ok([0, 1, 'NOT_SUPPORTED'].includes(found as number), `bit ${bit} of the head: ${String(found)}`)
  }
})

test('frames in another order, twice, left out, or of another backup are refused where they stand', async () => {
  const parts = pieces()
  const other = pieces(2)
  const [head = new Uint8Array(0), ...frames] = parts
  const last = frames.length
  assert.ok(last > 5)
  const swapped = parts.with(2, parts[3] as Uint8Array).with(3, parts[2] as Uint8Array)

  assert.is(await brokenFrame(concatBytes(swapped)), 2)
  assert.is(await brokenFrame(concatBytes([head, frames[0] as Uint8Array, ...frames])), 2)
  assert.is(await brokenFrame(concatBytes([head, ...frames.slice(1)])), 1)
  assert.is(await brokenFrame(concatBytes(parts.with(4, other[4] as Uint8Array))), 4)
  assert.is(await brokenFrame(concatBytes([other[0] as Uint8Array, ...frames])), 1)
  assert.is(await brokenFrame(concatBytes([...parts, parts.at(-1) as Uint8Array])), last)
})

test('two backups of the same rows share no ciphertext: each is sealed under a key of its own', async () => {
  const other = pieces(2)

  for (const [n, frame] of pieces(1).entries()) {
    if (n === 0) continue
    const twin = other[n] as Uint8Array
    assert.is(twin.length, frame.length)
    const same = frame.filter((byte, at) => at >= 5 && byte === twin[at]).length
    assert.ok(same < frame.length / 4, `${same} of ${frame.length} bytes are the same`)
  }
})

test('a frame in the middle that says it is the last one, or the other way round, is refused', async () => {
  const parts = pieces()
  for (const at of [1, 3, parts.length - 1]) {
    const changed = (parts[at] as Uint8Array).slice()
    changed[0] = 1 - (changed[0] as number)
    assert.is(await brokenFrame(concatBytes(parts.with(at, changed))), at)
  }
})

test('a length above the limit is refused before anything is read for it', async () => {
  const [head = new Uint8Array(0)] = pieces()
  const start = Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff)
  let asked = 0
  const source = sourceOf(concatBytes([head, start]))
  const reader = new BackupReader({
    ...source,
    read: (bytesMax) => {
      asked = Math.max(asked, bytesMax)
      return source.read(bytesMax)
    },
  })
  const found = await reader.head()
  let refused: unknown
  await reader
    .frames(nodeCrypto, { key, head: found }, async () => {})
    .catch((error: unknown) => {
      refused = error
    })

  assert.ok(refused instanceof BlazeError && refused.code === 'BACKUP_INVALID')
  assert.ok(asked <= limits.backupFrameBytesMax)
})

test('a file that is something else is no backup', async () => {
  assert.is(await brokenFrame(new TextEncoder().encode('{"collection":"a","id":"b","fields":{}}\n')), 0)
  assert.is(await brokenFrame(new Uint8Array(0)), 0)
})

test.run()

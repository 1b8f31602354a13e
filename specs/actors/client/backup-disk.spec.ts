/** Backups, restores and exports on a real disk: files, their rights, a disk that runs full, kill -9 in the middle. */
// time limit: 180 s
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeDBClient } from '../../../actors/client/index.ts'
import { createChance } from '../../../runtime/index.ts'
import { codeOfWork } from '../../fixtures/code-of.ts'
import { onSmallDisk } from '../../fixtures/small-disk.ts'
import { loaderArgs } from '../../../scripts/typescript/loader.ts'

const child = fileURLToPath(new URL('restore-child.ts', import.meta.url))
const key = new Uint8Array(32).fill(4)
const RECORDS = 6_000
const SMALL_BYTES = 400 * 1_024

async function inDirectory(work: (at: string) => Promise<void>): Promise<void> {
  const at = mkdtempSync(join(tmpdir(), 'blazedb-backup-'))
  try {
    await work(at)
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

async function filled(at: string): Promise<BlazeDBClient> {
  const db = await BlazeDBClient.open({ name: 'db', at, key })
  const docs = Array.from({ length: RECORDS }, (_, n) => ({ id: `r${n}`, n, text: 'a text to search for' }))
  await db.collection('records').insertMany(docs)
  return db
}

test('a backup is one file for its owner, without a readable text, and restores on the disk', () =>
  inDirectory(async (at) => {
    const db = await filled(join(at, 'db'))
    const file = join(at, 'my backup (1).blz')
    writeFileSync(file, 'what was there')

    await db.backup(file, { password: 'other', timeoutMs: 60_000 })
    await db.close()
    const back = await BlazeDBClient.restore({
      from: file,
      name: 'back',
      at: join(at, 'back'),
      password: 'other',
    })

    assert.equal(readdirSync(at), ['back', 'db', 'my backup (1).blz'])
    assert.is(statSync(file).mode & 0o777, 0o600)
    assert.throws(() => execFileSync('grep', ['-c', 'text to search', file]))
    assert.is(await back.collection('records').query().count(), RECORDS)
    assert.ok((await back.verify()).ok)
    await back.close()
  }))

test('a target that cannot be written, or a source that cannot be read, has a code and leaves nothing', () =>
  inDirectory(async (at) => {
    const db = await filled(join(at, 'db'))

    for (const path of [join(at, 'none', 'b.blz'), join(at, 'db', 'header.0', 'b.blz'), at]) {
      assert.ok(['NOT_FOUND', 'DIRECTORY_UNUSABLE'].includes(await codeOfWork(db.backup(path))), path)
      assert.ok(['NOT_FOUND', 'DIRECTORY_UNUSABLE'].includes(await codeOfWork(db.export(path))), path)
    }
    assert.is(await codeOfWork(db.import(join(at, 'none'))), 'NOT_FOUND')
    assert.is(await codeOfWork(db.import(at)), 'DIRECTORY_UNUSABLE')
    const stop = new AbortController()
    const { signal } = stop
    assert.is(
      await codeOfWork(db.backup(join(at, 'b'), { signal, onProgress: () => stop.abort() })),
      'ABORTED',
    )

    assert.equal(readdirSync(at), ['db'])
    await db.close()
  }))

test('what a killed process left of a backup goes with the next one, and what another writes now stays', () =>
  inDirectory(async (at) => {
    const db = await filled(join(at, 'db'))
    const [left, mine, fresh] = [`b.blz.1-1.part`, `b.blz.${process.pid}-1.part`, `b.blz.77-2.part`]
    const [other, longer] = ['c.blz.1-1.part', 'b.blz.1-1.partial']
    for (const name of [left, mine, fresh, other, longer]) writeFileSync(join(at, name), 'half')
    for (const name of [left, mine, other, longer]) utimesSync(join(at, name), 1_000, 1_000)

    await db.backup(join(at, 'b.blz'))
    await db.close()

    assert.equal(readdirSync(at), ['b.blz', longer, fresh, other, 'db'].sort())
  }))

test('a disk that runs full is DISK_FULL and leaves no file', () =>
  inDirectory(async (at) => {
    await onSmallDisk(SMALL_BYTES, async (small) => {
      const db = await filled(join(at, 'db'))
      assert.is(await codeOfWork(db.backup(join(small, 'b.blz'))), 'DISK_FULL')
      assert.is(await codeOfWork(db.export(join(small, 'e.jsonl'))), 'DISK_FULL')
      assert.equal(readdirSync(small), [])

      await db.backup(join(at, 'b.blz'))
      const full = { from: join(at, 'b.blz'), name: 'back', at: join(small, 'back'), key }
      assert.ok(['DISK_FULL', 'POISONED'].includes(await codeOfWork(BlazeDBClient.restore(full))))
      assert.equal(readdirSync(join(small, 'back')), [])
      await db.collection('records').insert({ id: 'goes on' })
      await db.close()
    })
  }))

test('kill -9 in the middle of a restore leaves what open refuses, and restore begins again', () =>
  inDirectory(async (at) => {
    const db = await filled(join(at, 'db'))
    const from = join(at, 'b.blz')
    await db.backup(from)
    await db.close()
    const chance = createChance(3)
    const outcomes = new Set<string>()

    for (let round = 0; round < 4; round += 1) {
      const back = join(at, `back${round}`)
      await killedRestore(from, back, Math.floor(chance() * 12))
      const outcome = await codeOfWork(
        BlazeDBClient.open({ name: 'back', at: back, key }).then(async (opened) => {
          assert.is(await opened.collection('records').query().count(), RECORDS)
          await opened.close()
        }),
      )
      outcomes.add(outcome)
      assert.ok(['ok', 'HEADER_DAMAGED'].includes(outcome), outcome)
      if (outcome === 'ok') continue
      const again = await BlazeDBClient.restore({ from, name: 'back', at: back, key })
      assert.is(await again.collection('records').query().count(), RECORDS)
      await again.close()
    }
    assert.ok(outcomes.has('HEADER_DAMAGED'), [...outcomes].join())
  }))

/** Kills the child so many progress reports after its first one. */
async function killedRestore(from: string, at: string, reports: number): Promise<void> {
  const started = spawn(process.execPath, [...loaderArgs(), child, from, at], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let seen = 0
  started.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString().split('\n').length - 1
    if (seen > reports) started.kill('SIGKILL')
  })
  await new Promise((resolve) => started.once('close', resolve))
}

test.run()

// time limit: 240 s
/** A copy in real files: nothing can be read in them, and files that were damaged are dropped, never believed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume } from '../../../../actors/replica/index.ts'
import { openAppGroup } from '../../../../actors/topology/group/index.ts'
import { openCopy } from '../../../../actors/topology/guest/guest-copy.ts'
import type { CopyPlace } from '../../../../actors/topology/guest/guest-copy.ts'
import type { GuestSession } from '../../../../actors/topology/guest/guest-session.ts'
import { BlazeError, createChance, createNodeEnv, nodeCrypto } from '../../../../runtime/index.ts'
import { ATTACHED, shown } from './bare-host.ts'
import { DATABASE, recordOf } from './mirror-record.ts'

const env = createNodeEnv()
const world = { env, crypto: nodeCrypto, volume: createDirectoryVolume }

interface Bench {
  readonly directory: string
  readonly place: CopyPlace
  /** Why copies were dropped. */
  readonly dropped: string[]
  readonly open: () => Promise<GuestSession>
}

function withBench(work: (bench: Bench) => Promise<void>): () => Promise<void> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), 'blazedb-guest-'))
    try {
      const group = await openAppGroup(world, { id: 'tracker', directory: join(directory, 'group') })
      const app = await group.app('dashboard')
      const place = { world, group, app, database: DATABASE }
      const dropped: string[] = []
      const handlers = {
        dropped: (_at: string, reason: BlazeError) => void dropped.push(reason.message),
        failed: () => {},
      }
      await work({ directory, place, dropped, open: () => openCopy(place, handlers) })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** Fills the copy with records, in messages of 200. */
function fill({ view }: GuestSession, records: number): void {
  view.begin(ATTACHED)
  for (let at = 0; at < records; at += 200) {
    const items = Array.from({ length: Math.min(200, records - at) }, (_, n) =>
      shown(recordOf('bugs', `SECRET-ID-${at + n}`, { SECRETFIELD: 'SECRET-VALUE', n: at + n })),
    )
    const upTo = Math.min(records, at + 200)
    const changes = { items, upTo, cursor: upTo, caughtUp: at + 200 >= records }
    view.apply({ changes, bytes: 200 * 100, done: () => {} }, ATTACHED)
  }
  view.sweep()
}

const closed = (): BlazeError => new BlazeError('CLOSED', 'closed')

function filesBelow(at: string): string[] {
  return readdirSync(at, { recursive: true, encoding: 'utf8' })
    .map((name) => join(at, name))
    .filter((path) => statSync(path).isFile())
}

test(
  'no id, name or value of a record is in the files, the directory is this user’s alone, and all is there again',
  withBench(async ({ directory, open, dropped }) => {
    const session = await open()
    fill(session, 2_000)
    await session.close(closed())

    let bytes = 0
    for (const path of filesBelow(directory)) {
      const content = readFileSync(path)
      bytes += content.length
      for (const text of ['SECRET', 'bugs', 'FIELD', 'VALUE'])
        assert.not.ok(content.includes(text), `${text} in ${path}`)
    }
    assert.ok(bytes > 2_000 * 80)
    assert.is(statSync(session.at).mode & 0o077, 0)

    const again = await open()
    assert.is(again.view.index.records, 2_000)
    assert.is(again.view.read('bugs', 'SECRET-ID-7')?.fields.get('n')?.value, 7)
    assert.equal(dropped, [])
    await again.close(closed())
  }),
)

test(
  'flipped bytes in any file lead to the same copy, to one of an earlier moment with its cursor, or to none',
  withBench(async ({ open, dropped }) => {
    const seed = 5
    console.log(`seed ${seed}`)
    const chance = createChance(seed)
    let whole = 0
    for (let round = 0; round < 60; round += 1) {
      const session = await open()
      if (session.view.index.records < 600) fill(session, 600)
      await session.close(closed())
      const files = filesBelow(join(session.at, 'store')).filter((path) => statSync(path).size > 0)
      const path = files[Math.floor(chance() * files.length)] as string
      const content = readFileSync(path)
      const place = Math.floor(chance() * content.length)
      content[place] = (content[place] as number) ^ (1 << Math.floor(chance() * 8))
      writeFileSync(path, content)

      const before = dropped.length
      const again = await open()
      const { records } = again.view.index
      const { cursor, complete } = again.view.head
      const what = `seed ${seed} round ${round}: ${path}`
      if (dropped.length > before) assert.is(records, 0, what)
      else {
        assert.is(records, cursor?.arrival, what)
        assert.ok(complete || records < 600, what)
        for (let n = 0; n < records; n += 1) {
          assert.is(again.view.peek('bugs', `SECRET-ID-${n}`)?.fields.get('n')?.value, n, what)
        }
        if (records === 600) whole += 1
      }
      await again.close(closed())
    }
    assert.ok(dropped.length > 5 && whole > 0, `${dropped.length} dropped, ${whole} whole`)
  }),
)

test(
  'files that no store can be made of are removed',
  withBench(async ({ open, dropped }) => {
    const session = await open()
    fill(session, 100)
    await session.close(closed())
    for (const path of filesBelow(join(session.at, 'store'))) writeFileSync(path, 'not a store')

    const again = await open()
    assert.is(again.at, session.at)
    assert.is(again.view.index.records, 0)
    assert.ok(dropped.length > 0)
    fill(again, 100)
    await again.close(closed())
    const third = await open()
    assert.is(third.view.index.records, 100)
    await third.close(closed())
  }),
)

test(
  'two holders in one process get two directories, and the first is free again after its close',
  withBench(async ({ open }) => {
    const first = await open()
    const second = await open()
    assert.is.not(first.at, second.at)
    await first.close(closed())
    const third = await open()
    assert.is(third.at, first.at)
    await second.close(closed())
    await third.close(closed())
  }),
)

test.run()

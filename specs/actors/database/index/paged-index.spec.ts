/** An index over pages does what a sorted map does, whatever is merged when, and a merge that did not end leaves no trace. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeDirectory, encodeDirectory } from '../../../../actors/database/index/directory.ts'
import { IndexPage } from '../../../../actors/database/index/page.ts'
import { PagedIndex } from '../../../../actors/database/index/paged-index.ts'
import type { EntryRange } from '../../../../actors/database/index/paged-index.ts'
import { PageStore } from '../../../../actors/database/index/page-store.ts'
import type { StoreOperation } from '../../../../actors/replica/index.ts'
import { bytesKey, createChance, limits, nodeCrypto } from '../../../../runtime/index.ts'
import { codeOf } from '../../../fixtures/code-of.ts'

/** Rows in memory: what a store would hold after each batch. */
function memoryRows(): {
  rows: Map<string, Uint8Array>
  apply: (operations: readonly StoreOperation[]) => void
  pages: (boot: number) => PageStore
} {
  const rows = new Map<string, Uint8Array>()
  return {
    rows,
    apply(operations) {
      for (const operation of operations) {
        if (operation.type === 'put') rows.set(bytesKey(operation.key), operation.value)
        else rows.delete(bytesKey(operation.key))
      }
    },
    pages: (boot) =>
      new PageStore({
        store: { get: (key) => rows.get(bytesKey(key)), range: () => Promise.reject(new Error('not used')) },
        crypto: nodeCrypto,
        key: new Uint8Array(32).fill(1),
        boot: new Uint8Array(16).fill(boot),
      }),
  }
}

function mergeAll(index: PagedIndex, pages: PageStore, apply: (operations: StoreOperation[]) => void): void {
  index.freeze()
  for (const _ of index.merge()) if (pages.stagedBytes > 20_000) apply(pages.take())
  pages.stageRemoval(index.merging.obsolete)
  apply(pages.take())
  index.adopt()
}

function expected(map: ReadonlyMap<string, string>, range: EntryRange): [string, string][] {
  const { gte, lt, reverse, limit, after } = range
  const keys = [...map.keys()].sort()
  if (reverse) keys.reverse()
  return keys
    .filter((key) => key >= gte && (lt === undefined || key < lt))
    .filter((key) => after === undefined || (reverse ? key < after : key > after))
    .slice(0, limit)
    .map((key) => [key, map.get(key) as string])
}

const seed = Math.floor(Math.random() * 2 ** 31)
process.stdout.write(`seed ${seed}\n`)

test('an index answers as a sorted map does, through merges and reopenings', () => {
  for (let run = 0; run < 12; run += 1) {
    const chance = createChance(seed + run)
    const random = (below: number): number => Math.floor(chance() * below)
    const disk = memoryRows()
    let boot = 0
    let pages = disk.pages(boot)
    let index = new PagedIndex(pages, [])
    const map = new Map<string, string>()
    const keySpace = [50, 2_000, 20_000][run % 3] as number
    const key = (): string => {
      const n = random(keySpace)
      return String.fromCharCode(n >>> 8, n & 0xff) + 'k'.repeat(n % (run % 2 === 0 ? 40 : 700))
    }
    for (let step = 0; step < 4_000; step += 1) {
      const dice = random(1_000)
      if (dice < 700) {
        const [k, value] = [key(), 'v'.repeat(random(run % 2 === 0 ? 30 : 900))]
        index.set(k, value)
        map.set(k, value)
      } else if (dice < 985) {
        const k = dice % 2 === 0 ? key() : ([...map.keys()][random(map.size)] ?? key())
        index.delete(k)
        map.delete(k)
      } else if (dice < 995) {
        mergeAll(index, pages, disk.apply)
      } else {
        mergeAll(index, pages, disk.apply)
        const fences = decodeDirectory(encodeDirectory(index.fences))
        const { nextPage } = pages
        boot += 1
        pages = disk.pages(boot)
        pages.nextPage = nextPage
        index = new PagedIndex(pages, fences)
      }
      if (step % 50 !== 0) continue
      const [a, b] = [key(), key()].sort() as [string, string]
      const bounds = random(3)
      const range: EntryRange = {
        gte: bounds === 0 ? '' : a,
        lt: bounds === 1 ? undefined : b,
        reverse: chance() < 0.5,
        limit: 1 + random(300),
        after: chance() < 0.5 ? key() : undefined,
      }
      assert.equal(index.entries(range), expected(map, range), `run ${run}, step ${step}`)
      for (const k of [a, b]) assert.is(index.get(k), map.get(k))
    }
    mergeAll(index, pages, disk.apply)
    const everything: EntryRange = { gte: '', lt: undefined, reverse: false, limit: Infinity }
    assert.equal(index.entries(everything), expected(map, everything))
    assert.is(disk.rows.size, index.fences.length, 'no page is left that nobody needs')
  }
})

test('changes during a merge are not lost, and reading goes on beside it', () => {
  const disk = memoryRows()
  const pages = disk.pages(0)
  const index = new PagedIndex(pages, [])
  for (let n = 0; n < 3_000; n += 1) index.set(`k${String(n).padStart(5, '0')}`, `old ${n}`)
  mergeAll(index, pages, disk.apply)
  for (let n = 0; n < 3_000; n += 3) index.set(`k${String(n).padStart(5, '0')}`, `new ${n}`)

  index.freeze()
  const steps = index.merge()
  steps.next()
  index.set('k00000', 'newest')
  index.delete('k00003')
  assert.is(index.get('k00000'), 'newest')
  assert.is(index.get('k00003'), undefined)
  assert.is(index.get('k00006'), 'new 6')
  for (const _ of steps) disk.apply(pages.take())
  pages.stageRemoval(index.merging.obsolete)
  disk.apply(pages.take())
  index.adopt()

  assert.is(index.get('k00000'), 'newest')
  assert.is(index.get('k00003'), undefined)
  assert.is(index.get('k00006'), 'new 6')
  assert.is(index.get('k00007'), 'old 7')
  assert.is(index.changes, 2)
})

test('pages stay within their bound, and are not left nearly empty', () => {
  const disk = memoryRows()
  const pages = disk.pages(0)
  const index = new PagedIndex(pages, [])
  for (let n = 0; n < 20_000; n += 1) index.set(`k${String(n).padStart(5, '0')}`, 'x'.repeat(40))
  mergeAll(index, pages, disk.apply)
  for (let n = 0; n < 20_000; n += 1) if (n % 50 !== 0) index.delete(`k${String(n).padStart(5, '0')}`)
  mergeAll(index, pages, disk.apply)
  for (const value of disk.rows.values()) assert.ok(value.length <= 16_384, `${value.length}`)
  const small = index.fences.filter(({ page }) => pages.peek(page).bytes < limits.indexPageBytesMin)
  assert.ok(small.length <= 1, `${small.length} of ${index.fences.length} pages are small`)
})

test('a flipped bit anywhere in a page is DAMAGED, and a page under another number too', () => {
  const disk = memoryRows()
  const pages = disk.pages(0)
  const index = new PagedIndex(pages, [])
  for (let n = 0; n < 1_000; n += 1) index.set(`k${n}`, `${n}`)
  mergeAll(index, pages, disk.apply)
  const [first, second] = [...disk.rows.keys()] as [string, string]
  const whole = disk.rows.get(first) as Uint8Array
  const { page } = index.fences[0] as { page: number }
  for (const at of [0, 15, 16, 21, 22, 500, whole.length - 1]) {
    const flipped = new Uint8Array(whole)
    flipped[at] = (flipped[at] as number) ^ 4
    disk.rows.set(first, flipped)
    assert.is(
      codeOf(() => disk.pages(1).load(page)),
      'DAMAGED',
      `byte ${at}`,
    )
  }
  disk.rows.set(first, disk.rows.get(second) as Uint8Array)
  assert.is(
    codeOf(() => disk.pages(1).load(page)),
    'DAMAGED',
  )
  disk.rows.delete(first)
  assert.is(
    codeOf(() => disk.pages(1).load(page)),
    'DAMAGED',
  )
})

test('bytes that are no page are refused', () => {
  for (const bytes of [[], [0], [0, 0], [0, 1, 0, 9, 1], [0, 1, 0, 1, 65, 0, 0, 7], [0, 2, 0, 1, 65, 0, 0]]) {
    assert.is(
      codeOf(() => new IndexPage(Uint8Array.from(bytes))),
      'DAMAGED',
      bytes.join(' '),
    )
  }
})

test.run()

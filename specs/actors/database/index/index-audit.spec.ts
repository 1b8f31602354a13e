/** The comparison of indexes with records finds every difference, whatever is planted, and takes none of its own for one. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { auditIndexes } from '../../../../actors/database/index/index-audit.ts'
import type { IndexAudit } from '../../../../actors/database/index/index-audit.ts'
import type { CompiledIndex } from '../../../../actors/database/index/compiled-index.ts'
import { encodeIndexId } from '../../../../actors/database/index/index-key.ts'
import { PageStore } from '../../../../actors/database/index/page-store.ts'
import { encodeIndexEntry } from '../../../../actors/database/index/record-entry.ts'
import { RecordIndexes } from '../../../../actors/database/index/record-indexes.ts'
import type { RecordState } from '../../../../actors/database/record/record.ts'
import type { Replica } from '../../../../actors/replica/index.ts'
import { bytesKey, createNodeEnv, nodeCrypto } from '../../../../runtime/index.ts'

const RECORDS = 3_000
const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

interface World {
  readonly indexes: RecordIndexes
  readonly index: CompiledIndex
  /** By tag. */
  readonly records: Map<string, RecordState>
  readonly stateOf: (n: number) => { readonly tag: string; readonly state: RecordState }
  readonly audit: () => Promise<IndexAudit>
}

function record(n: number, value = n % 100): RecordState {
  const deleted = n % 10 === 9 ? stamp : undefined
  const fields = new Map(deleted === undefined ? [['n', { value, stamp }]] : [])
  return { collection: n % 2 === 0 ? 'c' : 'd', id: `é${n}`, home: null, life: 1, deleted, fields }
}

function tagOf(n: number): Uint8Array {
  return nodeCrypto.sha256(Uint8Array.of(n >> 8, n & 0xff)).slice(0, 16)
}

/** Indexes in memory over records that nobody stores; an index on `n` of collection `c`. */
function world(): World {
  const env = createNodeEnv()
  const store = { get: () => undefined, range: () => Promise.reject(new Error('not used')) }
  const pages = new PageStore({
    store,
    crypto: nodeCrypto,
    key: new Uint8Array(32),
    boot: new Uint8Array(16),
  })
  const known = { name: 'n', collection: 'c', fields: ['n'], unique: false, no: 1, cut: false, pieces: 0 }
  const state = {
    cursor: 0,
    nextPage: 1,
    obsolete: [],
    nextNo: 2,
    pieces: 0,
    counts: [],
    held: [],
    shownMs: 0,
  }
  const ready = { ...known, state: 'ready' } as const
  const indexes = new RecordIndexes(
    { env, crypto: nodeCrypto, replica: {} as Replica, pages },
    { state: { ...state, indexes: [ready] }, fences: [], indexes: [{ known: ready, fences: [] }] },
  )
  const [index] = indexes.all()
  if (index === undefined) throw new Error('there is no index')
  const records = new Map<string, RecordState>()
  for (let n = 0; n < RECORDS; n += 1) {
    const of = record(n)
    const tag = bytesKey(tagOf(n))
    records.set(tag, of)
    indexes.apply({ collection: of.collection, id: of.id, tag, state: of, isNew: true })
  }
  const tags = Array.from({ length: RECORDS }, (_, n) => tagOf(n)).sort((a, b) => Buffer.compare(a, b))
  const scan = async (after: Uint8Array | undefined, limit: number) => {
    const from = after === undefined ? 0 : tags.findIndex((tag) => Buffer.compare(tag, after) > 0)
    const page = from < 0 ? [] : tags.slice(from, from + limit)
    return page.map((tag) => ({ tag, live: [] }))
  }
  const peekTag = (tag: string): RecordState | undefined => records.get(tag)
  return {
    indexes,
    index,
    records,
    stateOf: (n) => ({ tag: bytesKey(tagOf(n)), state: record(n) }),
    audit: () =>
      auditIndexes({
        env,
        replica: { scan } as Pick<Replica, 'scan'>,
        indexes,
        peekTag,
        shownOf: (tag) => peekTag(bytesKey(tag)),
      }),
  }
}

test('indexes that are as the records say have no problem', async () => {
  const { audit } = world()

  assert.equal(await audit(), { records: RECORDS, entries: RECORDS / 2, problems: [], problemCount: 0 })
})

test('each difference is found and named, alone among thousands', async () => {
  const faults: Record<string, (of: World) => void> = {
    'a record is missing in n': ({ index, stateOf }) => {
      const { state } = stateOf(500)
      index.pages.delete(index.fieldKey(state) + encodeIndexId(state.id))
    },
    'n has an entry that no record emitted': ({ index, stateOf }) => {
      const { tag, state } = stateOf(500)
      const key = index.fieldKey(record(500, 77))
      index.pages.set(key + encodeIndexId(state.id), encodeIndexEntry(key, tag))
    },
    'a record is missing in the view by id': ({ indexes, stateOf }) => {
      const { tag, state } = stateOf(501)
      indexes.apply({ collection: state.collection, id: state.id, tag, state: undefined, isNew: false })
    },
    'an entry of the view by id leads to no record': ({ records, stateOf }) => {
      records.delete(stateOf(501).tag)
    },
    'a record is deleted in one place only': ({ records, stateOf }) => {
      const { tag, state } = stateOf(501)
      records.set(tag, { ...state, deleted: stamp, fields: new Map() })
    },
    'a record emitted another key into n': ({ records, stateOf }) => {
      records.set(stateOf(500).tag, record(500, 77))
    },
  }
  for (const [problem, plant] of Object.entries(faults)) {
    const planted = world()
    plant(planted)

    const { problems, problemCount } = await planted.audit()

    assert.ok(problems.includes(problem), `${problem}: found ${problems.join('; ')}`)
    assert.ok(problemCount <= 2, `${problem}: ${problemCount}`)
  }
})

test('keys of a dropped index that stand in the view are no difference', async () => {
  const { indexes, index, audit } = world()
  indexes.drop(index)

  assert.equal(await audit(), { records: RECORDS, entries: 0, problems: [], problemCount: 0 })
})

test.run()

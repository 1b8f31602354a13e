/** The view of a transaction: what lies over a view comes in the order of each path, as if it stood in the view itself. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeIndexKey } from '../../../actors/database/index/index-key.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { OverlayView } from '../../../actors/database/transaction/overlay-view.ts'
import type { AccessPath, IndexDefinition, RecordView } from '../../../actors/database/view/record-view.ts'
import { BlazeError } from '../../../runtime/index.ts'
import { MemoryView } from './memory-view.ts'

const collection = 'c'
const index: IndexDefinition = { name: 'n,m', collection, fields: ['n', 'm'], unique: false }
const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

function stateOf(id: string, values: readonly (number | undefined)[] | undefined): RecordState {
  const base = { collection, id, home: null, life: 1 }
  if (values === undefined) return { ...base, deleted: stamp, fields: new Map() }
  const fields = new Map(
    ['n', 'm'].flatMap((name, at) => {
      const value = values[at]
      return value === undefined ? [] : [[name, { value, stamp }] as const]
    }),
  )
  return { ...base, deleted: undefined, fields }
}

function viewOf(states: ReadonlyMap<string, RecordState>, slow: boolean): MemoryView {
  const view = new MemoryView([index], slow)
  for (const state of states.values()) view.set(state)
  return view
}

async function walk(view: RecordView, path: AccessPath, step: number): Promise<RecordState[]> {
  const walked = view.walk(collection, path)
  const found: RecordState[] = []
  for (;;) {
    const rows = await walked.next(step)
    assert.ok(rows.length <= step)
    if (rows.length === 0) break
    found.push(...rows)
  }
  walked.close()
  return found
}

const id: fc.Arbitrary<string> = fc.constantFrom(
  'a',
  'b',
  'c',
  'ä',
  'd1',
  'd2',
  'd3',
  '\u{1f600}',
  '\uffff',
  'e',
)
const values = fc.option(
  fc.tuple(fc.option(fc.nat(3), { nil: undefined }), fc.option(fc.nat(2), { nil: undefined })),
  {
    nil: undefined,
  },
)
const states = fc
  .array(fc.tuple(id, values), { maxLength: 12 })
  .map((rows) => new Map(rows.map(([name, fields]) => [name, stateOf(name, fields)])))
const bound = fc.nat(3).map((n) => encodeIndexKey([n]).key)
const path: fc.Arbitrary<AccessPath> = fc.oneof(
  fc.constant({ kind: 'store' as const }),
  fc.record({ kind: fc.constant('ids' as const), ids: fc.uniqueArray(id) }),
  fc.record(
    {
      kind: fc.constant('records' as const),
      reverse: fc.boolean(),
      after: id,
      prefix: fc.constantFrom('d', ''),
    },
    { requiredKeys: ['kind', 'reverse'] },
  ),
  fc.record({
    kind: fc.constant('index' as const),
    index: fc.constant(index),
    gte: fc.oneof(fc.constant(''), bound),
    lt: fc.option(bound, { nil: undefined }),
    reverse: fc.boolean(),
  }),
)

test('every path walks the laid-over records as if they stood in the view', async () => {
  await fc.assert(
    fc.asyncProperty(
      states,
      states,
      path,
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      async (below, over, way, step, slow) => {
        const base = viewOf(below, slow)
        const view = new OverlayView({ base, collection, states: over, check: () => undefined })
        const whole = viewOf(new Map([...below, ...over]), false)

        const [found, expected] = [await walk(view, way, step), await walk(whole, way, step)]

        const names = (rows: readonly RecordState[]): string[] => rows.map((row) => row.id)
        if (way.kind === 'store') assert.equal(names(found).sort(), names(expected).sort())
        else assert.equal(names(found), names(expected))
        for (const row of found) assert.is(row, over.get(row.id) ?? below.get(row.id))
        assert.is(view.count(collection), whole.count(collection))
        for (const name of ['a', 'd1']) {
          assert.is(view.read(collection, name), over.get(name) ?? below.get(name))
          assert.is(view.peek(collection, name), view.read(collection, name))
        }
      },
    ),
    { numRuns: 600 },
  )
})

test('nothing is laid over other collections', async () => {
  const base = viewOf(new Map([['a', stateOf('a', [1, 1])]]), false)
  const states = new Map([['b', stateOf('b', [1, 1])]])
  const view = new OverlayView({ base, collection: 'other', states, check: () => undefined })

  assert.is(view.count(collection), 1)
  assert.is(view.read(collection, 'b'), undefined)
  assert.equal((await walk(view, { kind: 'store' }, 5)).length, 1)
})

test('a walk whose moment has passed gives nothing of it, also when it passes while it waits', async () => {
  let isStale = false
  const check = (): void => {
    if (isStale) throw new BlazeError('CONFLICT', 'stale')
  }
  const base = viewOf(new Map([['a', stateOf('a', [1, 1])]]), true)
  const view = new OverlayView({ base, collection, states: new Map(), check })
  const walked = view.walk(collection, { kind: 'store' })
  base.onStep = () => {
    isStale = true
  }

  const code = await Promise.resolve(walked.next(5)).then(
    () => 'none',
    (error: BlazeError) => error.code,
  )

  assert.is(code, 'CONFLICT')
  assert.throws(() => view.read(collection, 'a'), /stale/)
  assert.throws(() => view.peek(collection, 'a'), /stale/)
  assert.throws(() => view.count(collection), /stale/)
})

test.run()

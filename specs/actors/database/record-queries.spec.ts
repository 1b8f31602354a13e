/** Queries over any view: what they look at, what they wait for, and how they end. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryOf, RecordQueries } from '../../../actors/database/index.ts'
import type { Condition, LiveDelta, LiveSink, Query } from '../../../actors/database/index.ts'
import { BlazeError, createSimulation, limits } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { goneOf, MemoryView, recordOf } from './memory-view.ts'

function createQueries(settled: () => Promise<void> | undefined = () => undefined) {
  const simulation: Simulation = createSimulation(1)
  const view = new MemoryView()
  const queries = new RecordQueries({ env: simulation.env('app'), view, settled })
  return { simulation, view, queries }
}

const query = (...conditions: Condition[]): Query => queryOf('c', { filter: { and: conditions } })
const idIs = (value: Condition['value']): Condition => ({ field: 'id', op: '=', value })
const silent: LiveSink = { ready: () => undefined, ended: () => undefined }
const bySink = (told: string[]): LiveSink => ({
  ready: () => told.push('ready'),
  ended: (error) => told.push(error instanceof BlazeError ? error.code : String(error)),
})

test('a query for one id looks at that record and at no other', async () => {
  const { view, queries } = createQueries()
  for (let n = 0; n < 50; n += 1) view.set(recordOf(`r${n}`, { n }))
  view.set(goneOf('gone'))

  assert.equal(await queries.all(query(idIs('r7'))), [{ id: 'r7', n: 7 }])
  assert.is(await queries.count(query({ field: 'n', op: '>', value: 5 }, idIs('r8'))), 1)
  assert.is(await queries.count(query({ field: 'n', op: '>', value: 8 }, idIs('r8'))), 0)
  assert.equal(await queries.all(query(idIs('r9'), idIs('r10'))), [])
  for (const none of ['nobody', 'gone', 7, null]) assert.equal(await queries.all(query(idIs(none))), [])

  assert.equal(view.looked, ['r7', 'r8', 'r8', 'r9', 'nobody', 'gone'])
  await queries.all(query({ field: 'id', op: '!=', value: 'r1' }))
  assert.is(view.looked.length, 6 + 50)
})

test('a live query for one id is told of that record only', async () => {
  const { view, queries } = createQueries()
  for (let n = 0; n < 3; n += 1) view.set(recordOf(`r${n}`, { n }))
  const told: string[] = []
  const open = await queries.live(query(idIs('r1')), bySink(told))
  assert.equal(open.take(), { added: [{ id: 'r1', n: 1 }], changed: [], removed: [] })
  told.length = 0

  const changes = ['r0', 'r1', 'r2'].map((id) => recordOf(id, { n: 9 }))
  for (const state of changes) view.set(state)
  queries.changed(changes.filter(({ id }) => id !== 'r1').map((state) => ({ ...state, state })))
  queries.changed([{ collection: 'other', id: 'r1', state: recordOf('r1', { n: 5 }, 'other') }])
  assert.equal([told, open.take()], [[], undefined])
  queries.changed(changes.map((state) => ({ ...state, state })))
  assert.equal(told, ['ready'])
  assert.equal(open.take(), { added: [], changed: [{ id: 'r1', n: 9 }], removed: [] })
  queries.changed([{ collection: 'c', id: 'r2', state: undefined }])
  assert.equal([told, open.take()], [['ready'], undefined])
})

test('a query waits for the writes that were called before it, and not when there are none', async () => {
  let land: (() => void) | undefined
  let waiting: Promise<void> | undefined
  const { view, queries } = createQueries(() => waiting)
  waiting = new Promise((resolve) => {
    land = resolve
  })
  const found = queries.all(query())
  waiting = undefined
  assert.equal(await queries.all(query()), [])

  view.set(recordOf('late', { n: 1 }))
  land?.()

  assert.equal(await found, [{ id: 'late', n: 1 }])
})

test('closing ends live queries and scans under way with the reason', async () => {
  const { simulation, view, queries } = createQueries()
  for (let n = 0; n < limits.scanSliceRecords * 3; n += 1) view.set(recordOf(`r${n}`, { n }))
  const told: string[] = []
  const loading = queries.live(query(), bySink(told)).catch((error: unknown) => error)
  const counting = queries.count(query()).catch((error: unknown) => error)
  const quick = await queries.live(query(idIs('r1')), bySink(told))
  assert.equal(told, ['ready'])

  queries.close(new BlazeError('CLOSED', 'over'))
  queries.close(new BlazeError('POISONED', 'later'))
  queries.changed([{ collection: 'c', id: 'r1', state: recordOf('r1', { n: 2 }) }])
  await simulation.pass(10)

  assert.equal(told, ['ready', 'CLOSED', 'CLOSED'])
  for (const error of [await loading, await counting]) {
    assert.ok(error instanceof BlazeError && error.code === 'CLOSED')
  }
  const first: LiveDelta | undefined = quick.take()
  assert.equal(first?.added, [{ id: 'r1', n: 1 }])
  assert.is(quick.take(), undefined, 'nothing after the end')
})

test('live queries are bounded, and one that is closed makes room', async () => {
  const { queries } = createQueries()
  const open = []
  for (let n = 0; n < limits.liveQueriesMax; n += 1) open.push(await queries.live(query(), silent))
  const refused = await queries.live(query(), silent).catch((error: unknown) => error)
  assert.ok(refused instanceof BlazeError && refused.code === 'OVERLOADED')

  open[0]?.close()

  open.push(await queries.live(query(), silent))
})

test.run()

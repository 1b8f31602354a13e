/** The ledger of the kill loop finds a lost write, a deleted record that is back, and one that nobody wrote. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Doc } from '../../../actors/database/index.ts'
import {
  doomedId,
  operationsOf,
  sharedId,
  sharedRecords,
  workLanes,
  type Operation,
} from '../../fixtures/device-work.ts'
import { KillLedger } from './kill-ledger.ts'

const seed = 11
const life = 1
const lane = 0
const name = { seed, device: 'a', life }

/** What both devices have before the load. */
function sharedRows(): Map<string, Doc> {
  const rows = new Map<string, Doc>()
  for (let of = 0; of < workLanes; of++)
    for (let at = 0; at < sharedRecords; at++)
      for (const id of [sharedId(of, at), doomedId(of, at)]) rows.set(id, { id })
  return rows
}

function perform(rows: Map<string, Doc>, operation: Operation): void {
  const { kind, id } = operation
  const row = rows.get(id)
  if (kind === 'remove') rows.delete(id)
  else if (kind === 'share') {
    if (row !== undefined) rows.set(id, { ...row, a: operation.tag })
  } else rows.set(id, { id, tag: operation.tag })
}

/** Rows and ledger after so many acknowledged operations of one lane, and those operations. */
function worked(count: number): { rows: Map<string, Doc>; ledger: KillLedger; done: Operation[] } {
  const rows = sharedRows()
  const ledger = new KillLedger(['a', 'b'])
  const operations = operationsOf({ ...name, lane })
  const done = Array.from({ length: count }, () => operations.next().value)
  for (const operation of done) {
    perform(rows, operation)
    ledger.acknowledge({ ...name, lane })
  }
  return { rows, ledger, done }
}

/** The last operation of that kind whose record no later one touched. */
function lastOf(done: readonly Operation[], wanted: (operation: Operation) => boolean): Operation {
  const found = done.findLast(
    (operation, at) => wanted(operation) && !done.slice(at + 1).some(({ id }) => id === operation.id),
  )
  if (found === undefined) throw new Error('expected such an operation among them')
  return found
}

test('what was acknowledged and is there is no problem', () => {
  const { rows, ledger } = worked(400)

  assert.equal(ledger.problems(rows), [])
  assert.is(ledger.acknowledged, 400)
})

test('an acknowledged write that is lost is found: of a record, of a field, and a deletion', () => {
  const { rows, ledger, done } = worked(400)
  const inserted = lastOf(done, ({ kind }) => kind === 'insert').id
  const replaced = lastOf(done, ({ kind }) => kind === 'replace').id
  const shared = lastOf(done, ({ kind, id }) => kind === 'share' && id.startsWith('shared')).id
  const removed = lastOf(done, ({ kind, id }) => kind === 'remove' && id.startsWith('a-')).id
  const doomed = lastOf(done, ({ kind, id }) => kind === 'remove' && id.startsWith('doomed')).id

  rows.delete(inserted)
  rows.set(replaced, { id: replaced, tag: 'an earlier one' })
  rows.set(shared, { id: shared })
  rows.set(removed, { id: removed, tag: removed })
  rows.set(doomed, { id: doomed })

  const problems = ledger.problems(rows)
  for (const id of [inserted, replaced, `${shared}/a`, removed, doomed])
    assert.ok(
      problems.some((problem) => problem.startsWith(`${id} is `)),
      `${id} among ${problems.join('; ')}`,
    )
})

test('a write that was under way at a kill may be there or not, an earlier one has to be', () => {
  const count = 60
  for (let made = 0; made < 3; made++) {
    const { rows, ledger } = worked(count)
    const operations = operationsOf({ ...name, lane })
    for (let n = 0; n < count; n++) operations.next()
    ledger.killed(name)

    for (let n = 0; n < made; n++) perform(rows, operations.next().value)

    assert.equal(ledger.problems(rows), [], `${made} of those under way were made`)
  }
  const { rows, ledger, done } = worked(count)
  ledger.killed(name)
  rows.delete(lastOf(done, ({ kind }) => kind === 'insert').id)
  assert.is(ledger.problems(rows).length, 1)
})

test('a record that nobody wrote is found', () => {
  const { rows, ledger } = worked(10)

  rows.set('a-9-9-9', { id: 'a-9-9-9', tag: 'a-9-9-9' })

  assert.equal(ledger.problems(rows), ['a-9-9-9 was written by nobody'])
})

test.run()

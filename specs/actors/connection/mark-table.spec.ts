/** Who waits for a mark, and what of it reaches the supervisor. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MarkTable } from '../../../actors/connection/index.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import { shown } from '../relay/exchange-world.ts'
import { ConnectionWorld, lastOf, OpenAccess } from './connection-world.ts'

test('marks are asked one at a time, and each caller is answered once by the mark after its call', async () => {
  const world = new ConnectionWorld(18)
  const pi = await world.member('pi')
  const a = await world.member('a')
  await world.listen(new OpenAccess(pi.space))
  const dialed = world.dial(a)
  await world.rest()
  const answered: number[] = []
  for (let n = 0; n < limits.relayMarksMax; n++) dialed.marks.add(() => answered.push(n))
  try {
    dialed.marks.add(() => {})
    assert.unreachable('one more than the limit')
  } catch (error) {
    assert.ok(error instanceof BlazeError && error.code === 'OVERLOADED')
  }
  dialed.ref?.tell({ type: 'dialed.mark' })
  await world.rest()
  assert.is(answered.length, limits.relayMarksMax)

  // Callers that give up, over and over, while the supervisor waits for an acknowledgement and cannot answer.
  Object.assign(a.space.replica, { applyPart: () => new Promise(() => {}) })
  const b = await world.member('b')
  await world.write(b, 2, 'two')
  world.dial(b)
  await world.rest()
  assert.equal(shown(pi, 2), ['two'])
  for (let n = 0; n < 2 * limits.relayMarksMax; n++) {
    dialed.marks.add(() => assert.unreachable('it gave up'))()
    dialed.ref?.tell({ type: 'dialed.mark' })
  }
  await world.rest()
  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(world.dials, 2)
})

test('a mark table settles up to the answer, once, and forgets who gave up', () => {
  const table = new MarkTable()
  const told: string[] = []
  table.add(() => told.push('first'))
  const forget = table.add(() => told.push('gave up'))
  const due = table.due
  table.add(() => told.push('third'))
  forget()
  table.settle(due)
  table.settle(due)

  assert.equal(told, ['first'])
  assert.is(table.due, 3)
  table.settle(3)
  assert.equal([told.length, table.due], [2, 0])
})

test.run()

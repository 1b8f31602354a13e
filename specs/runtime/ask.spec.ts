/** Promises of an ask: it ends exactly once, by a reply, its deadline or the death of the cell. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError, reducer } from '../../runtime/index.ts'
import { codeOf, createWorld, puppet } from './world.ts'

interface Question {
  readonly type: string
  readonly reply: (value: string) => void
}

test('ask resolves with the first reply', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({
    name: 'a',
    behaviour: reducer<null, Question>({
      kind: 'echo',
      init: () => null,
      receive(state, message) {
        message.reply('first')
        message.reply('second')
        return state
      },
    }),
  })

  const answer = cell.ask<string>((reply) => ({ type: 'question', reply }), 100)
  await settle()

  assert.is(await answer, 'first')
})

test('ask rejects with ASK_TIMEOUT at its deadline and not before', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let failed = ''
  cell
    .ask<string>(() => () => {}, 100)
    .catch((error: unknown) => {
      failed = error instanceof BlazeError ? error.code : 'other'
    })

  await simulation.pass(99)
  assert.is(failed, '')
  await simulation.pass(2)
  assert.is(failed, 'ASK_TIMEOUT')
})

test('a crash fails its ask at once, and the asks whose reply it still owed, but not the queued ones', async () => {
  const { system, simulation } = createWorld()
  let lives = 0
  const cell = system.spawn({
    name: 'a',
    behaviour: reducer<Question[], Question>({
      kind: 'debtor',
      init: () => {
        lives++
        return []
      },
      receive(owed, message) {
        if (message.type === 'boom') throw new Error('boom')
        if (lives > 1) message.reply('from the second life')
        return [...owed, message]
      },
    }),
  })

  const owed = codeOf(cell.ask<string>((reply) => ({ type: 'wait', reply }), 10_000))
  const failing = codeOf(cell.ask<string>((reply) => ({ type: 'boom', reply }), 10_000))
  const queued = cell.ask<string>((reply) => ({ type: 'queued', reply }), 10_000)
  await simulation.pass(1)

  assert.is(await failing, 'CELL_DOWN')
  assert.is(await owed, 'CELL_DOWN')
  await simulation.pass(200)
  assert.is(await queued, 'from the second life')
})

test('ask rejects with OVERLOADED when the mailbox is full and with CELL_DOWN when the cell is dead', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet(), mailboxMax: 1 })
  cell.tell(() => {})

  assert.is(await codeOf(cell.ask<string>(() => () => {}, 100)), 'OVERLOADED')
  const queued = codeOf(cell.stop().then(() => cell.ask<string>(() => () => {}, 100)))
  await settle()
  assert.is(await queued, 'CELL_DOWN')
})

test('a stop fails the asks that still wait', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const waiting = codeOf(cell.ask<string>(() => () => {}, 10_000))
  await settle()

  void cell.stop()
  await settle()

  assert.is(await waiting, 'CELL_DOWN')
})

test.run()

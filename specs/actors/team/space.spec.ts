/** A space keeps what its team learned: in order, also when the replica takes no more for a while. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError } from '../../../runtime/index.ts'
import { ExchangeWorld, addReader } from '../relay/exchange-world.ts'
import { addBody, announcement, device, entry, hashOf } from './roster.ts'

const first = entry('owner', addBody('c', 'writer'), [hashOf(addReader)])
const second = entry('owner', addBody('d', 'writer'), [hashOf(first)])

test('what was learned while the replica was full is stored all the same, parents first', async () => {
  const world = new ExchangeWorld(1)
  const member = await world.member('pi')
  const { replica } = member.space
  const extra = replica.extra.bind(replica)
  let refusals = 3
  const stored: number[] = []
  Object.assign(replica, {
    extra: (operations: Parameters<typeof extra>[0]) => {
      if (refusals-- > 0) return Promise.reject(new BlazeError('OVERLOADED', 'full'))
      stored.push(operations.length)
      return extra(operations)
    },
  })
  let changes = 0
  member.space.onTeamChanged(() => {
    changes += 1
  })

  const learned = await world.settle(
    Promise.all([
      member.space.learn({ entries: [first] }),
      member.space.learn({ entries: [second], announcements: [announcement('c')] }),
      member.space.learn({ entries: [second] }),
    ]),
  )
  await world.settle(member.space.close())
  const again = await world.member('pi', member.volume)

  assert.equal(
    learned.map(({ entries, announcements }) => [entries, announcements]),
    [
      [1, 0],
      [1, 1],
      [0, 0],
    ],
  )
  assert.is(
    stored.reduce((sum, count) => sum + count, 0),
    3,
  )
  assert.is(changes, 2)
  assert.is(again.space.team.role(device('d').keys.signKey), 'writer')
  assert.equal(again.space.team.digest, member.space.team.digest)
})

test('a store that failed is not retried: the call says so', async () => {
  const world = new ExchangeWorld(2)
  const member = await world.member('pi')
  member.volume.failNextBatch()

  const learned = member.space.learn({ entries: [first] })

  assert.is(
    await world.settle(
      learned.then(String, (error: unknown) => (error instanceof BlazeError ? error.code : '')),
    ),
    'POISONED',
  )
})

test('what does not verify changes nothing and wakes nobody', async () => {
  const world = new ExchangeWorld(3)
  const member = await world.member('pi')
  const { digest } = member.space.team
  let changes = 0
  member.space.onTeamChanged(() => {
    changes += 1
  })
  const forgery = first.slice()
  forgery[forgery.length - 1] = (forgery.at(-1) ?? 0) ^ 1

  const learned = member.space.learn({ entries: [forgery] })

  assert.is(
    await world.settle(
      learned.then(String, (error: unknown) => (error instanceof BlazeError ? error.code : '')),
    ),
    'BAD_SIGNATURE',
  )
  await world.settle(member.space.learn({ entries: [addReader] }))
  assert.equal(member.space.team.digest, digest)
  assert.is(changes, 0)
})

test.run()

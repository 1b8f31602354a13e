/** News of the team that come last: who has taken them has nothing left to do, and says so. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { addBody, announcement, entry, hashOf } from '../team/roster.ts'
import { addReader, connect, ExchangeWorld } from './exchange-world.ts'

test('a side that has taken the last news of the team tells that it is caught up', async () => {
  const world = new ExchangeWorld(13)
  const pi = await world.member('pi')
  const a = await world.member('a')
  const [atA, atPi] = connect(a, pi)
  await world.rest()
  atA.part()
  await world.write(a, 1, 'before the news')
  atA.exchange.pump()
  await world.rest()
  const joined = entry('owner', addBody('newcomer', 'writer'), [hashOf(addReader)])
  await world.settle(a.space.learn({ entries: [joined], announcements: [announcement('newcomer')] }))
  atA.exchange.teamChanged()
  atA.join(atPi)
  await world.rest()

  assert.ok(pi.space.team.has(hashOf(joined)))
  assert.ok(atPi.exchange.caughtUp)
  assert.ok(atPi.caughtUpTold)
})

test.run()

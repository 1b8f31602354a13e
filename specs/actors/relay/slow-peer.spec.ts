/** A peer that does not read: what it costs the side that has news for it, and what it is sent once it reads again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { contextOf } from '../../../actors/replica/live-set.ts'
import { limits } from '../../../runtime/index.ts'
import { draft, tag } from '../replica/replica-world.ts'
import { connect, ExchangeWorld, shown } from './exchange-world.ts'

const RECORDS = 100
const ROUNDS = 100

test('a peer that reads nothing costs its cursor and some parts, and then receives each record as it is by then', async () => {
  const world = new ExchangeWorld(1)
  const pi = await world.member('pi')
  const a = await world.member('a')
  const b = await world.member('b')
  const [writer] = connect(a, pi)
  const [reader, slow] = connect(b, pi)
  await world.rest()
  slow.part()
  slow.open = false

  for (let round = 0; round < ROUNDS; round++) {
    const { replica } = a.space
    const drafts = Array.from({ length: RECORDS }, (_, at) =>
      draft(tag(at), `round ${round} of ${at}`, contextOf(replica.live(tag(at)))),
    )
    await world.settle(replica.write(drafts))
    writer.exchange.pump()
    await world.rest()
    slow.exchange.pump()
    await world.rest()
  }
  assert.is(pi.space.replica.lastArrival, RECORDS * ROUNDS)
  const waiting = slow.envelopes
  assert.ok(waiting <= limits.relayPartsInFlightMax * RECORDS, `${waiting} envelopes wait for the reader`)
  assert.ok(slow.exchange.lag > 0)

  slow.open = true
  slow.join(reader)
  slow.exchange.writable()
  await world.rest()

  assert.ok(slow.exchange.caughtUp && reader.exchange.caughtUp)
  assert.is(slow.envelopes - waiting, RECORDS, 'each record once')
  for (const number of [0, 7, RECORDS - 1])
    assert.equal(shown(b, number), [`round ${ROUNDS - 1} of ${number}`])
})

test.run()

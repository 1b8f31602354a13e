/** What an open channel does as time passes: new keys every ten minutes, an orderly end after an hour. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import { bytes, ends, stream, tampered } from './channel-world.ts'
import type { Ends } from './channel-world.ts'

const DATA = 21
const REKEY_RECORD_BYTES = 26
const PING_RECORD_BYTES = 34

/** Two ends whose records are written down by length, the dialler's and the acceptor's. */
async function counted(): Promise<{ e: Ends; sent: readonly [number[], number[]] }> {
  const sent: readonly [number[], number[]] = [[], []]
  const e = await ends(1, ([near, far]) => [
    tampered(near, (record) => (sent[0].push(record.length), record)),
    tampered(far, (record) => (sent[1].push(record.length), record)),
  ])
  return { e, sent }
}

const rekeys = (records: readonly number[]): number =>
  records.filter((length) => length === REKEY_RECORD_BYTES).length

test('each side takes a new key before what it sends after ten minutes, and the talk goes on', async () => {
  const { e, sent } = await counted()
  const id = await stream(e)

  for (let minute = 1; minute <= 55; minute++) {
    await e.world.simulation.pass(60_000)
    e.dialler.send(id, DATA, bytes(100, minute))
    e.acceptor.send(id, DATA, bytes(200, minute))
    await e.settle()
    assert.equal(e.there.messages.at(-1)?.body, bytes(100, minute))
    assert.equal(e.here.messages.at(-1)?.body, bytes(200, minute))
  }

  assert.equal([rekeys(sent[0]), rekeys(sent[1])], [5, 5])
  assert.equal([e.here.closed, e.there.closed], [[], []])
})

test('a side that has not rekeyed yet has sent for less than ten minutes', async () => {
  const { e, sent } = await counted()

  await e.world.simulation.pass(limits.keyAgeMs - 1_000)
  assert.equal([rekeys(sent[0]), rekeys(sent[1])], [0, 0])
  await e.world.simulation.pass(limits.pingIntervalMs + 2_000)
  assert.equal([rekeys(sent[0]), rekeys(sent[1])], [1, 1])
  const at = sent[0].indexOf(REKEY_RECORD_BYTES)
  assert.is(sent[0][at + 1], PING_RECORD_BYTES, 'what it was taken for goes under the new key')
})

test('a rekey that was cut out of the link ends the channel: nothing under the new key is read', async () => {
  const e = await ends(1, ([near, far]) => [
    tampered(near, (record) => (record.length === REKEY_RECORD_BYTES ? undefined : record)),
    far,
  ])

  await e.world.simulation.pass(limits.keyAgeMs + limits.pingIntervalMs + 2_000)

  assert.equal(e.there.closed, ['LINK_CLOSED'])
})

test('a channel ends in order after an hour, whatever goes over it, and what was sent before arrives', async () => {
  const { e } = await counted()
  const id = await stream(e)

  await e.world.simulation.pass(limits.channelAgeMs - 2_000)
  e.dialler.send(id, DATA, bytes(300_000))
  await e.settle()
  assert.equal([e.here.closed, e.there.closed], [[], []])
  await e.world.simulation.pass(3_000)

  assert.is(e.there.messages[0]?.body.length, 300_000)
  assert.equal([e.here.closed, e.there.closed], [[undefined], [undefined]])
})

test.run()

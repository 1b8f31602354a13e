/** A peer that does not read: what it costs the side that has news for it, and what it is sent once it reads again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import { overwriteBeside } from './slow-peer-load.ts'

const RECORDS = 1_000
const ROUNDS = 100
/** Of a record here, with its share of a commit, in a store and on the wire: far above both. */
const RECORD_BYTES = 600

test('a peer that reads nothing costs its cursor and some parts, and then receives each record as it is by then', async () => {
  const seen = await overwriteBeside(RECORDS, ROUNDS)
  const told = JSON.stringify(seen)
  if (process.env['BLAZEDB_TELL'] === '1') console.log(told)

  assert.is(seen.arrivals, RECORDS * ROUNDS)
  const [, rows] = seen.rows
  const [firstBytes, bytes] = seen.storeBytes
  assert.ok(
    rows <= 4 * RECORDS && bytes <= 2 * firstBytes,
    `the store of the supervisor does not grow: ${told}`,
  )
  assert.ok(seen.waitingBytes <= limits.relayPartsInFlightMax * limits.relayPartBytes, told)
  assert.is(seen.tags, RECORDS)
  assert.is(seen.envelopes, RECORDS, 'each record once')
  assert.ok(seen.bytes <= RECORDS * RECORD_BYTES, told)
  assert.ok(seen.caughtUp)
  assert.is(seen.newest, RECORDS)
})

test.run()

/** What an export leaves out: deleted records, and what is held back, which it counts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { exportRecords } from '../../../actors/database/index.ts'
import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { createMembers } from './member.ts'

test('an export has the living records, and counts those that are held back without writing them', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob', { clockOffsetMs: 2 * limits.clockAheadMsMax })
  await alice.write('insert', 'living', { n: 1 })
  await alice.write('insert', 'deleted', { n: 2 })
  await alice.delete('deleted')
  await bob.write('insert', 'ahead', { n: 3 })
  await bob.write('insert', 'ahead too', { n: 4 })
  await members.send(bob, alice)
  const pieces: Uint8Array[] = []

  const report = await members.settle(
    alice.database.settled().then((open) =>
      exportRecords(
        {
          env: members.simulation.env('alice'),
          crypto: nodeCrypto,
          open,
          readLarge: () => Promise.resolve(undefined),
          sink: { write: async (bytes) => void pieces.push(bytes.slice()) },
        },
        { collections: undefined, signal: new AbortController().signal, onProgress: undefined },
      ),
    ),
  )

  const text = Buffer.concat(pieces).toString()
  assert.is(text, '{"collection":"c","id":"living","fields":{"n":1}}\n')
  assert.equal(report, { records: 1, held: 2, partial: 0, bytes: text.length })
})

test.run()

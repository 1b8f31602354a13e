/** A database that is closed while its disk fails: the call has an end, and the directory is free. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'

test('a close during which the disk fails says so, and the database opens again', async () => {
  const { open, volume, settle, code } = createClientWorld()
  const db = await open('/db')
  await settle(db.collection('notes').insert({ id: 'kept' }))
  volume('/db').failNextBatch()
  const write = db
    .collection('notes')
    .insert({ id: 'unknown' })
    .catch((error: unknown) => error)

  assert.is(await code(() => db.close()), 'POISONED')

  const refused = await write
  assert.instance(refused, BlazeError)
  const again = await open('/db')
  assert.equal(await settle(again.collection('notes').get('kept')), { id: 'kept' })
  await settle(again.close())
})

test.run()

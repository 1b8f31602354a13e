/** An index that is dropped while a query walks along it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createClientWorld } from './simulated-client.ts'

test('a query that walks along an index ends with CONFLICT when the index is dropped, and the next one does without it', async () => {
  const { open, settle, code } = createClientWorld()
  const collection = (await open()).collection('c')
  await settle(collection.insertMany(Array.from({ length: 5_000 }, (_, n) => ({ n }))))
  await settle(collection.createIndex('n'))

  const query = collection.query().where('n', '>=', 0).orderBy('n')
  const walking = code(() => query.all())
  const dropped = collection.dropIndex('n')

  assert.is(await walking, 'CONFLICT')
  assert.is(await settle(dropped), true)
  assert.is((await settle(query.all())).length, 5_000)
})

test.run()

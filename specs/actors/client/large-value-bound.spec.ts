/** The bounds of large byte values, and what is not done for them: at each limit and one over it. */
// time limit: 60 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { partsOf } from '../../../actors/client/client.ts'
import { CHUNK_COLLECTION } from '../../../actors/database/chunk/chunk-name.ts'
import { PartialBytes } from '../../../actors/index.ts'
import type { BlazeDBClient, LiveDelta } from '../../../actors/index.ts'
import { limits } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import { bytesOf, chunk, chunks, noise, opened, same } from './large-value-world.ts'
import type { Opened } from './large-value-world.ts'

/** As much as one record holds; so many of them may wait at once, and may be in one answer. */
const most = new Uint8Array(limits.largeBytesMax).fill(3)
const together = limits.largeWaitingBytesMax / limits.largeBytesMax

test('256 MiB of large values wait to be written and one byte value more is OVERLOADED, until they are written', async () => {
  const { notes, settle, code } = await opened()
  const ids = Array.from({ length: together }, (_, n) => `most ${n}`)

  const written = Promise.all(ids.map((id) => notes.put(id, { data: most })))
  const refused = code(() => notes.put('refused', { data: noise(chunk + 1) }))
  const small = code(() => notes.put('small', { data: noise(chunk) }))

  assert.is(await refused, 'OVERLOADED')
  assert.is(await small, 'ok')
  await settle(written)
  assert.is(await code(() => notes.put('later', { data: noise(chunk + 1) })), 'ok')
  assert.is(await settle(notes.get('refused')), undefined)
  await answersUpTo(ids, { notes, settle, code })
})

/** The same records, for what an answer may hold: they take a while to make. */
async function answersUpTo(
  ids: string[],
  { notes, settle, code }: Pick<Opened, 'notes' | 'settle' | 'code'>,
): Promise<void> {
  const all = await settle(notes.query().where('id', 'in', ids).all())

  assert.is(
    all.reduce((sum, doc) => sum + bytesOf(doc).length, 0),
    limits.largeAnswerBytesMax,
  )
  assert.is(await code(() => notes.query().all()), 'TOO_LARGE')
  assert.is(await code(() => notes.query().page()), 'TOO_LARGE')
  assert.is((await settle(notes.query().select('other').all())).length, ids.length + 2)
}

test('a value that becomes whole is told to no live query, and read as bytes', async () => {
  const world = await opened()
  const { notes, db, settle, simulation } = world
  const data = noise(2 * chunk)
  await settle(notes.insert({ id: 'a', data, n: 1 }))
  const [, second = ''] = await chunks(world, db)
  await writeChunk(world, second, undefined)
  const deltas: LiveDelta[] = []
  const live = notes.query().live((delta) => deltas.push(delta))
  await simulation.pass(10)

  await writeChunk(world, second, data.subarray(chunk))
  await simulation.pass(1_000)
  const told = deltas.length
  same(bytesOf(await settle(notes.get('a'))), data)
  await settle(notes.update('a', { n: 2 }))
  await simulation.pass(10)
  live.close()

  assert.ok(deltas[0]?.added[0]?.['data'] instanceof PartialBytes)
  assert.is(told, 1)
  same(bytesOf(deltas[1]?.changed[0]), data)
})

/** Deletes a chunk record, or writes it. */
async function writeChunk({ db, settle }: Opened, id: string, data: Uint8Array | undefined): Promise<void> {
  const { database } = partsOf(db)
  const collection = CHUNK_COLLECTION
  if (data === undefined) {
    await settle(database.request<boolean>((reply) => ({ type: 'record.delete', collection, id, reply })))
    return
  }
  const inputs = [{ id, values: new Map([['data', data]]) }]
  await settle(
    database.request<void>((reply) => ({ type: 'record.write', step: 'put', collection, inputs, reply })),
  )
}

test('the conflict inbox keeps a small value that lost and not the large one beside it', async () => {
  const world = new SimulatedWorld(5)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  const meet = async (): Promise<void> => {
    for (const client of [a, b, a]) await world.settle(client.sync?.caughtUp() ?? Promise.resolve())
  }
  const update = (client: BlazeDBClient, text: string, seed: number): Promise<void> =>
    world.settle(client.collection('notes').update('1', { text, data: noise(2 * chunk, seed) }))
  await world.settle(a.collection('notes').insert({ id: '1', text: 'first', data: noise(2 * chunk) }))
  await meet()

  world.network.partition('a', 'pi')
  await update(a, 'lost', 2)
  await world.simulation.pass(1_000)
  await update(b, 'won', 3)
  world.network.heal('a', 'pi')
  await meet()

  same(bytesOf(await world.settle(a.collection('notes').get('1'))), noise(2 * chunk, 3))
  for (const client of [a, b]) {
    const conflicts = await world.settle(client.conflicts())
    assert.equal(
      conflicts.map(({ field, value }) => [field, value]),
      [['text', 'lost']],
    )
  }
})

test('a copy in another record or field has chunks of its own', async () => {
  const world = await opened()
  const { notes, db, settle } = world
  const data = noise(2 * chunk)

  await settle(notes.insert({ id: 'a', data }))
  await settle(notes.insert({ id: 'b', data }))
  assert.is((await chunks(world, db)).length, 4)
  await settle(notes.update('a', { other: data }))

  assert.is((await chunks(world, db)).length, 6)
  same(bytesOf(await settle(notes.get('a')), 'other'), data)
})

test.run()

/** What a restored database with a supervisor does until it is whole, and what comes with it besides the records. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { restoreIn } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/index.ts'
import type { BlazeError } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

const FILE = '/a.blz'
/** Of all nodes of a simulated world. */
const KEY = new Uint8Array(32).fill(7)

async function synced(): Promise<{ world: SimulatedWorld; a: BlazeDBClient; b: BlazeDBClient }> {
  const world = new SimulatedWorld(2)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  return { world, a, b }
}

async function meet(world: SimulatedWorld, ...clients: BlazeDBClient[]): Promise<void> {
  for (const client of [...clients, ...clients])
    await world.settle(client.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
}

test('until one whole round came it is rebasing: reads answer, writes are REBASING, and no write of the backup is lost', async () => {
  const { world, a, b } = await synced()
  await world.settle(a.collection('notes').insert({ id: 'old', n: 1 }))
  await meet(world, a, b)
  await world.settle(a.backup(FILE))
  await world.settle(a.collection('notes').insert({ id: 'new', n: 1 }))
  await meet(world, a, b)
  await world.settle(a.close())

  world.network.partition('c', 'pi')
  const from = { from: FILE, name: 'a', at: 'c', key: KEY }
  const back = await world.settle(restoreIn(world.world('c'), from))
  const notes = back.collection('notes')
  const write = (id: string): Promise<string> =>
    world.settle(
      notes.put(id, { n: 2 }).then(
        () => 'ok',
        ({ code }: BlazeError) => code,
      ),
    )
  await world.simulation.pass(60_000)

  assert.is(back.status().state, 'rebasing')
  assert.equal(await world.settle(notes.get('old')), { id: 'old', n: 1 })
  assert.equal((await world.settle(notes.query().all())).length, 1)
  assert.is(await write('old'), 'REBASING')
  world.network.heal('c', 'pi')
  await meet(world, back, b)

  assert.is(back.status().state, 'ready')
  assert.equal(await world.settle(notes.get('new')), { id: 'new', n: 1 })
  assert.is(await write('old'), 'ok')
  await meet(world, back, b)
  assert.equal(await world.settle(b.collection('notes').get('old')), { id: 'old', n: 2 })
})

test('values that lost come with the backup, and are told once', async () => {
  const { world, a, b } = await synced()
  await world.settle(a.collection('notes').insert({ id: 'x', text: 'first' }))
  await meet(world, a, b)
  world.network.partition('a', 'pi')
  await world.settle(a.collection('notes').update('x', { text: 'lost' }))
  await world.simulation.pass(1_000)
  await world.settle(b.collection('notes').update('x', { text: 'won' }))
  world.network.heal('a', 'pi')
  await meet(world, a, b)
  await world.settle(a.backup(FILE))
  await world.settle(a.close())

  const back = await world.settle(restoreIn(world.world('c'), { from: FILE, name: 'a', at: 'c', key: KEY }))
  await meet(world, back, b)

  const lost = await world.settle(back.conflicts())
  assert.equal(
    lost.map(({ field, value }) => [field, value]),
    [['text', 'lost']],
  )
  await world.settle(back.dismissConflict(lost[0]?.id ?? ''))
  await meet(world, back, b)
  assert.equal(await world.settle(back.conflicts()), [])
  assert.is((await world.settle(b.conflicts())).length, 1, 'the inbox of each device is its own')
})

test.run()

/** `durability: 'relaxed'`: whoever is shown a write is shown one that is synced: queries, live queries, peers and guests. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openIn } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import { BlazeTopology } from '../../../actors/topology/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import { createClientWorld, KEY } from './simulated-client.ts'

/** A batch takes up to this to be synced; by chance, more than what is waited below. */
const DISK_MS = 100_000
const SOON_MS = 50

async function opened() {
  const sim = createClientWorld()
  const options = { name: 'db', at: '/db', key: KEY, durability: 'relaxed' } as const
  const db = await sim.settle(openIn(sim.world, options))
  await sim.settle(db.collection('bugs').insert({ id: 'first', n: 0 }))
  await sim.settle(db.flush())
  sim.volume('/db').setLatency(DISK_MS)
  return { ...sim, db, bugs: db.collection('bugs') }
}

test('queries, live queries and watched records tell of a write when it is on the disk, and not before', async () => {
  const { db, bugs, settle, simulation } = await opened()
  const told: string[] = []
  const synced = db.status().lastArrival
  const tell = (what: string) => (): void => {
    told.push(`${what} ${db.status().lastArrival - synced}`)
  }
  const live = bugs.query().live(tell('live'))
  const watched = bugs.watch('second', tell('watch'))
  await simulation.pass(10)
  told.length = 0

  await settle(bugs.insert({ id: 'second', n: 1 }))
  const reads = [
    bugs.query().count().then(tell('count')),
    bugs.query().where('n', '=', 1).all().then(tell('query')),
    bugs.get('second').then(tell('get')),
  ]
  await simulation.pass(SOON_MS)
  assert.equal(told, [])
  await settle(Promise.all(reads))
  await simulation.pass(10)
  live.close()
  watched.close()

  assert.equal(told.sort(), ['count 1', 'get 1', 'live 1', 'query 1', 'watch 1'])
})

test('a database next door is brought a write when it is on the disk', async () => {
  const { db, bugs, open, settle, simulation } = await opened()
  const to = await open('/to')
  await settle(BlazeTopology.connectLocal({ from: db, to, mode: 'readOnly' }))

  await settle(bugs.insert({ id: 'second', n: 1 }))
  await simulation.pass(SOON_MS)
  assert.is(await settle(to.collection('bugs').get('second')), undefined)
  await simulation.pass(2 * DISK_MS)

  assert.equal(await settle(to.collection('bugs').get('second')), { id: 'second', n: 1 })
})

test('what a peer has seen of a relaxed writer is there after the writer lost its power', async () => {
  const world = new SimulatedWorld(3)
  await world.startSupervisor()
  const open = (): Promise<BlazeDBClient> =>
    world.settle(openIn(world.world('a'), { name: 'a', at: 'a', key: KEY, durability: 'relaxed' }))
  const a = await open()
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  world.volume('a').setLatency(400)
  let seen = 0
  b.collection('notes')
    .query()
    .live(({ added }) => {
      seen += added.length
    })

  for (let n = 1; n <= 40; n += 1) {
    await world.settle(a.collection('notes').insert({ id: `${n}`, n }))
    await world.simulation.pass(20)
  }
  assert.ok(seen > 0 && seen < 40, `the peer has seen ${seen}`)
  world.network.partition('a', 'pi')
  world.crash('a')
  const again = await open()

  const kept = await world.settle(again.collection('notes').query().count())
  assert.ok(kept >= seen && kept < 40, `${kept} are kept, the peer has seen ${seen}`)
})

test.run()

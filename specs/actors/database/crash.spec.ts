/** A store that fails, a disk that loses its power, and what calls learn of it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openIn } from '../../../actors/client/index.ts'
import type { Collection } from '../../../actors/client/index.ts'
import { partsOf } from '../../../actors/client/client.ts'
import { BlazeError, createChance, toHex } from '../../../runtime/index.ts'
import { createClientWorld, KEY } from '../client/simulated-client.ts'

test('after a failed batch calls in flight reject, and the database is soon open again by itself', async () => {
  const { open, volume, settle, code, simulation, world } = createClientWorld()
  const db = await open()
  const bugs = db.collection('bugs')
  await settle(bugs.insert({ id: 'kept', n: 1 }))
  const seen: string[] = []
  world.system.tap.subscribe((event) => {
    if (event.type === 'cell.crashed' || event.type === 'cell.restarted') seen.push(event.type)
  })

  volume('/db').failNextBatch()
  const doomed = [bugs.insert({ id: 'lost' }), bugs.update('kept', { n: 2 })]
  for (const write of doomed) write.catch(() => {})
  const live = bugs.query().live(() => {})
  assert.is(await code(() => doomed[0]), 'POISONED')
  assert.is(await code(() => doomed[1]), 'POISONED')
  await simulation.pass(2_000)

  assert.equal(seen, ['cell.crashed', 'cell.restarted'])
  assert.is(db.status().state, 'ready')
  assert.equal(await settle(bugs.get('kept')), { id: 'kept', n: 1 })
  assert.is(await code(() => live.closed), 'POISONED')
  await settle(bugs.insert({ id: 'after' }))
  await settle(db.close())
  const again = await open()
  assert.is((await settle(again.collection('bugs').get('after')))?.id, 'after')
})

test('calls made while the store is being opened again wait for it', async () => {
  const { open, volume, settle, code, simulation } = createClientWorld()
  const db = await open()
  const bugs = db.collection('bugs')
  volume('/db').failNextBatch()
  assert.is(await code(() => bugs.insert({ id: 'x' })), 'POISONED')
  await simulation.pass(5)

  const waiting = bugs.insert({ id: 'y' })

  assert.is(await settle(waiting), 'y')
  assert.is((await settle(bugs.query().all())).at(-1)?.id, 'y')
})

test('a disk that fails while another replica id is taken does not make the openings meet', async () => {
  const { open, volume, settle, code, simulation, world } = createClientWorld(5)
  const db = await open()
  const bugs = db.collection('bugs')
  await settle(bugs.insert({ id: 'kept' }))
  const { database } = partsOf(db)
  const { replica } = database.identity
  const states: string[] = []
  world.system.tap.subscribe((event) => {
    if (event.type === 'machine.state') states.push(String(event.details['to']))
  })
  volume('/db').setLatency(50)
  const doomed = code(() => bugs.insert({ id: 'lost' }))
  await simulation.pass(1)

  const details = { replicaId: toHex(replica), seq: 1 }
  database.space?.exchangeEnded(new BlazeError('FORKED', 'another branch', { details }))
  volume('/db').failNextBatch()
  await simulation.pass(1_000)

  assert.is(await doomed, 'POISONED')
  assert.equal(states, ['opening', 'ready'])
  assert.is(db.status().state, 'ready')
  assert.not.equal(database.identity.replica, replica)
  assert.equal(await settle(bugs.get('kept')), { id: 'kept' })
})

test('every acknowledged write survives power cuts at random moments', async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const sim = { ...createClientWorld(seed), bugs: undefined as unknown as Collection }
    const chance = createChance(seed)
    const pick = (n: number): number => Math.floor(chance() * n)
    /** What each record may be: its last acknowledged write, and everything that was tried since. */
    const possible = new Map<string, { step: number; value: number | undefined }[]>()
    for (let step = 0; step < 80; step += 1) {
      if (step % 20 === 0) {
        if (step > 0) sim.powerCut('/db')
        const bugs = (await sim.open()).collection('bugs')
        for (const [id, states] of possible) {
          const value = (await sim.settle(bugs.get(id)))?.['n'] as number | undefined
          const values = states.map((state) => state.value)
          assert.ok(
            values.includes(value),
            `seed ${seed}: ${id} is ${value}, expected one of ${values.join()}`,
          )
          possible.set(id, [{ step, value }])
        }
        sim.bugs = bugs
      }
      const id = `r${pick(5)}`
      const value = pick(4) === 0 ? undefined : step
      possible.set(id, [...(possible.get(id) ?? [{ step: -1, value: undefined }]), { step, value }])
      const write: Promise<unknown> =
        value === undefined ? sim.bugs.delete(id) : sim.bugs.put(id, { n: value })
      write.then(
        () =>
          possible.set(
            id,
            (possible.get(id) ?? []).filter((state) => state.step >= step),
          ),
        () => {},
      )
      if (pick(2) === 0) await sim.simulation.pass(pick(4))
    }
  }
})

test('a store without its header is HEADER_DAMAGED, never a new database', async () => {
  const { open, volume, settle, code, world } = createClientWorld()
  const db = await open()
  await settle(db.collection('bugs').insert({ id: 'x' }))
  await settle(db.close())
  await settle(volume('/db').remove('header.0'))
  await settle(volume('/db').remove('header.1'))

  assert.is(await code(() => openIn(world, { name: 'db', at: '/db', key: KEY })), 'HEADER_DAMAGED')
  assert.equal(await volume('/db').list(''), ['store'])
})

test('a directory whose first opening was cut off opens as a new one', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const sim = createClientWorld(seed)
    const first = openIn(sim.world, { name: 'db', at: '/db', key: KEY })
    first.catch(() => {})
    await sim.simulation.pass(sim.simulation.random() * 12)
    sim.powerCut('/db')

    const db = await sim.open()
    await sim.settle(db.collection('c').insert({ id: 'x' }))
    await sim.settle(db.close())
    assert.equal(await sim.volume('/db').list(''), ['header.0', 'header.1', 'store'])
  }
})

test.run()

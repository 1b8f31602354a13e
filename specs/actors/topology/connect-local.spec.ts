/** Two databases of one process share collections, in a simulated world. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import { BlazeTopology } from '../../../actors/topology/index.ts'
import type { ConnectLocalOptions, Connection } from '../../../actors/topology/index.ts'
import { createChance } from '../../../runtime/index.ts'
import { createClientWorld } from '../client/simulated-client.ts'
import type { ClientWorld } from '../client/simulated-client.ts'

interface Pair extends ClientWorld {
  readonly from: BlazeDBClient
  readonly to: BlazeDBClient
  readonly connect: (options: Omit<ConnectLocalOptions, 'from' | 'to'>) => Promise<Connection>
  /** Lets everything on its way arrive. */
  readonly quiet: () => Promise<void>
}

async function pair(seed = 1): Promise<Pair> {
  const sim = createClientWorld(seed)
  const from = await sim.open('/from')
  const to = await sim.open('/to')
  return {
    ...sim,
    from,
    to,
    connect: (options) => sim.settle(BlazeTopology.connectLocal({ from, to, ...options })),
    quiet: () => sim.simulation.pass(200),
  }
}

async function contents({ settle }: ClientWorld, client: BlazeDBClient, name: string): Promise<object[]> {
  const docs = await settle(client.collection(name).query().all())
  return docs.sort((a, b) => (a.id < b.id ? -1 : 1))
}

test('readOnly: the target shows the source and its changes, and refuses writes', async () => {
  const world = await pair()
  const { from, to, settle, code, connect, quiet } = world
  const bugs = from.collection('bugs')
  await settle(bugs.insertMany(Array.from({ length: 600 }, (_, n) => ({ id: `b${n}`, n }))))
  await settle(bugs.delete('b0'))

  const connection = await connect({ mode: 'readOnly' })
  assert.equal(await contents(world, to, 'bugs'), await contents(world, from, 'bugs'))
  assert.ok(connection.connected)
  await settle(bugs.update('b1', { n: 'changed' }))
  await settle(bugs.delete('b2'))
  await settle(bugs.restore('b0', { n: 'restored' }))
  await settle(from.collection('later').insert({ id: 'new' }))
  await quiet()

  assert.equal(await contents(world, to, 'bugs'), await contents(world, from, 'bugs'))
  assert.equal(await contents(world, to, 'later'), [{ id: 'new' }])
  for (const name of ['bugs', 'later']) {
    const copy = to.collection(name)
    assert.is(await code(() => copy.insert({ a: 1 })), 'READ_ONLY')
    assert.is(await code(() => copy.put('b1', {})), 'READ_ONLY')
    assert.is(await code(() => copy.update('b1', {})), 'READ_ONLY')
    assert.is(await code(() => copy.delete('b1')), 'READ_ONLY')
    assert.is(await code(() => copy.restore('b2', {})), 'READ_ONLY')
    assert.is(await code(() => copy.insertMany([{ a: 1 }])), 'READ_ONLY')
  }
  assert.is(await code(() => to.collection('own').insert({ a: 1 })), 'ok')
  assert.is(from.status().records, 600)
})

test('a copy stays read-only after disconnect and reopening, until it is forgotten', async () => {
  const world = await pair()
  const { from, to, settle, code, connect, quiet } = world
  await settle(from.collection('bugs').insert({ id: 'x', n: 1 }))
  const connection = await connect({ mode: 'readOnly', collections: ['bugs'] })
  await settle(connection.disconnect())
  assert.not(connection.connected)

  await settle(from.collection('bugs').update('x', { n: 2 }))
  await quiet()
  assert.equal(await contents(world, to, 'bugs'), [{ id: 'x', n: 1 }])
  assert.is(await code(() => to.collection('bugs').delete('x')), 'READ_ONLY')
  await settle(to.close())
  const again = await world.open('/to')
  assert.equal(again.status().mirrors, ['bugs'])
  assert.is(await code(() => again.collection('bugs').delete('x')), 'READ_ONLY')

  const second = await settle(
    BlazeTopology.connectLocal({ from, to: again, mode: 'readOnly', collections: ['bugs'] }),
  )
  assert.equal(await contents(world, again, 'bugs'), [{ id: 'x', n: 2 }])
  await settle(second.disconnect({ forget: true }))
  assert.is(await settle(again.collection('bugs').delete('x')), true)
  assert.equal(await contents(world, from, 'bugs'), [{ id: 'x', n: 2 }])
})

test('a name with records of its own is refused, unless the copy goes under another name', async () => {
  const world = await pair()
  const { from, to, settle, code, connect, quiet } = world
  await settle(from.collection('bugs').insert({ id: 'theirs' }))
  await settle(to.collection('bugs').insert({ id: 'mine' }))
  const options = { from, to, mode: 'readOnly' as const }

  assert.is(
    await code(() => BlazeTopology.connectLocal({ ...options, collections: ['bugs'] })),
    'COLLECTION_EXISTS',
  )
  assert.is(await code(() => BlazeTopology.connectLocal(options)), 'COLLECTION_EXISTS')
  assert.equal(to.status().mirrors, [])
  assert.is(await code(() => to.collection('bugs').update('mine', { still: 'writable' })), 'ok')
  const connection = await connect({ mode: 'readOnly', collections: ['bugs'], into: 'their-bugs' })
  await settle(from.collection('bugs').insert({ id: 'second' }))
  await quiet()

  assert.equal(await contents(world, to, 'their-bugs'), [{ id: 'second' }, { id: 'theirs' }])
  assert.is(await code(() => to.collection('their-bugs').delete('theirs')), 'READ_ONLY')
  assert.is(await code(() => to.collection('bugs').delete('mine')), 'ok')
  await settle(connection.disconnect())
})

test('a collision that comes later stops the edge and says why', async () => {
  const { from, to, settle, connect, quiet } = await pair()
  const connection = await connect({ mode: 'readOnly' })
  await settle(to.collection('notes').insert({ id: 'mine' }))

  await settle(from.collection('notes').insert({ id: 'theirs' }))
  await quiet()

  assert.not(connection.connected)
  assert.is(connection.error?.code, 'COLLECTION_EXISTS')
  assert.equal(await settle(to.collection('notes').query().all()), [{ id: 'mine' }])
})

test('writeOnly: writes of the target go to the source, and nothing comes back', async () => {
  const world = await pair()
  const { from, to, settle, connect, quiet } = world
  await settle(from.collection('log').insert({ id: 'old' }))
  await settle(to.collection('log').insert({ id: 'before', n: 1 }))

  await connect({ mode: 'writeOnly', collections: ['log'] })
  assert.equal(await contents(world, from, 'log'), [{ id: 'before', n: 1 }, { id: 'old' }])
  await settle(to.collection('log').insert({ id: 'after' }))
  await settle(to.collection('log').delete('before'))
  await settle(to.collection('private').insert({ id: 'secret' }))
  await settle(from.collection('log').insert({ id: 'own' }))
  await quiet()

  assert.equal(await contents(world, from, 'log'), [{ id: 'after' }, { id: 'old' }, { id: 'own' }])
  assert.equal(await contents(world, to, 'log'), [{ id: 'after' }])
  assert.equal(await contents(world, from, 'private'), [])
})

test('bidirectional: both sides write, concurrent edits of a record merge by field, deletes win', async () => {
  const world = await pair()
  const { from, to, settle, connect, quiet } = world
  await settle(from.collection('bugs').insert({ id: 'a', x: 0, y: 0 }))
  await settle(to.collection('bugs').insert({ id: 'b', x: 0 }))
  await connect({ mode: 'bidirectional' })
  assert.equal(await contents(world, from, 'bugs'), [
    { id: 'a', x: 0, y: 0 },
    { id: 'b', x: 0 },
  ])
  assert.equal(await contents(world, to, 'bugs'), await contents(world, from, 'bugs'))

  await settle(
    Promise.all([
      from.collection('bugs').update('a', { x: 'from' }),
      to.collection('bugs').update('a', { y: 'to' }),
      from.collection('bugs').update('b', { x: 1 }),
      to.collection('bugs').delete('b'),
    ]),
  )
  await quiet()

  assert.equal(await contents(world, from, 'bugs'), [{ id: 'a', x: 'from', y: 'to' }])
  assert.equal(await contents(world, to, 'bugs'), [{ id: 'a', x: 'from', y: 'to' }])
})

test('echoes die: an import that changes nothing writes nothing', async () => {
  const world = await pair()
  const { from, to, settle, connect, quiet } = world
  await connect({ mode: 'bidirectional' })
  await settle(from.collection('bugs').insert({ id: 'a', n: 1 }))
  await quiet()
  const [fromArrival, toArrival] = [from.status().lastArrival, to.status().lastArrival]
  await world.simulation.pass(60_000)

  assert.is(from.status().lastArrival, fromArrival)
  assert.is(to.status().lastArrival, toArrival)
  assert.is(toArrival, 1)
  assert.is(fromArrival, 1)
})

test('random concurrent work on both sides ends equal, and is the same after reopening', async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const world = await pair(seed)
    const { from, to, settle, connect, simulation } = world
    const chance = createChance(seed)
    const pick = (n: number): number => Math.floor(chance() * n)
    await connect({ mode: 'bidirectional', collections: ['c'] })
    const writes: Promise<unknown>[] = []
    for (let step = 0; step < 60; step += 1) {
      const collection = (pick(2) === 0 ? from : to).collection('c')
      const id = `r${pick(6)}`
      const kind = pick(4)
      if (kind === 0) writes.push(collection.delete(id))
      else if (kind === 1) writes.push(collection.put(id, { [`f${pick(3)}`]: step }))
      else
        writes.push(
          collection.update(id, { [`f${pick(3)}`]: pick(3) === 0 ? undefined : step }).catch(() => 0),
        )
      if (pick(3) === 0) await simulation.pass(pick(15))
    }
    await settle(Promise.all(writes))
    await world.quiet()
    const expected = await contents(world, from, 'c')
    assert.equal(await contents(world, to, 'c'), expected, `seed ${seed}`)
    await settle(from.close())
    await settle(to.close())
    const again = await world.open('/to')
    assert.equal(await contents(world, again, 'c'), expected, `seed ${seed}, reopened`)
  }
})

test('an edge goes on after a store failed, and misses nothing', async () => {
  const world = await pair()
  const { from, to, settle, code, connect, simulation, volume } = world
  await connect({ mode: 'bidirectional' })
  await settle(from.collection('bugs').insert({ id: 'a' }))
  await world.quiet()

  volume('/to').failNextBatch()
  await settle(from.collection('bugs').insert({ id: 'b' }))
  await simulation.pass(10_000)
  volume('/from').failNextBatch()
  assert.is(await code(() => from.collection('bugs').insert({ id: 'lost' })), 'POISONED')
  await simulation.pass(10_000)
  await settle(from.collection('bugs').put('c', {}))
  await settle(to.collection('bugs').put('d', {}))
  await simulation.pass(10_000)

  const ids = (await contents(world, to, 'bugs')).map((doc) => (doc as { id: string }).id)
  assert.equal(
    ids.filter((id) => id !== 'lost'),
    ['a', 'b', 'c', 'd'],
  )
  assert.equal(await contents(world, from, 'bugs'), await contents(world, to, 'bugs'))
})

test('bad arguments are a TypeError', async () => {
  const { from, to, code } = await pair()
  const good = { from, to, mode: 'readOnly' as const }
  const rows: unknown[] = [
    undefined,
    { ...good, from: {} },
    { ...good, to: from },
    { ...good, mode: 'both' },
    { ...good, collections: 'bugs' },
    { ...good, collections: ['~x'] },
    { ...good, into: 'x' },
    { ...good, collections: ['a', 'b'], into: 'x' },
  ]
  for (const [at, row] of rows.entries()) {
    assert.is(
      await code(() => BlazeTopology.connectLocal(row as ConnectLocalOptions)),
      'TypeError',
      String(at),
    )
  }
})

test.run()

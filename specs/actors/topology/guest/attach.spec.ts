/** How a guest finds its host, what it takes from it, and what it shows. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryOf } from '../../../../actors/database/index.ts'
import { ATTACHED, gone, HOME, INCARNATION, POLICY, shown, SPACE } from './bare-host.ts'
import { all, ask, follow, get, GuestWorld, ids, insert } from './guest-world.ts'
import { DATABASE, recordOf } from './mirror-record.ts'

const bug = (id: string, n = 1): ReturnType<typeof shown> => shown(recordOf('bugs', id, { n }))

test('a guest attaches, shows what the host sends at once, and is live when the host says so', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link) => link.attached({ lastArrival: 2 })
  const guest = await world.guest()
  assert.not.ok(guest.complete)
  await world.state(guest, 'passing')

  host.link.changes([shown(recordOf('bugs', 'a', { title: 'one' }))], { upTo: 1, caughtUp: false })
  await world.quiet()
  assert.equal(await world.settle(all(guest)), [{ id: 'a', title: 'one' }])
  assert.is(guest.report().state, 'passing')
  assert.not.ok(guest.complete)
  host.link.changes([shown(recordOf('notes', 'n', { text: 'two' }))], { upTo: 2 })
  await world.state(guest, 'live')

  assert.ok(guest.complete)
  assert.equal(await ids(world, guest, 'notes'), ['n'])
  const { position, passes, space, policyVersion, collections, attempts } = guest.report()
  assert.equal([position, passes, attempts, collections], [2, 1, 0, ['bugs', 'notes']])
  assert.is(space, '01'.repeat(16))
  assert.is(policyVersion, '03'.repeat(16))
  const { records, state, replicaId, mirrors, lastArrival } = guest.status()
  assert.equal([records, state, replicaId, mirrors, lastArrival], [2, 'live', '', ['bugs', 'notes'], 2])
  await world.settle(guest.close())
})

test('it says who it is and what it wants', async () => {
  const world = await GuestWorld.create()
  const guest = await world.guest({ mode: 'readOnly' })
  await world.until(() => world.host.attaches.length > 0)

  const [attach] = world.host.attaches
  assert.equal(attach, { mode: 'readOnly', pid: 7, database: DATABASE, cursor: undefined })
  assert.ok(guest.report().readOnly)
  await world.settle(guest.close())
})

test('live queries are told of what comes, changes and goes', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link) => {
    link.attached()
    link.changes([bug('a'), bug('b')], { upTo: 2 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  const { deltas } = await follow(world, guest)

  host.link.changes([bug('a', 2), gone('deleted', 'b')], { upTo: 4 })
  host.link.changes([gone('retracted', 'a'), gone('retracted', 'never seen')], { upTo: 6 })
  await world.quiet()

  assert.equal(
    deltas.map(({ added, changed, removed }) => [added.length, changed, removed]),
    [
      [2, [], []],
      [0, [{ id: 'a', n: 2 }], ['b']],
      [0, [], ['a']],
    ],
  )
  assert.is(await world.settle(get(guest, 'a')), undefined)
  await world.settle(guest.close())
})

test('it falls behind and catches up as the host says', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link) => {
    link.attached()
    link.changes([], { upTo: 1 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')

  host.link.changes([bug('a')], { upTo: 2, caughtUp: false })
  await world.state(guest, 'passing')
  host.link.changes([bug('b')], { upTo: 3 })
  await world.state(guest, 'live')

  assert.is(guest.report().passes, 1)
  await world.settle(guest.close())
})

test('after a link broke it dials again and goes on from its cursor, which may be behind what it shows', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link, { cursor }) => link.attached({ full: cursor === undefined })
  const guest = await world.guest()
  await world.state(guest, 'passing')
  host.link.changes([bug('a')], { upTo: 5, cursor: 3 })
  await world.state(guest, 'live')

  world.network.cut('app')
  await world.state(guest, 'failover')
  assert.equal(await ids(world, guest), ['a'])
  assert.is(guest.report().error?.code, 'TRUNCATED')
  assert.is(guest.report().attempts, 1)
  await world.state(guest, 'passing')
  host.link.changes([], { upTo: 5, cursor: 5 })
  await world.state(guest, 'live')

  assert.equal(
    host.attaches.map(({ cursor }) => cursor),
    [undefined, { policy: POLICY, space: SPACE, incarnation: INCARNATION, arrival: 3 }],
  )
  assert.equal(await ids(world, guest), ['a'])
  assert.is(guest.report().attempts, 0)
  assert.is(guest.report().error, undefined)
  await world.settle(guest.close())
})

test('while nobody listens it tries again by itself, each time later, and reads are answered', async () => {
  const world = await GuestWorld.create()
  await world.host.deaf()
  const guest = await world.guest()
  await world.until(() => guest.report().attempts === 6)

  assert.is(guest.report().error?.code, 'UNREACHABLE')
  assert.equal(await world.settle(all(guest)), [])
  const before = world.simulation.now()
  await world.until(() => guest.report().attempts === 12)
  assert.ok(world.simulation.now() - before > 1_000)
  await world.host.listen()
  world.host.onAttach = (link) => {
    link.attached()
    link.changes([], { upTo: 0 })
  }
  await world.state(guest, 'live')
  await world.settle(guest.close())
})

test('a stream that the host takes back is opened anew on the same link at once, and not in a loop', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link, { cursor }) => link.attached({ full: cursor === undefined })
  const guest = await world.guest()
  await world.state(guest, 'passing')
  host.link.changes([bug('a')], { upTo: 1 })
  await world.state(guest, 'live')
  await world.simulation.pass(1_500)

  host.link.reset('CLOSED')
  const before = world.simulation.now()
  await world.until(() => host.attaches.length === 2)
  assert.ok(world.simulation.now() - before < 10)
  assert.is(host.links.length, 1)
  assert.is(host.attaches[1]?.cursor?.arrival, 1)

  host.onAttach = (link) => link.reset('CLOSED')
  host.link.reset('CLOSED')
  await world.simulation.pass(20_000)
  assert.is(host.links.length, 1)
  assert.ok(host.attaches.length > 5 && host.attaches.length < 30, `${host.attaches.length} streams`)
  assert.equal(await ids(world, guest), ['a'])
  await world.settle(guest.close())
})

test('a host that is busy, or does not answer the attach, is left and dialled again', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link) => link.reset('BUSY')
  const guest = await world.guest()
  await world.until(() => host.links.length === 2)
  assert.is(guest.report().error?.code, 'BUSY')

  host.onAttach = () => {}
  await world.until(() => guest.report().error?.code === 'TIMEOUT')
  const before = host.links.length
  host.onAttach = (link) => {
    link.attached()
    link.changes([], { upTo: 0 })
  }
  await world.state(guest, 'live')
  assert.ok(host.links.length > before)
  await world.settle(guest.close())
})

test('a host of another space takes the place of the one before: nothing of it is shown, not even what was at home', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link) => {
    link.attached()
    link.changes([bug('a'), shown(recordOf('bugs', 'mine', {}, HOME)), bug('b')], { upTo: 9 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  const { deltas } = await follow(world, guest)

  const other = { ...ATTACHED, space: new Uint8Array(16).fill(8), home: new Uint8Array(16).fill(9) }
  host.onAttach = (link) => link.attached(other)
  world.network.cut('app')
  await world.state(guest, 'failover')
  await world.state(guest, 'passing')
  assert.not.ok(guest.complete)
  assert.is(guest.report().position, 0)
  assert.equal(await ids(world, guest), [])
  // Under another space the same record has another tag.
  host.link.changes([{ ...bug('a'), tag: new Uint8Array(16) }], { upTo: 1 })
  await world.state(guest, 'live')

  assert.equal(await ids(world, guest), ['a'])
  assert.equal(deltas[1]?.removed.sort(), ['a', 'b', 'mine'])
  await world.settle(guest.close())
  await world.host.deaf()
  const again = await world.guest()
  assert.ok(again.complete)
  assert.equal(await ids(world, again), ['a'])
  await world.settle(again.close())
})

test('a bug while something is shown crashes the guest alone: calls settle, the copy is opened again, and it goes on', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    link.changes(cursor === undefined ? [bug('a')] : [], { upTo: cursor?.arrival ?? 1 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  let armed = false
  const ends: unknown[] = []
  const sink = {
    ready: () => {
      if (armed) throw new Error('a bug')
    },
    ended: (error: unknown) => void ends.push(error),
  }
  const query = queryOf('bugs')
  await world.settle(ask(guest, (reply) => ({ type: 'query.live', query, sink, reply })))
  const write = world.code(insert(guest, 'mine'))
  await world.until(() => host.link.requests.length === 1)

  armed = true
  host.link.changes([bug('b')], { upTo: 2 })

  assert.ok(['CLOSED', 'LINK_CLOSED'].includes(await write))
  await world.until(() => host.links.length === 2 && guest.report().state === 'live')
  assert.is(ends.length, 1)
  assert.equal(await ids(world, guest), ['a', 'b'])
  assert.is(world.copies.length, 1)
  await world.settle(guest.close())
})

test('closing leaves in order, ends live queries and what is called later, and frees the directory', async () => {
  const world = await GuestWorld.create()
  const { host } = world
  host.onAttach = (link) => {
    link.attached()
    link.changes([bug('a')], { upTo: 1 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  const { ends } = await follow(world, guest)

  await world.settle(guest.close())
  await world.quiet()

  assert.is(ends.length, 1)
  assert.is(host.link.ended, 'in order')
  assert.is(await world.code(all(guest)), 'CLOSED')
  assert.is(await world.code(guest.mark(10)), 'CLOSED')
  await world.settle(guest.close())
  const next = await world.guest()
  assert.is(next.at, guest.at)
  await world.settle(next.close())
})

test.run()

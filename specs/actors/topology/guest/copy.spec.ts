/** Copies on the disk: one for each process, written behind what is shown, and bounded in what waits to be written. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OrderedStore } from '../../../../actors/replica/index.ts'
import type { GuestDatabase } from '../../../../actors/topology/guest/index.ts'
import type { MirrorItem } from '../../../../actors/topology/mirror/index.ts'
import { BlazeError, createSystem, limits, nodeCrypto } from '../../../../runtime/index.ts'
import { HOME, shown } from './bare-host.ts'
import { GuestWorld, ids } from './guest-world.ts'
import { recordOf } from './mirror-record.ts'

const bug = (id: string, text = ''): MirrorItem => shown(recordOf('bugs', id, { text }))

function serve(world: GuestWorld): void {
  world.host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    link.changes(cursor === undefined ? [bug('a')] : [], { upTo: cursor?.arrival ?? 1 })
  }
}

test('each guest takes the first copy that no other holds, up to a bound, and a free one is taken again', async () => {
  const world = await GuestWorld.create()
  serve(world)
  const guests: GuestDatabase[] = []
  for (let slot = 0; slot < limits.guestSlotsMax; slot += 1) guests.push(await world.guest())
  assert.is(world.copies.length, limits.guestSlotsMax)

  assert.is(await world.code(world.guest()), 'ALREADY_OPEN')
  const third = guests[2]
  assert.ok(third !== undefined)
  await world.state(third, 'live')
  await world.settle(third.close())
  await world.host.deaf()
  const next = await world.guest()
  assert.equal(await ids(world, next), ['a'], 'the copy of the one that has gone')

  assert.is(world.copies.length, limits.guestSlotsMax)
  for (const guest of [...guests, next]) await world.settle(guest.close())
})

test('a copy that another process took while this one had lost its disk is replaced by the next', async () => {
  const world = await GuestWorld.create()
  serve(world)
  const guest = await world.guest()
  await world.state(guest, 'live')
  world.copy(0).failNextBatch()
  world.host.link.changes([bug('b')], { upTo: 1 })
  let store: OrderedStore | undefined
  await world.until(() => {
    if (guest.report().state === 'failover') {
      const opening = world.copy(0).openStore('store')
      opening.then(
        (opened) => {
          store = opened
        },
        () => undefined,
      )
    }
    return store !== undefined
  })

  await world.state(guest, 'live')
  assert.equal(await ids(world, guest), ['a'])
  assert.is(world.copies.length, 2)

  await world.settle(store?.close() ?? Promise.reject(new Error('it was opened')))
  await world.settle(guest.close())
})

test('what waits for the disk is bounded by the credit of the stream', async () => {
  const world = await GuestWorld.create()
  world.host.onAttach = (link) => link.attached()
  world.diskMsMax = 4_000
  const guest = await world.guest()
  await world.state(guest, 'passing')
  const text = 'x'.repeat(50_000)
  const fits = Math.ceil(limits.streamCreditBytes / text.length)

  for (let n = 0; n < 100; n += 1) world.host.link.changes([bug(`b${n}`, text)], { upTo: n, caughtUp: false })
  await world.until(() => guest.status().records > fits - 3)
  assert.ok(guest.status().records <= fits)
  await world.simulation.pass(20)
  assert.ok(guest.status().records <= 2 * fits, 'at most one batch was written in that time')

  await world.until(() => guest.status().records === 100)
  world.host.link.changes([], { upTo: 100 })
  await world.state(guest, 'live')
  await world.settle(guest.close())
})

test('what was shown and not synced is lost with its cursor, and what is at home here is synced', async () => {
  let lost = 0
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = await GuestWorld.create(seed)
    serve(world)
    const guest = await world.guest()
    await world.state(guest, 'live')
    world.host.link.changes([shown(recordOf('bugs', 'mine', {}, HOME))], { upTo: 2 })
    await world.quiet()
    for (const [at, id] of ['b', 'c', 'd'].entries()) {
      world.host.link.changes([bug(id)], { upTo: 3 + at })
      await world.quiet()
    }
    assert.equal(await ids(world, guest), ['a', 'b', 'c', 'd', 'mine'])
    world.powerCut()

    await world.host.deaf()
    const again = await world.guest()
    const left = await ids(world, again)
    assert.ok(left.includes('mine') && left.includes('a'), `seed ${seed}`)
    const { position } = again.report()
    assert.is(left.length, position, `seed ${seed}: the cursor reaches what is there, and no further`)
    if (position < 5) lost += 1
    await world.settle(again.close())
  }
  assert.ok(lost > 3, 'power cuts do lose what is not synced')
})

test('a close keeps everything that was shown', async () => {
  const world = await GuestWorld.create()
  serve(world)
  const guest = await world.guest()
  await world.state(guest, 'live')
  const many = Array.from({ length: 100 }, (_, n) => bug(`b${n}`))
  world.host.link.changes(many, { upTo: 101 })
  await world.until(() => guest.status().records === 101)
  await world.settle(guest.close())
  world.powerCut()

  await world.host.deaf()
  const again = await world.guest()
  assert.is(again.status().records, 101)
  assert.ok(again.complete)
  assert.is(again.report().position, 101)
  await world.settle(again.close())
})

test('a close while the copy is being opened again frees the directory too', async () => {
  for (let waitMs = 0; waitMs < 40; waitMs += 2) {
    const world = await GuestWorld.create(waitMs + 1)
    serve(world)
    const guest = await world.guest()
    await world.state(guest, 'live')
    world.copy(0).failNextBatch()
    world.host.link.changes([bug('b')], { upTo: 1 })
    await world.simulation.pass(waitMs)
    await world.settle(guest.close())

    const next = await world.guest()
    assert.is(world.copies.length, 1, `closed after ${waitMs} ms`)
    await world.settle(next.close())
  }
})

test('passes and the close are synced, what comes between is not', async () => {
  const world = await GuestWorld.create()
  serve(world)
  const syncs: boolean[] = []
  const guest = await world.guest({}, (volume) => ({
    ...volume,
    async openStore(name) {
      const store = await volume.openStore(name)
      const batch: OrderedStore['batch'] = (operations, options) => {
        syncs.push(options?.sync ?? true)
        return store.batch(operations, options)
      }
      return {
        get: (key) => store.get(key),
        range: (options) => store.range(options),
        snapshot: () => store.snapshot(),
        batch,
        close: () => store.close(),
      }
    },
  }))
  await world.state(guest, 'live')
  await world.quiet()
  assert.ok(syncs.at(-1), 'the end of the pass')
  syncs.length = 0

  for (const id of ['b', 'c', 'd']) {
    world.host.link.changes([bug(id)], { upTo: 2 })
    await world.quiet()
  }
  assert.equal(syncs, [false, false, false])
  await world.settle(guest.close())

  assert.equal(syncs, [false, false, false, true])
})

test('a disk that is slow to let go is waited for, by the next opening and by close', async () => {
  for (const closeEarly of [false, true]) {
    const world = await GuestWorld.create()
    serve(world)
    const guest = await world.guest({}, (volume) => ({
      ...volume,
      async openStore(name) {
        const store = await volume.openStore(name)
        const close = async (): Promise<void> => {
          await new Promise<void>((resolve) => void world.host.env.after(3_000, resolve))
          await store.close()
        }
        return {
          get: (key) => store.get(key),
          range: (options) => store.range(options),
          snapshot: () => store.snapshot(),
          batch: (operations, options) => store.batch(operations, options),
          close,
        }
      },
    }))
    await world.state(guest, 'live')
    world.copy(0).failNextBatch()
    world.host.link.changes([bug('b')], { upTo: 1 })
    await world.state(guest, 'failover')
    if (!closeEarly) {
      await world.simulation.pass(1_000)
      await world.state(guest, 'live')
    }
    await world.settle(guest.close())

    const next = await world.guest()
    assert.is(world.copies.length, 1)
    await world.settle(next.close())
  }
})

test('a directory that others may use is refused before anything is opened', async () => {
  const world = await GuestWorld.create()
  const env = world.simulation.env('app')
  const group = await world.settle(world.group(env))
  const app = await world.settle(group.app('dashboard'))
  const unsafe = new BlazeError('UNSAFE_DIRECTORY', 'mode 0777')
  const over = {
    world: {
      system: createSystem({ env }),
      env,
      crypto: nodeCrypto,
      local: world.network.transport('app'),
      volume: (at: string) => ({ ...world.volume(at), private: () => Promise.reject(unsafe) }),
    },
  }

  assert.is(await world.code(world.guest({ group, app, ...over })), 'UNSAFE_DIRECTORY')
  assert.is(world.host.links.length, 0)
})

test.run()

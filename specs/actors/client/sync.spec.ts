/** Sync as an application sees it, on the simulated world: states, reasons, waiting, reconnecting, joining, roles, forks. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RemoteNode, SyncPolicy } from '../../../actors/index.ts'
import type { BlazeDBClient, Collection, StoreOperation } from '../../../actors/index.ts'
import { BlazeError, type ErrorCode } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

async function synced(seed: number): Promise<{ world: SimulatedWorld; a: BlazeDBClient }> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  return { world, a }
}

async function refuses(code: ErrorCode, work: () => unknown): Promise<BlazeError> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof BlazeError)) throw error
    assert.is(error.code, code, error.message)
    return error
  }
  throw new Error(`expected ${code}, nothing was refused`)
}

test('two devices see each other’s writes after caughtUp', async () => {
  const { world, a } = await synced(1)
  await world.settle(a.collection('notes').insert({ id: '1', text: 'from a' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))

  await world.settle(b.collection('notes').insert({ id: '2', text: 'from b' }))
  await world.settle(a.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await world.settle(a.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))

  for (const client of [a, b]) {
    assert.equal(await world.settle(client.collection('notes').get('1')), { id: '1', text: 'from a' })
    assert.equal(await world.settle(client.collection('notes').get('2')), { id: '2', text: 'from b' })
    assert.is(client.sync?.status().state, 'caughtUp')
    assert.match(client.sync?.why() ?? '', /in sync with pi:8080/)
  }
})

test('a supervisor that is down is offline, with the reason, and comes back by itself', async () => {
  const { world, a } = await synced(2)
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  world.crashSupervisor()
  await world.settle(a.collection('notes').insert({ id: '1' }))
  const error = await refuses('TIMEOUT', () =>
    world.settle(a.sync?.caughtUp({ timeoutMs: 8_000 }) ?? Promise.resolve()),
  )
  const offline = a.sync?.status()
  await world.startSupervisor()
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  assert.is(offline?.state, 'offline')
  assert.ok((offline?.attempts ?? 0) > 1)
  assert.match(error.message, /cannot be reached/)
  assert.is(a.sync?.status().state, 'caughtUp')
  assert.is(world.supervisor?.status().databaseList[0]?.records, 1)
})

test('sync resumes at open, and sync: false prevents that', async () => {
  const { world, a } = await synced(3)
  await world.settle(a.collection('notes').insert({ id: '1' }))
  await world.settle(a.close())

  const silent = await world.open('a', { sync: false })
  assert.is(silent.sync, undefined)
  await world.settle(silent.close())
  const again = await world.open('a')
  await world.settle(again.sync?.caughtUp() ?? Promise.reject(new Error('sync did not resume')))

  assert.is(world.supervisor?.status().databaseList[0]?.records, 1)
})

test('a reconnected device that lacks nothing is sent nothing again', async () => {
  const { world, a } = await synced(4)
  for (let at = 0; at < 50; at++)
    await world.settle(a.collection('notes').insert({ id: `${at}`, text: 'x'.repeat(1000) }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  const before = world.bytes

  world.network.cut('a')
  await world.simulation.pass(3_000)
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  const spent = world.bytes - before
  assert.ok(spent < 8_000, `a reconnect took ${spent} bytes of records, the data has 50,000`)
})

test('an own write does not come back as an echo', async () => {
  const { world, a } = await synced(5)
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  const before = world.bytes

  await world.settle(a.collection('notes').insert({ id: '1', text: 'y'.repeat(20_000) }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  await world.simulation.pass(2_000)

  const spent = world.bytes - before
  assert.ok(spent > 20_000 && spent < 30_000, `20,000 bytes of text took ${spent} bytes of records`)
})

test('stop ends sync in order, and local work goes on', async () => {
  const { world, a } = await synced(6)

  await world.settle(a.sync?.stop() ?? Promise.resolve())
  await world.settle(a.collection('notes').insert({ id: '1' }))

  assert.is(a.sync?.status().state, 'stopped')
  await refuses('CLOSED', () => world.settle(a.sync?.caughtUp() ?? Promise.resolve()))
})

test('a code redeemed by another device, a foreign name and a wrong server key are refused, and nothing is kept', async () => {
  const { world } = await synced(7)
  const used = world.firstCode
  const other = await world.open('other')

  await refuses('CODE_USED', () =>
    world.settle(other.enableSync({ remote: RemoteNode.parse(used), database: 'mine' })),
  )
  const code = await world.settle(world.supervisor?.createCode() ?? Promise.reject(new Error('down')))
  await refuses('DATABASE_EXISTS', () =>
    world.settle(other.enableSync({ remote: RemoteNode.parse(code), database: 'notes' })),
  )
  await refuses('SERVER_KEY_MISMATCH', () => {
    const wrong = Object.assign(RemoteNode.parse(code), { serverKey: world.foreignKey() })
    return world.settle(other.enableSync({ remote: wrong, database: 'mine' }))
  })
  assert.is(other.sync, undefined)
  await world.settle(other.enableSync({ remote: RemoteNode.parse(code), database: 'mine' }))
  assert.is(world.supervisor?.status().databaseList.length, 2)
})

test('a join that found the disk full leaves nothing in the way of the next', async () => {
  const { world, a } = await synced(9)
  const volume = world.volume('b')
  volume.setLatency(50)
  const invite = await world.settle(a.invite({ role: 'writer' }))
  const fillOnceOpened = async (): Promise<void> => {
    if ((await volume.list('')).includes('store')) volume.setFull(true)
    else world.simulation.env('b').after(1, () => void fillOnceOpened())
  }
  void fillOnceOpened()
  await refuses('DISK_FULL', () => world.join('b', invite))
  assert.equal(await world.settle(volume.list('')), ['store'])

  volume.setFull(false)
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))

  await world.settle(b.close())
  const again = await world.settle(a.invite({ role: 'writer' }))
  await refuses('NAME_TAKEN', () => world.join('b', again))
})

test('an invite needs sync and a supervisor, and is good for one device until it expires', async () => {
  const { world, a } = await synced(8)
  const lone = await world.open('lone')
  await refuses('NOT_SYNCED', () => world.settle(lone.invite({ role: 'writer' })))
  await refuses('NOT_SUPPORTED', () => world.settle(a.invite({ role: 'admin' as 'writer' })))

  const url = await world.settle(a.invite({ role: 'writer' }))
  await world.join('b', url)
  await refuses('CODE_USED', () => world.join('c', url))
  const late = await world.settle(a.invite({ role: 'writer', expiresInMs: 1_000 }))
  await world.simulation.pass(2_000)
  await refuses('CODE_EXPIRED', () => world.join('c', late))
  await refuses('NAME_TAKEN', () => world.join('lone', url))
  const secretAt = url.indexOf('/invite/') + 40
  await refuses('CODE_INVALID', () =>
    world.join('c', `${url.slice(0, secretAt)}AAAA${url.slice(secretAt + 4)}`),
  )

  world.crashSupervisor()
  await world.simulation.pass(10_000)
  await refuses('OFFLINE', () => world.settle(a.invite({ role: 'writer' })))
})

test('a reader reads and is refused when it writes', async () => {
  const { world, a } = await synced(9)
  await world.settle(a.collection('notes').insert({ id: '1', text: 'seen' }))
  const reader = await world.join('reader', await world.settle(a.invite({ role: 'reader' })))

  await world.settle(reader.sync?.caughtUp() ?? Promise.resolve())

  assert.equal(await world.settle(reader.collection('notes').get('1')), { id: '1', text: 'seen' })
  await refuses('READ_ONLY', () => world.settle(reader.collection('notes').insert({ id: '2' })))
})

test('a directory restored from an old copy rebases by itself: nothing acknowledged is lost, deleted stays deleted', async () => {
  const { world, a } = await synced(10)
  const notes = (client: BlazeDBClient): Collection => client.collection('notes')
  for (const id of ['1', '2', '3']) await world.settle(notes(a).insert({ id }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  await world.settle(a.close())
  const old = await world.settle(allRows(world, 'a'))
  const later = await world.open('a')
  await world.settle(notes(later).insert({ id: '4', from: 'the lost branch' }))
  await world.settle(notes(later).delete('2'))
  await world.settle(notes(later).update('3', { side: 'supervisor' }))
  await world.settle(later.sync?.caughtUp() ?? Promise.resolve())
  await world.settle(later.close())

  await restoreRows(world, 'a', old)
  const offline = await world.open('a', { sync: false })
  const before = offline.status().replicaId
  await world.settle(notes(offline).insert({ id: '5', from: 'the copy' }))
  await world.settle(notes(offline).update('3', { side: 'copy' }))
  await world.settle(notes(offline).update('2', { touched: true }))
  await world.settle(offline.close())
  const restored = await world.open('a')
  await world.settle(restored.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  const b = await world.join('b', await world.settle(restored.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.resolve())

  for (const client of [restored, b]) {
    const docs = await world.settle(notes(client).query().all())
    assert.equal(
      docs.sort((x, y) => (x.id < y.id ? -1 : 1)),
      [
        { id: '1' },
        { id: '3', side: 'copy' },
        { id: '4', from: 'the lost branch' },
        { id: '5', from: 'the copy' },
      ],
    )
  }
  assert.is(restored.status().state, 'ready')
  assert.is.not(restored.status().replicaId, before)
  assert.is(restored.sync?.status().state, 'caughtUp')
  await world.settle(notes(restored).insert({ id: '6' }))
  await world.settle(restored.sync?.caughtUp() ?? Promise.resolve())
})

test('a device that wrote thousands of batches offline, and was restarted, is not taken for a fork', async () => {
  const { world, a } = await synced(13)
  await world.settle(a.collection('notes').insert({ id: '1' }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  await world.settle(a.close())

  const offline = await world.open('a', { sync: false })
  for (let n = 0; n < 4_300; n++) await world.settle(offline.collection('notes').update('1', { n }))
  await world.settle(offline.close())
  const again = await world.open('a')
  await world.settle(again.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))

  assert.is(again.sync?.status().state, 'caughtUp')
})

test('a link that is open and confirms nothing is stale within seconds, and heals', async () => {
  const { world, a } = await synced(16)
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  world.network.partition('a', 'pi')
  await world.settle(a.collection('notes').insert({ id: '1' }))
  await world.simulation.pass(3_000)
  const early = a.sync?.status().state
  await world.simulation.pass(4_000)
  const late = a.sync?.status()
  const why = a.sync?.why() ?? ''
  await world.simulation.pass(60_000)
  const silent = a.sync?.status().state
  world.network.heal()
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  assert.equal([early, late?.state, late?.error?.code], ['syncing', 'stale', 'TIMEOUT'])
  assert.match(why, /confirms nothing/)
  assert.is(silent, 'offline', 'by then the link counts as silent and is dialled again')
  assert.is(a.sync?.status().state, 'caughtUp')
})

test('bad arguments are refused at the door', async () => {
  const { world, a } = await synced(11)

  await refuses('SERVER_KEY_REQUIRED', () => new RemoteNode({ host: 'pi' }))
  await refuses('CODE_INVALID', () => RemoteNode.parse('blazedb://pi:1/enroll/AAAA'))
  await refuses('NOT_SUPPORTED', () => new SyncPolicy({ encryption: 'smartProxy' }))
  for (const database of ['', 'Upper', 'x'.repeat(65), 'a/b']) {
    try {
      await world.settle(a.enableSync({ remote: RemoteNode.parse(world.firstCode), database }))
      assert.unreachable(`took ${database}`)
    } catch (error) {
      assert.instance(error, TypeError)
    }
  }
})

test('caughtUp resolves again and again while the supervisor has echoes to skip, and no echo counts as a fork', async () => {
  for (const seed of [13, 14, 15, 16]) {
    const { world, a } = await synced(seed)
    const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
    await world.settle(b.close())

    for (let n = 0; n < 200; n++) {
      await world.settle(a.collection('notes').insert({ id: `${n}` }))
      if (n % 20 === 0) await world.settle(a.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
    }

    assert.is(a.sync?.status().error, undefined)
  }
})

test('the clock offset is that of the hello, however long ago it was', async () => {
  const { world, a } = await synced(14)
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  await world.simulation.pass(600_000)
  await world.settle(a.collection('notes').insert({ id: '1' }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())

  assert.ok(Math.abs(a.sync?.status().clockOffsetMs ?? Infinity) < 1_000)
})

test('a waiting call ends with its signal', async () => {
  const { world, a } = await synced(12)
  world.crashSupervisor()
  await world.simulation.pass(100)
  const controller = new AbortController()

  const waiting = a.sync?.caughtUp({ signal: controller.signal }) ?? Promise.resolve()
  controller.abort()

  await refuses('ABORTED', () => waiting)
})

test.run()

/** Puts an older copy of a node's store in place of the present one. */
async function restoreRows(
  world: SimulatedWorld,
  node: string,
  old: readonly [Uint8Array, Uint8Array][],
): Promise<void> {
  const now = await world.settle(allRows(world, node))
  const operations: StoreOperation[] = now.map(([key]) => ({ type: 'del', key }))
  for (const [key, value] of old) operations.push({ type: 'put', key, value })
  world.volume(node).damage('store', operations)
}

async function allRows(world: SimulatedWorld, node: string): Promise<[Uint8Array, Uint8Array][]> {
  const everything = { gte: new Uint8Array([0]), lt: new Uint8Array([255, 255]), limit: 100_000 }
  return world.volume(node).rows('store').range(everything)
}

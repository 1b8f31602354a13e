// time limit: 240 s
/** A copy that is not what was written is dropped and fetched again; nothing of it is shown, and nobody gets an error. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { StoreOperation, StoreRow } from '../../../../actors/replica/index.ts'
import type { GuestDatabase } from '../../../../actors/topology/guest/index.ts'
import type { MirrorItem } from '../../../../actors/topology/mirror/index.ts'
import { bytesKey, limits } from '../../../../runtime/index.ts'
import { gone, HOME, shown } from './bare-host.ts'
import { all, get, GuestWorld, ids } from './guest-world.ts'
import { recordOf } from './mirror-record.ts'

const EVERYTHING = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff), limit: 10_000 }
const items: readonly MirrorItem[] = ['a', 'b', 'c'].map((id) =>
  shown(recordOf('bugs', id, { text: `the text of ${id}` })),
)

function serve(world: GuestWorld): void {
  world.host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    link.changes(cursor === undefined ? items : [], { upTo: 3 })
  }
}

/** A copy of three records that no guest has open, and its rows. */
async function closedCopy(): Promise<{ world: GuestWorld; rows: StoreRow[] }> {
  const world = await GuestWorld.create()
  serve(world)
  const guest = await world.guest()
  await world.state(guest, 'live')
  await world.settle(guest.close())
  return { world, rows: await rowsOf(world) }
}

function rowsOf(world: GuestWorld): Promise<StoreRow[]> {
  return world.copy().rows('store').range(EVERYTHING)
}

async function restore(world: GuestWorld, rows: readonly StoreRow[]): Promise<void> {
  const now = await rowsOf(world)
  world
    .copy()
    .damage('store', [
      ...now.map(([key]): StoreOperation => ({ type: 'del', key })),
      ...rows.map(([key, value]): StoreOperation => ({ type: 'put', key, value })),
    ])
}

async function isDropped(world: GuestWorld, what: string): Promise<void> {
  world.warnings.length = 0
  // While the files stay, so does the lock, and nobody else can have the directory.
  const remove = (): never => {
    throw new Error(`${what}: files were removed`)
  }
  const guest = await world.guest({}, (volume) => ({ ...volume, remove }))
  assert.ok(world.warnings.includes('guest.copy.dropped'), what)
  assert.equal(await world.settle(all(guest)), [], what)
  assert.not.ok(guest.complete, what)
  await world.settle(guest.close())
}

async function isFetchedAgain(world: GuestWorld, what: string): Promise<void> {
  const guest: GuestDatabase = await world.guest()
  await world.state(guest, 'live')
  assert.equal(await ids(world, guest), ['a', 'b', 'c'], what)
  assert.equal(await world.settle(get(guest, 'b')), { id: 'b', text: 'the text of b' }, what)
  await world.settle(guest.close())
}

test('one flipped bit anywhere, in any value or key, drops the copy', async () => {
  const { world, rows } = await closedCopy()
  await world.host.deaf()
  assert.is(rows.length, 5)
  for (const [at, [key, value]] of rows.entries()) {
    for (let place = 0; place < key.length + value.length; place += 1) {
      const [flippedKey, flipped] = [key.slice(), value.slice()]
      const bit = 1 << (place % 8)
      if (place < key.length) flippedKey[place] = (key[place] as number) ^ bit
      else flipped[place - key.length] = (value[place - key.length] as number) ^ bit
      await restore(world, [...rows.filter((_, other) => other !== at), [flippedKey, flipped]])
      await isDropped(world, `row ${at}, byte ${place}`)
    }
  }
  await restore(world, rows)
  world.warnings.length = 0
  const whole = await world.guest()
  assert.equal(await ids(world, whole), ['a', 'b', 'c'])
  assert.equal(world.warnings, [])
  await world.settle(whole.close())
})

test('a row that is missing, is there twice, or is an older one drops the copy, and it is fetched again', async () => {
  const { world, rows } = await closedCopy()
  const [boots, head, first, second] = rows
  assert.ok(boots !== undefined && head !== undefined && first !== undefined && second !== undefined)
  world.host.onAttach = (link) => {
    link.attached({ full: false })
    link.changes([shown(recordOf('bugs', 'a', { text: 'newer' })), gone('deleted', 'b')], { upTo: 5 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  await world.settle(guest.close())
  const newer = await rowsOf(world)
  const older = new Map(rows.map(([key, value]) => [bytesKey(key), value]))
  const changed = newer.findIndex(
    ([key, value]) => key[0] === 0x72 && older.get(bytesKey(key))?.length !== value.length,
  )
  assert.ok(changed >= 0)
  const replayed = newer.map(([key, value], at): StoreRow =>
    at === changed ? [key, older.get(bytesKey(key)) as Uint8Array] : [key, value],
  )
  const mangled: readonly (readonly [string, readonly StoreRow[]])[] = [
    ['without boots', rows.slice(1)],
    ['without head', rows.filter((row) => row !== head)],
    ['without a record', rows.filter((row) => row !== first)],
    ['without any record', [boots, head]],
    ['a record at the place of another', [...rows.filter((row) => row !== second), [second[0], first[1]]]],
    ['a record under a second key', [...rows, [Uint8Array.of(0x72, 0), first[1]]]],
    ['an older state of one record', replayed],
    ['the records of before under the head of now', [...newer.slice(0, 2), ...rows.slice(2)]],
    ['nothing but foreign bytes', [[Uint8Array.of(1), Uint8Array.of(2)]]],
  ]
  for (const [what, wrong] of mangled) {
    await world.host.deaf()
    await restore(world, wrong)
    await isDropped(world, what)
    await restore(world, wrong)
    await world.host.listen()
    serve(world)
    await isFetchedAgain(world, what)
  }
})

test('a copy that was written under another key or in another format is dropped', async () => {
  const { world, rows } = await closedCopy()
  await world.host.deaf()
  const boots = rows[0]
  assert.ok(boots !== undefined)
  const format = boots[1].slice()
  format[0] = 2
  await restore(world, [[boots[0], format], ...rows.slice(1)])
  await isDropped(world, 'format 2')

  await restore(world, rows)
  const env = world.simulation.env('app')
  const group = await world.settle(world.group(env))
  const at = Object.assign(Object.create(group) as typeof group, {
    guestKey: () => new Uint8Array(32).fill(1),
    guestDirectory: group.guestDirectory.bind(group),
    appOf: group.appOf.bind(group),
    endpoint: group.endpoint.bind(group),
  })
  world.warnings.length = 0
  const other = await world.guest({ group: at, app: await world.settle(group.app('dashboard')) })
  assert.equal(await ids(world, other), [])
  assert.ok(world.warnings.includes('guest.copy.dropped'))
  await world.settle(other.close())
})

test('damage of a copy that is open is found when the row is read: that read fails, and the copy is fetched again', async () => {
  const { world, rows } = await closedCopy()
  const guest = await world.guest()
  await world.state(guest, 'live')
  const row = rows.find(([key]) => key[0] === 0x72)
  assert.ok(row !== undefined)
  const value = row[1].slice()
  value[value.length - 1] = (value[value.length - 1] as number) ^ 1
  world.copy().damage('store', [{ type: 'put', key: row[0], value }])

  assert.is(await world.code(all(guest)), 'DAMAGED')

  await world.until(() => world.warnings.includes('guest.copy.dropped'))
  await world.state(guest, 'live')
  assert.equal(await ids(world, guest), ['a', 'b', 'c'])
  assert.is(guest.report().attempts, 0)
  await world.settle(guest.close())
  await isFetchedAgain(world, 'after close')
})

test('a disk that fails while it is written leaves the guest without copy for a moment, and with all of it in the end', async () => {
  const { world } = await closedCopy()
  world.host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    link.changes(cursor === undefined ? items : [], { upTo: 3 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  for (let round = 0; round < 4; round += 1) {
    world.copy().failNextBatch()
    world.host.link.changes([gone('retracted', 'nobody'), ...items], { upTo: 3 })
    await world.state(guest, 'failover')
    const waiting = world.code(all(guest))
    await world.state(guest, 'live')
    const code = await waiting
    assert.ok(code === 'ok' || code === 'POISONED', code)
    assert.equal(await ids(world, guest), ['a', 'b', 'c'])
  }
  assert.not.ok(world.warnings.includes('guest.copy.dropped'))
  await world.settle(guest.close())
})

test('opening it again and again keeps its boots bounded: rows are sealed anew, and stay the same', async () => {
  const { world } = await closedCopy()
  await world.host.deaf()
  for (let round = 0; round < limits.guestBootsMax * 2; round += 1) {
    await world.host.listen()
    world.host.onAttach = (link) => {
      link.attached({ full: false })
      // One more row for each boot, so that none of them becomes free by itself.
      link.changes([shown(recordOf('bugs', `r${round}`, {}, HOME))], { upTo: 4 + round })
    }
    const guest = await world.guest()
    await world.state(guest, 'live')
    assert.is(guest.status().records, 4 + round)
    await world.settle(guest.close())
    await world.host.deaf()
    const [boots] = await rowsOf(world)
    assert.ok(boots !== undefined && (boots[1][1] as number) <= limits.guestBootsMax / 2 + 1)
  }
  assert.equal(world.warnings, [])
})

test('a power cut while rows are sealed anew leaves a whole copy', async () => {
  for (let cut = 0; cut < 12; cut += 1) {
    const { world } = await closedCopy()
    await world.host.deaf()
    for (let round = 0; round < limits.guestBootsMax / 2 - 1; round += 1) {
      await world.host.listen()
      world.host.onAttach = (link) => {
        link.attached({ full: false })
        link.changes([shown(recordOf('bugs', `r${round}`, {}))], { upTo: 4 + round })
      }
      const guest = await world.guest()
      await world.state(guest, 'live')
      await world.settle(guest.close())
      await world.host.deaf()
    }
    const env = world.simulation.env('app')
    const group = await world.settle(world.group(env))
    const app = await world.settle(group.app('dashboard'))
    // This opening seals anew.
    void world.guest({ group, app }).catch(() => undefined)
    await world.simulation.pass(0.3 + cut * 0.5)
    world.powerCut()
    const again = await world.guest()
    assert.is(again.status().records, 3 + limits.guestBootsMax / 2 - 1, `cut ${cut}`)
    assert.equal(world.warnings, [], `cut ${cut}`)
    await world.settle(again.close())
  }
})

test.run()

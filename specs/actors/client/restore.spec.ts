/** Restoring a backup: cut off, begun again, verified, and back in sync with the others. */
// time limit: 120 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { restoreIn } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import type { Volume } from '../../../actors/replica/index.ts'
import { BlazeError, createChance } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import { createClientWorld, KEY } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'

const FILE = '/backups/db.blz'
const SYNC_KEY = new Uint8Array(32).fill(7)

async function backedUp(world: ClientWorld, count: number): Promise<BlazeDBClient> {
  const db = await world.open()
  const docs = Array.from({ length: count }, (_, n) => ({ id: `r${n}`, text: 'x'.repeat(1_000), n }))
  await world.settle(db.collection('records').insertMany(docs))
  await world.settle(db.backup(FILE))
  return db
}

async function opening(world: ClientWorld): Promise<string> {
  try {
    await world.open('/back')
    return 'ok'
  } catch (error) {
    if (error instanceof BlazeError) return error.code
    throw error
  }
}

/** The volume as a node sees it that may lose its power: then nothing of it is answered, and nothing is done any more. */
function mortal(volume: Volume): { volume: Volume; die: () => void } {
  let isOn = true
  const live = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (isOn) {
        const result = await call(...args)
        if (isOn) return result
      }
      return new Promise<never>(() => {})
    }
  }
  return {
    volume: {
      ...volume,
      readFile: live((name) => volume.readFile(name)),
      writeFile: live((name, bytes) => volume.writeFile(name, bytes)),
      openStore: live((name) => volume.openStore(name)),
      list: live((name) => volume.list(name)),
      remove: live((name) => volume.remove(name)),
    },
    die: () => {
      isOn = false
    },
  }
}

test('a power cut at any moment of a restore leaves what open refuses, or all of the database', async () => {
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= 30; seed += 1) {
    const world = createClientWorld(seed)
    const db = await backedUp(world, 700)
    await world.settle(db.close())
    const chance = createChance(seed)

    const { volume, die } = mortal(world.volume('/back'))
    const node = { ...world.world, volume: () => volume }
    const restoring = restoreIn(node, { from: FILE, name: 'back', at: '/back', key: KEY })
    restoring.catch(() => undefined)
    await world.simulation.pass(chance() * 14)
    die()
    world.powerCut('/back')
    const isBegun = (await world.volume('/back').list('')).length > 0
    const outcome = isBegun ? await opening(world) : 'untouched'
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    assert.ok(['ok', 'HEADER_DAMAGED', 'untouched'].includes(outcome), `seed ${seed}: ${outcome}`)
    if (outcome !== 'ok') {
      const again = restoreIn(world.world, { from: FILE, name: 'back', at: '/back', key: KEY })
      await world.settle((await world.settle(again)).close())
    } else {
      // That opening is still there.
      world.powerCut('/back')
    }
    const back = await world.open('/back')
    assert.is(await world.settle(back.collection('records').query().count()), 700, `seed ${seed}`)
  }
  assert.ok((seen.get('HEADER_DAMAGED') ?? 0) > 5 && (seen.get('ok') ?? 0) > 0, JSON.stringify([...seen]))
})

test('a backup with a changed bit or a cut end leaves an empty directory and says which frame it is', async () => {
  const world = createClientWorld()
  const db = await backedUp(world, 1_500)
  const whole = world.files.contents.get(FILE) as Uint8Array
  const changed = whole.slice()
  changed[whole.length - 100] = (changed[whole.length - 100] as number) ^ 4

  for (const [file, frame] of [
    [changed, 8],
    [whole.subarray(0, whole.length - 1), 8],
    [whole.subarray(0, 1_000_000), 4],
  ] as const) {
    world.files.contents.set(FILE, file)
    let error: unknown
    await world
      .settle(restoreIn(world.world, { from: FILE, name: 'back', at: '/back', key: KEY }))
      .catch((cause: unknown) => {
        error = cause
      })
    assert.ok(error instanceof BlazeError)
    assert.is(error.code, 'BACKUP_INVALID')
    assert.is(error.details['frame'], frame)
    assert.equal(await world.volume('/back').list(''), [])
  }
  await world.settle(db.close())
})

test('indexes of the backup are there again after the restore', async () => {
  const world = createClientWorld()
  const db = await backedUp(world, 300)
  await world.settle(db.collection('records').createIndex('n'))
  await world.settle(db.backup(FILE))

  const back = await world.settle(restoreIn(world.world, { from: FILE, name: 'back', at: '/back', key: KEY }))

  const records = back.collection('records')
  assert.equal(
    (await world.settle(records.indexes())).map(({ fields }) => fields),
    [['n']],
  )
  const found = await world.settle(records.query().where('n', '>=', 290).orderBy('n').all())
  assert.equal(
    found.map(({ n }) => n),
    Array.from({ length: 10 }, (_, n) => 290 + n),
  )
})

async function synced(seed: number): Promise<{ world: SimulatedWorld; a: BlazeDBClient; b: BlazeDBClient }> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  return { world, a, b }
}

async function caughtUp(world: SimulatedWorld, ...clients: BlazeDBClient[]): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    for (const client of clients) {
      await world.settle(client.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
    }
  }
}

async function notesOf(world: SimulatedWorld, client: BlazeDBClient): Promise<unknown[]> {
  return world.settle(client.collection('notes').query().all())
}

test('a restored device takes back what was synced after its backup, and nothing deleted returns', async () => {
  const { world, a, b } = await synced(1)
  const notes = a.collection('notes')
  await world.settle(notes.insertMany(['kept', 'changed', 'gone', 'gone later'].map((id) => ({ id, n: 1 }))))
  await caughtUp(world, a, b)
  await world.settle(notes.delete('gone'))
  await world.settle(a.backup(FILE))

  await world.settle(notes.update('changed', { n: 2 }))
  await world.settle(notes.delete('gone later'))
  await world.settle(notes.insert({ id: 'new of a', n: 1 }))
  await world.settle(b.collection('notes').insert({ id: 'new of b', n: 1 }))
  await caughtUp(world, a, b)
  await world.settle(a.close())

  const back = await world.settle(
    restoreIn(world.world('c'), { from: FILE, name: 'a', at: 'c', key: SYNC_KEY }),
  )
  await caughtUp(world, back, b)
  await world.settle(back.collection('notes').update('changed', { by: 'the restored one' }))
  await world.settle(back.collection('notes').insert({ id: 'new of c', n: 1 }))
  await caughtUp(world, back, b)

  const expected = [
    { id: 'changed', n: 2, by: 'the restored one' },
    { id: 'kept', n: 1 },
    { id: 'new of a', n: 1 },
    { id: 'new of b', n: 1 },
    { id: 'new of c', n: 1 },
  ]
  for (const client of [back, b]) {
    const found = (await notesOf(world, client)) as { id: string }[]
    assert.equal(
      found.toSorted((x, y) => (x.id < y.id ? -1 : 1)),
      expected,
    )
  }
  assert.is(b.sync?.status().state, 'caughtUp')
  assert.is(back.status().state, 'ready')
})

test('what the backup holds and nobody else ever saw is synced by the restored device', async () => {
  const { world, a, b } = await synced(2)
  await world.settle(a.collection('notes').insert({ id: 'synced', n: 1 }))
  await caughtUp(world, a, b)
  await world.settle(a.close())
  const alone = await world.open('a', { sync: false })
  await world.settle(alone.collection('notes').insert({ id: 'never synced', n: 1 }))
  await world.settle(alone.backup(FILE))
  await world.settle(alone.close())

  const back = await world.settle(
    restoreIn(world.world('c'), { from: FILE, name: 'a', at: 'c', key: SYNC_KEY }),
  )
  await caughtUp(world, back, b)

  assert.equal(await world.settle(b.collection('notes').get('never synced')), { id: 'never synced', n: 1 })
})

test('one backup restored twice gives two devices that sync with each other', async () => {
  const { world, a, b } = await synced(3)
  await world.settle(a.collection('notes').insert({ id: 'first', n: 1 }))
  await caughtUp(world, a, b)
  await world.settle(a.backup(FILE))
  await world.settle(a.close())

  for (const node of ['c', 'd']) {
    const back = await world.settle(
      restoreIn(world.world(node), { from: FILE, name: node, at: node, key: SYNC_KEY }),
    )
    await caughtUp(world, back, b)
    await world.settle(back.collection('notes').insert({ id: `of ${node}`, n: 1 }))
    await caughtUp(world, back, b)
    await world.settle(back.close())
  }

  const ids = ((await notesOf(world, b)) as { id: string }[]).map(({ id }) => id)
  assert.equal(
    ids.toSorted((x, y) => (x < y ? -1 : 1)),
    ['first', 'of c', 'of d'],
  )
})

test.run()

// time limit: 240 s
/**
 * 10,000 records from one device to another through a supervisor, each a process of its own, while the supervisor is killed with
 * signal 9 at random points of one catch-up. `SEED=… npx tsx specs/process/catch-up.spec.ts` repeats the choice of the points.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Doc } from '../../actors/database/index.ts'
import { createChance } from '../../runtime/index.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { cities, type City } from '../fixtures/city.ts'
import { DeviceProcess } from '../fixtures/device-process.ts'
import { SupervisorProcess } from '../fixtures/supervisor-process.ts'

const RECORDS = 10_000
const KILLS = 10
/** Records of progress before a kill, at most. */
const STEP = 300
const LOSSES = 2
const collection = 'cities'
const expected = cities(RECORDS)

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const chance = createChance(seed)
console.log(`catch-up: SEED=${seed}`)

const stages: Stage[] = []

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

interface Setting {
  readonly stage: Stage
  readonly supervisor: SupervisorProcess
  readonly a: DeviceProcess
  readonly b: DeviceProcess
  readonly path: (name: string) => string
}

async function setUp(): Promise<Setting> {
  const stage = new Stage('catch-up-spec')
  stages.push(stage)
  const supervisor = await SupervisorProcess.start(stage)
  const a = new DeviceProcess(stage, 'a')
  const b = new DeviceProcess(stage, 'b')
  return { stage, supervisor, a, b, path: (name) => join(stage.directory, name) }
}

/** A new database of A that B has joined, still empty. */
async function share(
  { supervisor, a, b, path }: Setting,
  name: string,
): Promise<{ atA: string; atB: string }> {
  const [atA, atB] = [path(`${name}-a`), path(`${name}-b`)]
  await a.call('open', { at: atA })
  await a.call('enableSync', { at: atA, code: await supervisor.code(), database: name })
  const invite = await a.call('invite', { at: atA, role: 'writer' })
  await b.call('join', { at: atB, invite })
  return { atA, atB }
}

/** As many records as A has go to B from the moment that A opens; A is closed before. */
async function load({ a }: Setting, atA: string, docs: readonly City[]): Promise<void> {
  await a.call('close', { at: atA })
  await a.call('open', { at: atA, sync: false })
  await a.insertMany(atA, collection, docs)
  await a.call('close', { at: atA })
}

async function bothCaughtUp({ a, b }: Setting, atA: string, atB: string): Promise<void> {
  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })
}

/** Names the first records that differ. */
function expectRows(rows: ReadonlyMap<string, Doc>, docs: readonly City[], what: string): void {
  const wrong = docs.filter((doc) => !isDeepStrictEqual(rows.get(doc.id), { ...doc }))
  const first = wrong
    .slice(0, 3)
    .map((doc) => `${JSON.stringify(rows.get(doc.id))} for ${JSON.stringify(doc)}`)
  assert.is(wrong.length, 0, `${what}: ${wrong.length} of ${docs.length} records differ: ${first.join('; ')}`)
  assert.is(rows.size, docs.length, `${what}: ${rows.size} records, expected ${docs.length}`)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test(`${RECORDS} records arrive field for field, undisturbed and over ${KILLS} kills of the supervisor on the way`, async () => {
  const setting = await setUp()
  const { supervisor, a, b } = setting

  const calm = await share(setting, 'calm')
  await load(setting, calm.atA, expected)
  const startMs = performance.now()
  await a.call('open', { at: calm.atA })
  await b.call('reach', { at: calm.atB, records: RECORDS })
  const calmMs = performance.now() - startMs
  await bothCaughtUp(setting, calm.atA, calm.atB)
  expectRows(await b.rows(calm.atB, collection), expected, 'undisturbed')
  console.log(`undisturbed: ${Math.round(calmMs)} ms, ${Math.round((RECORDS * 1000) / calmMs)} records/s`)

  const { atA, atB } = await share(setting, 'killed')
  await load(setting, atA, expected)
  await a.call('open', { at: atA })
  let inBetween = 0
  let had = 0
  for (let kill = 1; kill <= KILLS; kill++) {
    // In turn a moment in the progress of B, and a moment in time.
    const records = Math.min(RECORDS, had + 1 + Math.floor(chance() * STEP))
    const delayMs = (chance() * calmMs) / 4
    if (kill % 2 === 1) await b.call('reach', { at: atB, records })
    else await pause(delayMs)
    await supervisor.kill()
    const [atKillA, atKillB] = [await a.call('status', { at: atA }), await b.call('status', { at: atB })]
    const point = kill % 2 === 1 ? `at ${records} records` : `after ${Math.round(delayMs)} ms`
    console.log(
      `kill ${kill} ${point}: B has ${atKillB.records}, A waits for ${atKillA.sync?.lag} acknowledgements`,
    )
    had = atKillB.records
    if (had < RECORDS) inBetween++
    await supervisor.start()
  }
  const healMs = performance.now()
  await bothCaughtUp(setting, atA, atB)
  console.log(`caught up ${Math.round(performance.now() - healMs)} ms after the last restart`)
  expectRows(await b.rows(atB, collection), expected, `B after ${KILLS} kills`)
  assert.is(await a.call('count', { at: atA, collection }), RECORDS)
  assert.ok(inBetween > 1, `${inBetween} of ${KILLS} kills came before the end of the catch-up`)
  assert.equal(await supervisor.healthz(), { status: 200, ok: true })
})

test(`what the supervisor acknowledged outlives its kill and the loss of the writer's disk, ${LOSSES} times`, async () => {
  const setting = await setUp()
  const { stage, supervisor, b } = setting
  const text = 'x'.repeat(200)
  for (let loss = 1; loss <= LOSSES; loss++) {
    const writer = new DeviceProcess(stage, `writer-${loss}`)
    const { atA, atB } = await share({ ...setting, a: writer }, `loss-${loss}`)
    await b.call('close', { at: atB })
    const enough = 1 + Math.floor(chance() * 2_000)
    let acknowledged = 0
    const endless = writer.call('insertForEver', { at: atA, collection, supervised: true, text }, (count) => {
      acknowledged = count
    })
    // It ends with its process.
    const ended = endless.catch(() => undefined)
    while (acknowledged < enough) await Promise.race([pause(2), ended.then(() => endless)])
    await Promise.all([supervisor.kill(), writer.kill()])
    await ended
    rmSync(atA, { recursive: true })

    await supervisor.start()
    await b.call('open', { at: atB })
    await b.call('caughtUp', { at: atB })
    const rows = await b.rows(atB, collection)
    console.log(`loss ${loss}: ${acknowledged} acknowledged, ${rows.size} arrived`)
    const missing = Array.from({ length: acknowledged }, (_, n) => `n-${n}`).filter((id) => !rows.has(id))
    assert.equal(missing, [])
    for (const [id, row] of rows) assert.equal(row, { id, count: Number(id.slice(2)), text })
  }
})

test('edits on both sides while the supervisor is down converge when it returns', async () => {
  const setting = await setUp()
  const { supervisor, a, b } = setting
  const docs = expected.slice(0, 1_000)
  const { atA, atB } = await share(setting, 'edits')
  await a.insertMany(atA, collection, docs)
  await bothCaughtUp(setting, atA, atB)
  const id = (at: number): string => docs[at]?.id ?? ''

  await supervisor.kill()
  const update = (device: DeviceProcess, at: string, n: number, patch: object): Promise<void> =>
    device.call('update', { at, collection, id: id(n), patch: { ...patch } })
  for (let n = 0; n < 50; n++) {
    await update(a, atA, n, { admin1: `A${n}`, name: 'contested, by A' })
    await update(b, atB, n, { admin2: `B${n}`, name: 'contested, by B' })
    await update(a, atA, 100 + n, { name: `only A ${n}` })
    await update(b, atB, 200 + n, { name: `only B ${n}` })
  }
  await a.call('remove', { at: atA, collection, id: id(300) })
  await b.call('remove', { at: atB, collection, id: id(301) })
  await a.call('remove', { at: atA, collection, id: id(302) })
  await update(b, atB, 302, { name: 'edited where it was not deleted' })
  await a.insertMany(atA, collection, [{ id: 'new-a', name: 'by A' }])
  await b.insertMany(atB, collection, [{ id: 'new-b', name: 'by B' }])
  assert.is((await a.call('status', { at: atA })).sync?.state, 'offline')
  assert.is((await b.call('status', { at: atB })).sync?.state, 'offline')
  await supervisor.start()
  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })
  await a.call('caughtUp', { at: atA })

  const [rowsA, rowsB] = [await a.rows(atA, collection), await b.rows(atB, collection)]
  assert.is(rowsA.size, rowsB.size)
  for (const [key, row] of rowsA) assert.equal(rowsB.get(key), row)
  for (let n = 0; n < 50; n++) {
    const row = rowsA.get(id(n))
    assert.is(row?.['admin1'], `A${n}`)
    assert.is(row?.['admin2'], `B${n}`)
    assert.ok(row?.['name'] === 'contested, by A' || row?.['name'] === 'contested, by B')
    assert.is(rowsA.get(id(100 + n))?.['name'], `only A ${n}`)
    assert.is(rowsA.get(id(200 + n))?.['name'], `only B ${n}`)
  }
  for (const gone of [300, 301]) assert.not.ok(rowsA.has(id(gone)))
  assert.equal(rowsA.get('new-a'), { id: 'new-a', name: 'by A' })
  assert.equal(rowsA.get('new-b'), { id: 'new-b', name: 'by B' })
  for (const doc of docs.slice(400)) assert.equal(rowsB.get(doc.id), { ...doc })
})

test.run()

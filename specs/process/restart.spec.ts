// time limit: 180 s
/**
 * Restarts of both sides: a supervisor goes on after SIGTERM, a device after kill -9 in the middle of its writes. Random points are
 * repeated with `SEED=…`.
 */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createChance } from '../../runtime/index.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { cities } from '../fixtures/city.ts'
import { DeviceProcess } from '../fixtures/device-process.ts'
import { SupervisorProcess } from '../fixtures/supervisor-process.ts'

const KILLS = 3
const collection = 'cities'
const docs = cities(300)

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const chance = createChance(seed)
console.log(`restart: SEED=${seed}`)

const stages: Stage[] = []

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

interface Setting {
  readonly stage: Stage
  readonly supervisor: SupervisorProcess
  readonly a: DeviceProcess
  readonly b: DeviceProcess
  readonly atA: string
  readonly atB: string
}

/** Two devices that share a database. */
async function setUp(): Promise<Setting> {
  const stage = new Stage('restart-spec')
  stages.push(stage)
  const supervisor = await SupervisorProcess.start(stage)
  const [a, b] = [new DeviceProcess(stage, 'a'), new DeviceProcess(stage, 'b')]
  const [atA, atB] = [join(stage.directory, 'a'), join(stage.directory, 'b')]
  await a.call('open', { at: atA })
  await a.call('enableSync', { at: atA, code: supervisor.enrolment ?? '', database: 'shared' })
  await b.call('join', { at: atB, invite: await a.call('invite', { at: atA, role: 'writer' }) })
  return { stage, supervisor, a, b, atA, atB }
}

test('SIGTERM ends a supervisor with exit code 0, and the next start continues where it was', async () => {
  const { supervisor, a, b, atA, atB } = await setUp()
  await a.insertMany(atA, collection, docs.slice(0, 200))
  await a.call('caughtUp', { at: atA })
  const before = await supervisor.status()

  assert.equal(await supervisor.terminate().then(({ code, signal }) => ({ code, signal })), {
    code: 0,
    signal: null,
  })
  await b.insertMany(atB, collection, docs.slice(200))
  await supervisor.start()

  assert.is(supervisor.enrolment, null, 'the first code stays claimed')
  await b.call('caughtUp', { at: atB })
  await a.call('caughtUp', { at: atA })
  const expected = new Map(docs.map((doc) => [doc.id, { ...doc }]))
  for (const [device, at] of [
    [a, atA],
    [b, atB],
  ] as const) {
    const rows = await device.rows(at, collection)
    assert.is(rows.size, expected.size)
    for (const [id, doc] of expected) assert.equal(rows.get(id), doc)
  }
  const after = await supervisor.status()
  assert.is(after.databaseList[0]?.space, before.databaseList[0]?.space)
  assert.is(after.databaseList[0]?.records, docs.length)
})

test(`a device that is killed in the middle of its writes has what was acknowledged, and so has the other, ${KILLS} times`, async () => {
  const { stage, b, a, atA, atB } = await setUp()
  const text = 'y'.repeat(100)
  await a.stop()
  for (let kill = 1; kill <= KILLS; kill++) {
    const name = `writes-${kill}`
    const writer = new DeviceProcess(stage, `writer-${kill}`)
    assert.is(await writer.call('open', { at: atA }), true, 'sync resumes')
    const enough = 1 + Math.floor(chance() * 1_000)
    let acknowledged = 0
    const endless = writer.call(
      'insertForEver',
      { at: atA, collection: name, supervised: false, text },
      (count) => {
        acknowledged = count
      },
    )
    const ended = endless.catch(() => undefined)
    while (acknowledged < enough)
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 1)), ended.then(() => endless)])
    await writer.kill()
    await ended

    const again = new DeviceProcess(stage, `again-${kill}`)
    assert.is(await again.call('open', { at: atA }), true, 'sync resumes')
    const rows = await again.rows(atA, name)
    await again.call('caughtUp', { at: atA })
    await b.call('caughtUp', { at: atB })
    console.log(`kill ${kill}: ${acknowledged} acknowledged, ${rows.size} there`)
    assert.ok(rows.size >= acknowledged, `${acknowledged} acknowledged, ${rows.size} there`)
    for (let count = 0; count < rows.size; count++) {
      assert.equal(rows.get(`n-${count}`), { id: `n-${count}`, count, text })
    }
    assert.equal(await b.rows(atB, name), rows)
    await again.stop()
  }
})

test('sync resumes at open, and sync: false keeps everything at home', async () => {
  const { supervisor, a, b, atA, atB } = await setUp()
  await a.call('close', { at: atA })

  assert.is(await a.call('open', { at: atA, sync: false }), false)
  await a.insertMany(atA, collection, docs.slice(0, 10))
  await new Promise((resolve) => setTimeout(resolve, 500))
  await b.call('caughtUp', { at: atB })
  const silent = await b.call('count', { at: atB, collection })
  const stored = (await supervisor.status()).databaseList[0]?.records
  await a.call('close', { at: atA })
  assert.is(await a.call('open', { at: atA }), true)
  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })

  assert.is(silent, 0)
  assert.is(stored, 0)
  assert.is(await b.call('count', { at: atB, collection }), 10)
})

test.run()

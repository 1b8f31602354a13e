// time limit: 240 s
/** The demo ends well with and without a running supervisor, any number of times, and leaves nothing behind. */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readCities } from '../../scripts/demo/city.ts'
import { moduleAt } from '../../scripts/process/child.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { startSupervisor } from '../../scripts/process/supervisor-process.ts'

const stages: Stage[] = []

function createStage(): Stage {
  const stage = new Stage('demo-spec')
  stages.push(stage)
  return stage
}

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

interface DemoRun {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

/** In an empty directory, which also is its place for temporary files. */
function startDemo(directory: string, args: readonly string[]): DemoRun {
  const { path, execArgv } = moduleAt('../../scripts/demo', import.meta.url)
  const child = spawn(process.execPath, [...execArgv, path, ...args], {
    cwd: directory,
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, ended }
}

/** What tsx caches there is not the demo's. */
function leftIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => !name.startsWith('tsx-'))
}

/** Processes that name this directory in their arguments. */
function processesOf(directory: string): string[] {
  const list = execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' })
  return list.split('\n').filter((line) => line.includes(directory))
}

interface Outcome {
  readonly rows: number
  readonly supervisor: string
  readonly database: string
  readonly import: { readonly records: number; readonly recordsPerSecond: number }
  readonly dashboard: {
    readonly records: number
    readonly recordsPerSecond: number
    readonly refusal: string
    readonly withheld: { readonly field: string; readonly app: number; readonly dashboard: number }
  }
  readonly upload: { readonly records: number }
  readonly join: { readonly records: number }
  readonly edits: { readonly deviceA: number; readonly deviceB: number; readonly same: number }
  readonly latency: {
    readonly updates: number
    readonly device: { readonly p50Ms: number }
    readonly dashboard: { readonly p50Ms: number }
  }
  readonly peakMiB: { readonly app: number; readonly dashboard: number; readonly device: number }
}

function checkOutcome(text: string, rows: number): Outcome {
  const outcome = JSON.parse(text) as Outcome
  assert.is(outcome.rows, rows)
  for (const { records } of [outcome.import, outcome.dashboard, outcome.upload, outcome.join])
    assert.is(records, rows)
  assert.is(outcome.dashboard.refusal, 'FORBIDDEN')
  assert.equal(outcome.dashboard.withheld, { field: 'admin2', app: rows, dashboard: 0 })
  assert.equal(outcome.edits, { deviceA: 75, deviceB: 75, same: 50 })
  assert.is(outcome.latency.updates, 100)
  for (const figure of [
    outcome.latency.device.p50Ms,
    outcome.latency.dashboard.p50Ms,
    outcome.import.recordsPerSecond,
    outcome.dashboard.recordsPerSecond,
  ])
    assert.ok(figure > 0)
  const { app, dashboard, device } = outcome.peakMiB
  for (const mebibytes of [app, dashboard, device]) assert.ok(mebibytes > 10)
  return outcome
}

test('without a supervisor it starts its own, says what happened, and removes everything', async () => {
  const directory = createStage().makeDirectory('empty')

  const { code, stdout, stderr } = await startDemo(directory, ['--rows', '300']).ended

  assert.is(code, 0, stderr)
  for (const part of [
    /GeoNames .*CC BY 4\.0/,
    /started for this demo/,
    /to an app in another process/,
    /not shown the field admin2; when it writes that one: FORBIDDEN/,
    /field for field equal/,
    /p50 .* ms/,
  ])
    assert.match(stdout, part)
  assert.equal(leftIn(directory), [])
  assert.equal(processesOf(directory), [])
})

test('with a running supervisor it uses that, twice, each time with a database of its own', async () => {
  const stage = createStage()
  const data = stage.makeDirectory('supervisor')
  const supervisor = await startSupervisor(stage, data)
  const directory = stage.makeDirectory('empty')

  const databases: string[] = []
  for (let n = 0; n < 2; n += 1) {
    const { code, stdout, stderr } = await startDemo(directory, ['--rows', '200', '--json', '--data', data])
      .ended
    assert.is(code, 0, stderr)
    const outcome = checkOutcome(stdout, 200)
    assert.is(outcome.supervisor, 'running')
    databases.push(outcome.database)
  }

  assert.is(new Set(databases).size, 2)
  assert.equal(leftIn(directory), [])
  const health = await fetch(`${supervisor.ops ?? ''}/healthz`)
  assert.is(health.status, 200)
})

test('interrupted it ends with 130 and removes everything', async () => {
  const directory = createStage().makeDirectory('empty')
  const { child, ended } = startDemo(directory, ['--rows', '3000'])
  const importing = new Promise<void>((resolve) => {
    child.stdout?.on('data', (text: string) => {
      if (text.includes('started for this demo')) resolve()
    })
  })

  await Promise.race([importing, ended])
  child.kill('SIGINT')
  const { code, stderr } = await ended

  assert.is(code, 130, stderr)
  assert.equal(leftIn(directory), [])
  assert.equal(processesOf(directory), [])
})

test('wrong arguments end with 2 and the usage', async () => {
  const directory = createStage().makeDirectory('empty')

  const { code, stderr } = await startDemo(directory, ['--rows', 'many']).ended

  assert.is(code, 2)
  assert.match(stderr, /--rows: expected 1 to 200000\nusage: npm run demo/)
})

test('the places are whole, and as many as asked for', () => {
  const cities = readCities(10_000)

  assert.is(cities.length, 10_000)
  for (const { name, country, lat, lng } of cities)
    assert.ok(name.length > 0 && /^[A-Z]{2}$/.test(country) && Math.abs(lat) <= 90 && Math.abs(lng) <= 180)
})

test.run()

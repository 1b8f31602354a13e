/** The example of the README runs as it is written, against a supervisor in a process of its own. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run } from '../../examples/bug-tracker.ts'
import { moduleAt } from '../../scripts/process/child.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { startSupervisor } from '../../scripts/process/supervisor-process.ts'

const stages: Stage[] = []

function createStage(): Stage {
  const stage = new Stage('bug-tracker-spec')
  stages.push(stage)
  return stage
}

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

async function enrolmentCodeOf(stage: Stage): Promise<string> {
  const { enrolment } = await startSupervisor(stage, stage.makeDirectory('supervisor'))
  if (enrolment === null) throw new Error('a new supervisor prints its enrolment code')
  return enrolment
}

test('the dashboard sees the bugs, is refused when it writes, and sync is caught up', async () => {
  const stage = createStage()
  const enrolmentCode = await enrolmentCodeOf(stage)

  const result = await run({ directory: stage.makeDirectory('app'), enrolmentCode })

  assert.equal(result.openBugs, ['Button too small on phones', 'Typo on the start page'])
  assert.is(result.bugs, 3)
  assert.is(result.refusal, 'READ_ONLY')
  assert.is(result.sync, 'caughtUp')
  assert.match(result.why, /^in sync with 127\.0\.0\.1:\d+/)
  assert.equal(readdirSync(stage.directory).sort(), ['app', 'supervisor'])
})

test('started as a program it says what it did and ends', async () => {
  const stage = createStage()
  const enrolmentCode = await enrolmentCodeOf(stage)
  const { path, execArgv } = moduleAt('../../examples/bug-tracker', import.meta.url)

  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...execArgv, path, enrolmentCode, stage.makeDirectory('app')],
    { timeout: 60_000 },
  )

  assert.match(stdout, /the dashboard sees 3 bugs, open: Button too small on phones; Typo on the start page/)
  assert.match(stdout, /the dashboard may not write: READ_ONLY/)
})

test('without a code it says how to use it', async () => {
  const { path, execArgv } = moduleAt('../../examples/bug-tracker', import.meta.url)

  const ended = await promisify(execFile)(process.execPath, [...execArgv, path], { timeout: 60_000 }).catch(
    (error: unknown) => error as { code: number; stderr: string },
  )

  assert.is('code' in ended && ended.code, 2)
  assert.match(ended.stderr, /^usage: /)
})

test.run()

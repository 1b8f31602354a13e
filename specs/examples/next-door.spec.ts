// time limit: 180 s
/** The two programs of the example next door run as they are written, as two processes, and end in order. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { moduleAt } from '../../scripts/process/child.ts'
import { Stage, within } from '../../scripts/process/stage.ts'

/** Two processes start, and one derives a key. */
const startMsMax = 60_000

const stages: Stage[] = []

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

class Program {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  stdout = ''
  stderr = ''
  readonly #looks = new Set<() => void>()

  constructor(stage: Stage, name: string, args: readonly string[]) {
    const { path, execArgv } = moduleAt(`../../examples/next-door/${name}`, import.meta.url)
    this.child = spawn(process.execPath, [...execArgv, path, ...args], {
      cwd: stage.directory,
      env: { ...process.env, HOME: stage.directory, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      for (const look of this.#looks) look()
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
    stage.own(name, async () => {
      if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
      await this.ended
    })
  }

  async says(pattern: RegExp): Promise<void> {
    const said = new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(this.stdout)) resolve()
      }
      this.#looks.add(look)
      look()
      void this.ended.then(() => reject(new Error(`ended without ${String(pattern)}`)))
    })
    await within(startMsMax, `${String(pattern)} in what it says`, said).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.stdout}${this.stderr}`)
    })
  }
}

function createStage(): Stage {
  const stage = new Stage('next-door-spec')
  stages.push(stage)
  return stage
}

test('the dashboard waits for the tracker, follows it, votes, may not write notes, and both end by Ctrl-C', async () => {
  const stage = createStage()
  const group = join(stage.directory, 'group')
  const dashboard = new Program(stage, 'dashboard', [group])
  await dashboard.says(/dashboard: waiting for the tracker\n/)
  const tracker = new Program(stage, 'tracker', [group])

  await dashboard.says(/a vote: done/)
  await dashboard.says(/fields that are shared: id, status, title, votes\n/)
  await dashboard.says(/a change of its notes: FORBIDDEN/)
  await tracker.says(/changed: Login fails on Monday, report 1 is open with votes: [1-9]/)
  // What is closed leaves the table.
  await tracker.says(/changed: Login fails on Monday, report 1 is closed/)
  await dashboard.says(/4 open bugs[\s\S]*3 open bugs\n {2}\d votes {2}Button too small, report 2\n/)
  dashboard.child.kill('SIGINT')
  assert.is(await dashboard.ended, 0, dashboard.stderr)
  tracker.child.kill('SIGINT')
  assert.is(await tracker.ended, 0, tracker.stderr)

  for (const { stdout, stderr } of [dashboard, tracker]) {
    assert.match(stdout, /: closed\n$/)
    assert.is(stderr, '')
  }
  assert.not.match(dashboard.stdout, 'only for the team')
})

test('without a directory the group lies below the home directory; the programs end after their seconds, or when told to', async () => {
  const stage = createStage()
  const tracker = new Program(stage, 'tracker', [])
  await tracker.says(/tracker: filed: /)
  const dashboard = new Program(stage, 'dashboard', ['--seconds', '8'])
  await dashboard.says(/a vote: done/)

  assert.is(await dashboard.ended, 0, dashboard.stderr)
  tracker.child.kill('SIGTERM')
  assert.is(await tracker.ended, 0, tracker.stderr)

  assert.ok(existsSync(join(stage.directory, '.local/share/blazedb/groups/next-door/manifest.json')))
})

test('a dashboard that waits in vain ends by Ctrl-C', async () => {
  const stage = createStage()
  const dashboard = new Program(stage, 'dashboard', [join(stage.directory, 'group')])
  await dashboard.says(/waiting for the tracker/)

  dashboard.child.kill('SIGINT')

  assert.is(await dashboard.ended, 0, dashboard.stderr)
  assert.is(dashboard.stderr, '')
})

test('wrong arguments end with 2 and the usage', async () => {
  for (const args of [['--seconds', 'many'], ['--loud'], ['one', 'two']]) {
    const tracker = new Program(createStage(), 'tracker', args)
    assert.is(await tracker.ended, 2, tracker.stdout)
    assert.match(tracker.stderr, /usage: npx tsx examples\/next-door\/tracker\.ts/)
  }
})

test.run()

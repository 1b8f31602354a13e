/** The spec runner fails whatever a plain uvu run would let pass: no tests, a hang, a bad exit. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { judge, readMarks } from '../../scripts/spec.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const passing = `import { test } from 'uvu'\ntest('one', () => {})\ntest('two', () => {})\ntest.run()\n`
const failing = `import { test } from 'uvu'\ntest('fine', () => {})\ntest('breaks', () => { throw new Error('told you so') })\ntest.run()\n`

/** Runs the runner over a directory of its own with the given spec files. */
function runOver(
  files: Record<string, string>,
  ...filters: string[]
): { lines: string[]; status: number | null } {
  const at = mkdtempSync(join(tmpdir(), 'blazedb-spec-runner-'))
  try {
    mkdirSync(join(at, 'specs'))
    writeFileSync(join(at, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(at, 'specs', name), text)
    const args = ['--import', import.meta.resolve('tsx'), join(root, 'scripts', 'spec.ts'), ...filters]
    const { stdout, status } = spawnSync(process.execPath, args, {
      cwd: at,
      encoding: 'utf8',
      timeout: 60_000,
    })
    return { lines: stdout.trimEnd().split('\n'), status }
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

test('a run that passes ends with the totals alone on the last line and exits 0', () => {
  const { lines, status } = runOver({ 'a.spec.ts': passing, 'b.spec.ts': passing })

  assert.is(lines.at(-1), '4 passed, 0 failed')
  assert.is(status, 0)
})

test('a failing test is counted, its output printed, and the exit code is 1', () => {
  const { lines, status } = runOver({ 'a.spec.ts': passing, 'b.spec.ts': failing })

  assert.is(lines.at(-1), '3 passed, 1 failed')
  assert.ok(lines.some((line) => line.includes('told you so')))
  assert.is(status, 1)
})

test('failures are told again below the files that passed after them, shortened', () => {
  const long = failing.replace(`throw`, `console.log('filler\\n'.repeat(500)); throw`)
  const { lines } = runOver({ 'a.spec.ts': long, 'b.spec.ts': `// last\n${passing}` })

  const end = lines.slice(lines.findIndex((line) => line.includes('specs/b')) + 1)
  assert.ok(end[0]?.includes('FAILED  specs/a.spec.ts'))
  assert.ok(end.some((line) => line.includes('… cut …')))
  assert.ok(end.length < 50)
  assert.is(end.at(-1), '3 passed, 1 failed')
})

test('a file that forgets test.run() fails', () => {
  const { lines, status } = runOver({ 'a.spec.ts': passing.replace('test.run()', '') })

  assert.is(lines.at(-1), '0 passed, 1 failed')
  assert.ok(lines.some((line) => line.includes('reported no test')))
  assert.is(status, 1)
})

test('a file that hangs is stopped by its own time limit, with what it started, and fails', () => {
  const marker = `blazedb-hang-${process.pid}`
  const hanging = `// time limit: 2 s
import { spawn } from 'node:child_process'
import { test } from 'uvu'
test('waits for ever', async () => {
  console.log('about to hang')
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '${marker}'], { stdio: 'inherit' })
  await new Promise(() => setInterval(() => {}, 1000))
})
test.run()
`
  const { lines, status } = runOver({ 'a.spec.ts': hanging })

  assert.is(lines.at(-1), '0 passed, 1 failed')
  assert.ok(lines.some((line) => line.includes('time limit of 2 s before its tests ended')))
  assert.ok(lines.some((line) => line.includes('about to hang')))
  assert.is(status, 1)
  const alive = execFileSync('ps', ['-eo', 'stat,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(marker) && !line.startsWith('Z'))
  assert.equal(alive, [])
})

test('a file whose tests pass but which leaves a handle open fails', () => {
  const open = `// time limit: 2 s\n${passing}setInterval(() => {}, 1000)\n`

  const { lines } = runOver({ 'a.spec.ts': open })

  assert.is(lines.at(-1), '2 passed, 1 failed')
  assert.ok(lines.some((line) => line.includes('something is still open')))
})

test('a file whose tests pass but which exits badly fails', () => {
  const bad = `${passing}process.on('exit', () => { process.exitCode = 7 })\n`

  assert.is(runOver({ 'a.spec.ts': bad }).lines.at(-1), '2 passed, 1 failed')
})

test('a file that ends with code 0 in the middle of its tests fails', () => {
  const early = `import { test } from 'uvu'\ntest('ends early', () => process.exit(0))\ntest.run()\n`

  assert.is(runOver({ 'a.spec.ts': early }).lines.at(-1), '0 passed, 1 failed')
})

test('what a spec skipped is named above the last line', () => {
  const skipping = passing.replace('() => {}', `() => console.log('SKIPPED: needs a second disk')`)

  const { lines } = runOver({ 'a.spec.ts': skipping })

  assert.is(lines.at(-2), 'SKIPPED: specs/a.spec.ts: needs a second disk')
  assert.is(lines.at(-1), '2 passed, 0 failed')
})

test('filters choose files by a part of their path, and no match is a failure', () => {
  const files = { 'a.spec.ts': passing, 'b.spec.ts': failing }

  assert.is(runOver(files, 'specs/a').lines.at(-1), '2 passed, 0 failed')
  assert.is(runOver(files, 'nowhere').lines.at(-1), '0 passed, 1 failed')
})

test('marks at the top of a file set its limit, keep it alone, and put it last', () => {
  assert.equal(readMarks('/** x */\n// time limit: 240 s\n// alone\n// last\n'), {
    timeLimitSeconds: 240,
    alone: true,
    last: true,
  })
  assert.equal(readMarks('/** x */\nimport x from "y"\n'), {
    timeLimitSeconds: 120,
    alone: false,
    last: false,
  })
})

test('files marked last run after all others, those that run alone included', () => {
  const files = {
    'a.spec.ts': `// last\n${passing}`,
    'b.spec.ts': `// alone\n${passing}`,
    'c.spec.ts': passing,
  }

  const { lines } = runOver(files)

  assert.equal(
    lines.map((line) => /specs\/\w/.exec(line)?.[0]).filter((found) => found !== undefined),
    ['specs/c', 'specs/b', 'specs/a'],
  )
})

test('totals of several suites in one file are added', () => {
  const output =
    '  Total:     2\n  Passed:    2\n  Skipped:   0\n  Total:     3\n  Passed:    1\n  Skipped:   1\n'

  const { passed, failed, skipped } = judge(output, { code: 1 })

  assert.equal({ passed, failed, skipped: skipped.length }, { passed: 3, failed: 2, skipped: 1 })
})

test.run()

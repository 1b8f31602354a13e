// time limit: 180 s
/** The README keeps its word: its blocks of code are one program that runs against a real supervisor, and its tables are those of the code. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runBlazedb, serveBlazedb } from '../server/process.ts'
import { codeBlocks, root } from './document.ts'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
/** Three databases, each with one derivation of its key, and a join. */
const programMsMax = 120_000

test('the blocks of code in the README run as one program and print what their comments say', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-readme-'))
  const server = await serveBlazedb(join(directory, 'supervisor'))
  try {
    const blocks = codeBlocks(readme).filter(({ language }) => language === 'ts')
    assert.is(blocks.length, 6)
    const program = blocks.map(({ code }) => code).join('\n')
    // Only the name of the package is replaced: here nothing is built or installed.
    const door = pathToFileURL(join(root, 'actors', 'index.ts')).href
    const path = join(directory, 'quick-start.mts')
    writeFileSync(path, program.replace("from 'blazedb'", `from '${door}'`))

    const { code, stdout, stderr } = await runProgram(path, directory, server.ready.enrolment ?? '')

    assert.is(code, 0, `it ended with ${code}:\n${stdout}${stderr}`)
    const [, afterUpdate = ''] = /^(\{[\s\S]*?\})$/m.exec(stdout) ?? []
    assert.match(afterUpdate, /title: 'Login fails on Monday'/)
    assert.match(afterUpdate, /votes: 2/)
    assert.match(stdout, /^1$/m)
    assert.match(stdout, /^\[\s*\{[\s\S]*?'Login fails on Monday'[\s\S]*?\]$/m)
    assert.match(stdout, /^READ_ONLY$/m)
    assert.match(stdout, /^\{[^}]*'Login fails on Monday'[^}]*\}\nFORBIDDEN$/m)
    assert.not.match(/^(\{[^}]*\})\nFORBIDDEN$/m.exec(stdout)?.[1] ?? 'votes', 'votes')
    // A last acknowledgement may still be on its way.
    assert.match(stdout, /^(in sync|exchanging data) with 127\.0\.0\.1:\d+/m)
    assert.match(stdout, /status: 'fixed'/)
    assert.is(stderr, '')
  } finally {
    server.child.kill('SIGTERM')
    const { code } = await server.ended
    rmSync(directory, { recursive: true, force: true })
    assert.is(code, 0)
  }
})

test('the README names every command and option of the command line, and every exit code', async () => {
  const help = await runBlazedb(['--help']).ended
  const commands = [...help.stdout.matchAll(/^ {2}([\w-]+) \[options\]/gm)].map((match) => match[1])
  assert.equal(commands, ['serve', 'enroll', 'status', 'peers', 'rotate-key'])
  for (const command of commands) assert.match(readme, new RegExp(`^\\| \`${command}\``, 'm'))

  const { stdout } = await runBlazedb(['serve', '--help']).ended
  const options = [...stdout.matchAll(/--([a-z]+)/g)]
    .map((match) => match[1])
    .filter((name) => name !== 'help')
  assert.ok(options.length >= 6)
  for (const option of options) assert.match(readme, new RegExp(`\`--${option}\\b`))

  const codes = [...(/Exit codes: (.*)/.exec(help.stdout)?.[1] ?? '').matchAll(/(\d) /g)].map(
    (match) => match[1],
  )
  assert.equal(codes, ['0', '1', '2', '3'])
  for (const code of codes) assert.match(readme, new RegExp(`^\\| ${code} +\\|`, 'm'))
})

test('the README stays below 300 lines and names the two commands', () => {
  assert.ok(readme.split('\n').length < 300)
  assert.match(readme, 'npm ci && npm start')
  assert.match(readme, 'npm ci && npm test')
})

test('every command of npm in the documents exists', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  for (const [, name = ''] of readme.matchAll(/npm run ([a-z]+)/g))
    assert.ok(name in scripts, `npm run ${name}`)
})

function runProgram(
  path: string,
  directory: string,
  enrolment: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), path], {
    cwd: directory,
    env: { ...process.env, BLAZEDB_CODE: enrolment, NO_COLOR: '1', FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: programMsMax,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}

test.run()

/** `npm run simulate` runs the world of a file, says which seed fails and how to replay it, and refuses wrong arguments. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../docs/document.ts'
import { loaderArgs } from '../../scripts/typescript/loader.ts'

const programMsMax = 60_000

async function simulate(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [...loaderArgs(), 'scripts/simulate.ts', ...args], {
    cwd: root,
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

/** Writes a world beside the specs' other temporary files, and runs it. */
async function simulateText(text: string, ...args: string[]): ReturnType<typeof simulate> {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-simulate-'))
  try {
    const path = join(directory, 'world.mjs')
    writeFileSync(path, text)
    return await simulate(path, ...args)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('the seeds that were asked for hold: exit code 0', async () => {
  const { code, stdout } = await simulate('examples/three-nodes/world.ts', '--seed', '5', '--count', '3')

  assert.is(code, 0)
  assert.match(stdout, /^3 seeds from 5 hold: \d+ boots, [\d.]+ virtual minutes in [\d.]+ s$/m)
})

test('a seed that fails: exit code 1, where it broke, and the command that replays it', async () => {
  const { code, stderr } = await simulateText(
    `export const world = ({ seed }) => ({
       nodes: ['a'], start: () => seed, quiescent: () => true,
       finish() { if (seed === 3) throw new Error('three') },
     })`,
  )

  assert.is(code, 1)
  assert.match(stderr, /Error: three\n {4}at .*finish/)
  assert.match(stderr, /^seed 3 failed after the faults/m)
  assert.match(stderr, /replay: npm run simulate -- .*world\.mjs --seed 3\n$/)
})

test('without a file it runs the campaign of sync, and says what no seed visited', async () => {
  const { code, stdout } = await simulate('--seeds', '2', '--from', '3')

  assert.is(code, 0)
  assert.match(stdout, /^relay: \d+ of \d+ states and transitions visited$/m)
  assert.match(stdout, /^ {2}never: relay\.\w+ on relay\.\w+/m)
  assert.match(stdout, /^2 seeds from 3 hold: /m)
})

test('with --json it ends with one line of data', async () => {
  const { code, stdout } = await simulate('examples/three-nodes/world.ts', '--seeds', '2', '--json')

  const { from, count, boots } = JSON.parse(stdout)
  assert.is(code, 0)
  assert.equal({ from, count }, { from: 1, count: 2 })
  assert.ok(boots > 0)
})

test('a promise that rejects unheard: exit code 1, and the seed is named too', async () => {
  const { code, stderr } = await simulateText(
    `export const options = { steps: 1 }
     export const world = ({ seed }) => ({
       nodes: ['a'], quiescent: () => true,
       start: () => void (seed === 2 && Promise.reject(new Error('unheard'))),
     })`,
  )

  assert.is(code, 1)
  assert.match(stderr, 'Error: unheard')
  assert.match(stderr, /replay: npm run simulate -- .*world\.mjs --seed 2\n$/)
})

test('wrong arguments: exit code 2 and the usage', async () => {
  for (const args of [
    ['--seeds', 'many'],
    ['no-such-file.ts'],
    ['examples/three-nodes/world.ts', '--sede', '1'],
    ['examples/three-nodes/counter-node.ts'],
  ]) {
    const { code, stderr } = await simulate(...args)
    assert.is(code, 2, args.join(' '))
    assert.match(stderr, 'usage: npm run simulate -- [FILE] [--seeds N] [--from S] [--seed S] [--json]')
  }
})

test.run()

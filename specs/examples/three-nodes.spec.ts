// time limit: 180 s
/** The example of the three counters keeps its promise in simulation, a planted bug is found, and its replay command finds it again. */
import { spawn } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../docs/document.ts'
import { loaderArgs } from '../../scripts/typescript/loader.ts'

const programMsMax = 120_000

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

test('fifty seeds of the three counters hold', async () => {
  const { code, stdout, stderr } = await run(['examples/three-nodes/simulate.ts'])

  assert.is(code, 0, stderr)
  const [, seeds = '', boots = ''] = /^(\d+) seeds hold: (\d+) boots/.exec(stdout) ?? []
  assert.is(Number(seeds), 50)
  assert.ok(Number(boots) > 300, `${boots} boots: nodes lose their power on the way`)
})

test('the planted bug is found, and the printed command finds it again, to the last event', async () => {
  const found = await run(['examples/three-nodes/simulate.ts'], { BUG: '1' })
  assert.is(found.code, 1, found.stdout)
  assert.match(
    found.stderr,
    /^seed \d+ failed after the faults, at [\d.]+ ms: . counts \d+, but \d+ were acknowledged/,
  )
  const [, command = ''] = /replay: (.*)$/m.exec(found.stderr) ?? []
  const [, program = '', seed = ''] = /^BUG=1 npx tsx (\S+) --seed (\d+)$/.exec(command) ?? []
  assert.ok(Number(seed) > 0, command)

  const again = await run([program, '--seed', seed], { BUG: '1' })

  assert.is(again.code, 1)
  assert.is(again.stderr, found.stderr)
})

test('without the bug the same seed holds', async () => {
  const { stderr } = await run(['examples/three-nodes/simulate.ts'], { BUG: '1' })
  const [, seed = ''] = /^seed (\d+) failed/.exec(stderr) ?? []

  const { code, stdout } = await run(['examples/three-nodes/simulate.ts', '--seed', seed])

  assert.is(code, 0)
  assert.match(stdout, /^1 seeds hold/)
})

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [...loaderArgs(), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
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

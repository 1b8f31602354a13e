/**
 * `npm run long -- fuzz [--seconds N] [--seed N] [--target NAME]`: every decoder under changed bytes, a minute unless told otherwise.
 *
 * Invariant: it says its seed before it begins, and a failure names target, seed and bytes.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beginStep } from '../process/progress-step.ts'
import { longRoot, numberOf } from './long-lane.ts'
import type { LongLane } from './long-lane.ts'

interface Turn {
  readonly target: string
  readonly runs: number
  readonly taken: number
  readonly slowestMs: number
}

export const fuzzLane: LongLane = {
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' } },
  usage: '[--seconds N] [--seed N] [--target NAME]',
  async run(values) {
    const seconds = numberOf('seconds', values['seconds'] ?? '60')
    const seed = numberOf('seed', values['seed'] ?? String(Math.floor(Math.random() * 2 ** 31)))
    process.stderr.write(`fuzz: ${seconds} s, seed ${seed}\n`)
    const args = [
      String(seconds),
      String(seed),
      ...(values['target'] === undefined ? [] : [values['target']]),
    ]
    const program = join(longRoot, 'specs/fuzz/fuzz-program.ts')
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const step = beginStep('fuzz', seconds)
    const startMs = performance.now()
    const turns: Turn[] = []
    createInterface({ input: child.stdout }).on('line', (line) => {
      turns.push(JSON.parse(line) as Turn)
      step.at((performance.now() - startMs) / 1_000)
    })
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (ended) => resolve(ended ?? 1))
    })
    step.end()
    const targets = new Set(turns.map(({ target }) => target)).size
    const runs = turns.reduce((sum, turn) => sum + turn.runs, 0)
    const taken = turns.reduce((sum, turn) => sum + turn.taken, 0)
    const slowest = turns.toSorted((a, b) => b.slowestMs - a.slowestMs)[0]
    process.stdout.write(
      `fuzz: ${runs} inputs to ${targets} decoders, ${taken} of them valid; slowest ${slowest?.slowestMs ?? 0} ms (${slowest?.target ?? 'none'}); seed ${seed}\n`,
    )
    return code
  },
}

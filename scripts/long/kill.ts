/**
 * `npm run long -- kill [--cycles N] [--seed N] [--from EPOCH]`: a supervisor and devices under load are killed with signal 9, 500 times
 * unless told otherwise.
 *
 * Invariant: it says its seed before it begins; `--seed` and `--from` go on at the epoch that it named last.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beginStep } from '../process/progress-step.ts'
import { longRoot, numberOf } from './long-lane.ts'
import type { LongLane } from './long-lane.ts'

interface Told {
  readonly text?: string
  readonly done?: number
  readonly acknowledged?: number
  readonly kills?: readonly (readonly [string, number])[]
}

export const killLane: LongLane = {
  options: { cycles: { type: 'string' }, seed: { type: 'string' }, from: { type: 'string' } },
  usage: '[--cycles N] [--seed N] [--from EPOCH]',
  async run(values) {
    const cycles = numberOf('cycles', values['cycles'] ?? '500')
    const seed = numberOf('seed', values['seed'] ?? String(Math.floor(Math.random() * 2 ** 31)))
    const from = numberOf('from', values['from'] ?? '0')
    process.stderr.write(`kill: ${cycles} cycles from epoch ${from}, seed ${seed}\n`)
    const program = join(longRoot, 'specs/process/kill/kill-program.ts')
    const args = [cycles, seed, from].map(String)
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const step = beginStep('kill', cycles)
    let last: Told = {}
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = JSON.parse(line) as Told
      if (told.done !== undefined) step.at(told.done)
      else if (told.text !== undefined) process.stderr.write(`\r${told.text}\n`)
      else last = told
    })
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (ended) => resolve(ended ?? 1))
    })
    step.end()
    const kills = (last.kills ?? []).map(([what, times]) => `${what} ${times}`).join(', ')
    process.stdout.write(
      code === 0
        ? `kill: ${cycles} cycles (${kills}), ${last.acknowledged} acknowledged writes, none lost; seed ${seed}\n`
        : `kill: failed; go on with --seed ${seed} --from and the epoch that was named last\n`,
    )
    return code
  },
}

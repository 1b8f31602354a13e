/**
 * `npm run long -- simulate [--seeds N] [--from S] [--jobs N]`: the campaign of `npm run simulate` over 50,000 seeds unless told
 * otherwise, in slices, some at a time. It says where it is, so that a run that was broken off goes on with `--from`.
 *
 * Invariant: it stops at the first slice that fails, and says the seed and the command that replays it.
 */
import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { beginStep } from '../process/progress-step.ts'
import { longRoot, numberOf } from './long-lane.ts'
import type { LongLane } from './long-lane.ts'

/** Seeds of one process: a few minutes, and memory that is given back. */
const sliceSeeds = 250

export const simulateLane: LongLane = {
  options: { seeds: { type: 'string' }, from: { type: 'string' }, jobs: { type: 'string' } },
  usage: '[--seeds N] [--from S] [--jobs N]',
  async run(values) {
    const seeds = numberOf('seeds', values['seeds'] ?? '50000')
    const from = numberOf('from', values['from'] ?? '1')
    const jobs = Math.max(1, numberOf('jobs', values['jobs'] ?? String(cpus().length)))
    const end = from + seeds
    const step = beginStep('simulate', seeds)
    let next = from
    let done = 0
    let failure: string | undefined
    const work = async (): Promise<void> => {
      while (next < end && failure === undefined) {
        const first = next
        const count = Math.min(sliceSeeds, end - first)
        next += count
        const problem = await slice(first, count)
        if (problem !== undefined) failure ??= problem
        else {
          done += count
          step.at(done)
          process.stdout.write(`simulate: seeds ${first} to ${first + count - 1} hold, ${done} of ${seeds}\n`)
        }
      }
    }
    await Promise.all(Array.from({ length: jobs }, work))
    step.end()
    if (failure !== undefined) process.stderr.write(`${failure}\n`)
    process.stdout.write(
      failure === undefined
        ? `simulate: ${seeds} seeds from ${from} hold\n`
        : `simulate: a seed failed; ${done} of ${seeds} hold so far\n`,
    )
    return failure === undefined ? 0 : 1
  },
}

/** What went wrong, or undefined. */
function slice(from: number, count: number): Promise<string | undefined> {
  const args = ['--import', import.meta.resolve('tsx'), 'scripts/simulate.ts']
  const child = spawn(process.execPath, [...args, '--from', String(from), '--seeds', String(count)], {
    cwd: longRoot,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => void (text += more))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code === 0 ? undefined : `seeds from ${from}: ${text}`))
  })
}

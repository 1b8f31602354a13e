/**
 * The long lane: `npm run long -- GROUP [options]` runs what takes too long for `npm test`. Exit codes: 0 all holds, 1 it does not,
 * 2 wrong arguments.
 *
 * Invariant: a group runs in processes of its own, says its seed, and ends with one line.
 */
import { parseArgs } from 'node:util'
import { fuzzLane } from './long/fuzz.ts'
import { killLane } from './long/kill.ts'
import { mutantsLane } from './long/mutants.ts'
import { simulateLane } from './long/simulate.ts'
import { slowPeerLane } from './long/slow-peer.ts'
import type { LongLane } from './long/long-lane.ts'

const lanes: Readonly<Record<string, LongLane>> = {
  fuzz: fuzzLane,
  kill: killLane,
  mutants: mutantsLane,
  simulate: simulateLane,
  'slow-peer': slowPeerLane,
}

function usage(): string {
  return Object.entries(lanes)
    .map(([name, lane]) => `usage: npm run long -- ${name} ${lane.usage}\n`)
    .join('')
}

const [group = '', ...args] = process.argv.slice(2)
const lane = Object.hasOwn(lanes, group) ? lanes[group] : undefined
if (lane === undefined) {
  process.stderr.write(`${group === '' ? 'name a group' : `no group ${group}`}\n${usage()}`)
  process.exit(2)
}
try {
  const { values } = parseArgs({ args, options: lane.options })
  process.exitCode = await lane.run(values as Readonly<Record<string, string | undefined>>)
} catch (error) {
  const isUsage = error instanceof TypeError
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${isUsage ? usage() : ''}`)
  process.exitCode = isUsage ? 2 : 1
}

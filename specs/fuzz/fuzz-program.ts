/**
 * What `npm run long -- fuzz` runs: all targets in turn, again and again from other seeds, until the time is over.
 * `fuzz-program.ts SECONDS SEED [TARGET]`. Invariant: one JSON line a target and round on stdout; the first failure ends it with code 1.
 */
import { fuzz, FuzzFailure } from './fuzz.ts'
import { fuzzGroups } from './targets.ts'

/** Longest turn of a target. */
const TURN_MS_MAX = 2_000

const [seconds = '60', seedText = '1', only] = process.argv.slice(2)
const targets = Object.values(fuzzGroups)
  .flat()
  .filter(({ name }) => only === undefined || name === only)
if (targets.length === 0) {
  process.stderr.write(
    `no target ${only}; they are:\n${Object.values(fuzzGroups)
      .flat()
      .map(({ name }) => `  ${name}\n`)
      .join('')}`,
  )
  process.exit(2)
}
const untilMs = performance.now() + Number(seconds) * 1_000
const turnMs = Math.min(TURN_MS_MAX, (Number(seconds) * 1_000) / targets.length)
try {
  // The first round is always whole.
  for (let round = 0; round === 0 || performance.now() < untilMs; round += 1)
    for (const target of targets) {
      if (round > 0 && performance.now() >= untilMs) break
      // Another seed each round, the one that was asked for first.
      const seed = (Number(seedText) + round) % 2 ** 31
      const { runs, taken, slowestMs } = await fuzz(target, { seed, ms: turnMs })
      process.stdout.write(
        `${JSON.stringify({ target: target.name, seed, runs, taken, slowestMs: Math.round(slowestMs) })}\n`,
      )
    }
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

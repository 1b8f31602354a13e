/**
 * Simulates the three counters: `npx tsx examples/three-nodes/simulate.ts`. `--seed N --count N` chooses the seeds, `BUG=1` plants a bug.
 *
 * Invariant: it opens no socket and no file; it fails with the first seed in which something does not hold.
 */
// In your own project: from 'blazedb/testing'.
import { simulateAll, SimulationFailure, simulationArguments } from '../../actors/testing.ts'
import { counterWorld } from './world.ts'

const plantBug = process.env['BUG'] === '1'
const { replay, ...seeds } = simulationArguments(process.argv)
try {
  const { count, boots, virtualMs } = await simulateAll(counterWorld({ plantBug }), {
    count: 50,
    ...seeds,
    replay: (seed) => `${plantBug ? 'BUG=1 ' : ''}${replay(seed)}`,
  })
  const minutes = Math.round(virtualMs / 60_000)
  process.stdout.write(`${count} seeds hold: ${boots} boots in ${minutes} minutes of virtual time\n`)
} catch (error) {
  if (!(error instanceof SimulationFailure)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

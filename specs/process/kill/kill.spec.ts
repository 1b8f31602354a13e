// time limit: 400 s
/**
 * kill -9 of a supervisor and of devices under load, again and again: nothing that was acknowledged is lost, nothing that was deleted is
 * back, all stores verify, and nothing is left over. `SEED=… npx tsx specs/process/kill/kill.spec.ts` repeats the choice of the moments;
 * `npm run long -- kill` goes on for 500 cycles.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { epochCycles, runKillLoop } from './kill-loop.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

test(`a supervisor and two devices under load converge after ${epochCycles} kills, and nothing acknowledged is lost`, async () => {
  const report = await runKillLoop({ seed, cycles: epochCycles, say: (line) => console.log(line) })

  console.log([...report.kills].map(([what, times]) => `${what}: ${times}`).join(', '))
  assert.is(report.cycles, epochCycles)
  assert.ok(report.acknowledged > 500, `only ${report.acknowledged} writes were acknowledged`)
})

test.run()

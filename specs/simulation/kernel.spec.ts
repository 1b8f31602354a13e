// time limit: 240 s
/**
 * Random trees of cells under random work, power cuts and clocks that drift and jump, 100 seeds: every ask ends in its time, mail of one
 * sender keeps its order, no dead life handles anything, everything comes to rest, and a stopped system leaves nothing behind.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulateAll, SimulationFailure } from '../../actors/testing.ts'
import type { CampaignReport, FaultKind } from '../../actors/testing.ts'
import { kernelWorld } from './kernel-world.ts'
import type { KernelCounts } from './kernel-world.ts'

const FIRST = Number(process.env['SEED'] ?? 1)
const SEEDS = Number(process.env['SEEDS'] ?? 100)
const faults: readonly FaultKind[] = ['power-cut', 'clock-drift', 'clock-jump']
const replay = (seed: number): string => `SEED=${seed} SEEDS=1 npx tsx specs/simulation/kernel.spec.ts`

function nothing(): KernelCounts {
  return { numbers: 0, lives: 0, restarts: 0, downs: 0, stashed: 0, asks: {} }
}

test(`the kernel keeps its promises under random work, seeds ${FIRST} to ${FIRST + SEEDS - 1}`, async () => {
  const counts = nothing()
  const report = await run(counts, undefined, SEEDS)

  if (SEEDS < 100) return
  const { asks } = counts
  for (const outcome of ['answered', 'ASK_TIMEOUT', 'CELL_DOWN', 'OVERLOADED'])
    assert.ok((asks[outcome] ?? 0) > 10, `${outcome} of asks: ${asks[outcome] ?? 0}`)
  const enough = counts.numbers > 10_000 && counts.restarts > 1_000 && counts.downs > 1_000
  assert.ok(enough && counts.stashed > 100, JSON.stringify(counts))
  assert.ok((report.faults['power-cut'] ?? 0) > 100, JSON.stringify(report.faults))
})

for (const plant of ['deaf ask', 'swapped mail'] as const) {
  test(`the campaign finds a planted bug: ${plant}`, async () => {
    const failure = await run(nothing(), plant, 20).catch((error: unknown) => error)

    assert.instance(failure, SimulationFailure)
  })
}

async function run(
  counts: KernelCounts,
  plant: 'deaf ask' | 'swapped mail' | undefined,
  count: number,
): Promise<CampaignReport> {
  try {
    return await simulateAll(kernelWorld(counts, plant), { from: FIRST, count, faults, replay, steps: 60 })
  } catch (error) {
    // The runner of this file cannot print every kind of error.
    if (plant === undefined) console.log(error)
    throw error
  }
}

test.run()

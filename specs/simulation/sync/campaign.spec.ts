// time limit: 480 s
/**
 * 300 seeds of the sync campaign: devices in teams on one to three supervisors, under every fault of network, store, clock and power, with
 * directories restored, cloned, wiped and damaged. The oracle knows nothing but answers.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulateAll } from '../../../actors/testing.ts'
import type { CampaignReport } from '../../../actors/testing.ts'
import { details, options, summary, world } from './campaign.ts'

const FIRST = Number(process.env['SEED'] ?? 1)
const SEEDS = Number(process.env['SEEDS'] ?? 300)
const BLOCK = 75
const folder = fileURLToPath(new URL('.', import.meta.url))
const faults: Record<string, number> = {}

for (let from = FIRST; from < FIRST + SEEDS; from += BLOCK) {
  const count = Math.min(BLOCK, FIRST + SEEDS - from)
  test(`everything converges and nothing is lost, seeds ${from} to ${from + count - 1}`, async () => {
    const report = await run(from, count)
    for (const [kind, times] of Object.entries(report.faults)) faults[kind] = (faults[kind] ?? 0) + times
  })
}

test('the seeds were not spared: every kind of fault happened, and machines went nearly everywhere', async () => {
  if (SEEDS < 300) return
  for (const kind of [
    'partition',
    'cut',
    'half-open',
    'power-cut',
    'failing-disk',
    'full-disk',
    'clock-jump',
  ])
    assert.ok((faults[kind] ?? 0) > 50, `${kind}: ${faults[kind] ?? 0}`)
  console.log((await summary()).join('\n'))
  const { machines, supervisors } = await details()
  assert.ok(supervisors.keyed > 30 && supervisors.blind > 30, JSON.stringify(supervisors))
  const share =
    machines.reduce((sum, { places, missing }) => sum + 1 - missing.length / places, 0) / machines.length
  assert.ok(share > 0.75, `${share}`)
})

test('the oracle imports nothing of the database, and neither does what it imports', () => {
  const seen = new Set<string>()
  const waiting = readdirSync(folder).filter((name) => name.startsWith('oracle'))
  assert.ok(waiting.length > 1)
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    for (const [, from = ''] of readFileSync(join(folder, name), 'utf8').matchAll(
      /\bfrom '([^']+)'|\bimport\(/g,
    )) {
      assert.match(from, /^\.\/[a-z-]+\.ts$/, `${name} imports ${from}`)
      waiting.push(from.slice(2))
    }
  }
})

test.run()

async function run(from: number, count: number): Promise<CampaignReport> {
  try {
    return await simulateAll(world, {
      ...options,
      from,
      count,
      twice: from === FIRST ? 1 : 0,
      replay: (seed) => `npm run simulate -- --seed ${seed}`,
    })
  } catch (error) {
    // The runner of this file cannot print every kind of error.
    console.log(error)
    throw error
  }
}

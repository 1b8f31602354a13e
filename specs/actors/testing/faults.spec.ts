// time limit: 240 s
/** Each kind of fault happens where a seed has it, shows what it should, and where it is off nothing of it is seen. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { damageKinds, faultKinds, simulate } from '../../../actors/testing.ts'
import type { FaultKind, SimulationReport } from '../../../actors/testing.ts'
import { symptomWorld } from './symptom-world.ts'
import type { Symptom } from './symptom-world.ts'

/** What a kind must show over some seeds, and what it may. */
const shown: Record<FaultKind, { must: Symptom[]; may?: Symptom[] }> = {
  delay: { must: ['late'] },
  loss: { must: ['gap'] },
  duplicate: { must: ['twice'] },
  reorder: { must: ['swapped', 'gap'] },
  bandwidth: { must: ['late'] },
  partition: { must: ['gap'] },
  'one-way': { must: ['gap'] },
  cut: { must: ['broken'] },
  'half-open': { must: ['broken', 'stale'] },
  'power-cut': { must: ['rebooted', 'broken'] },
  'slow-disk': { must: ['slow batch'] },
  'failing-disk': { must: ['failed batch', 'rebooted'] },
  'full-disk': { must: ['no room', 'failed batch', 'rebooted'] },
  'torn-batch': { must: ['torn', 'rebooted', 'broken'], may: ['row changed'] },
  'lost-row': { must: ['row lost'] },
  'flipped-bit': { must: ['row changed'] },
  'clock-drift': { must: ['steady clock off'] },
  'clock-jump': { must: ['wall clock off'] },
}
const seeds = 16

async function symptomsOf(
  faults: readonly FaultKind[],
): Promise<{ symptoms: Set<Symptom>; reports: SimulationReport[] }> {
  const symptoms = new Set<Symptom>()
  const reports: SimulationReport[] = []
  for (let seed = 1; seed <= seeds; seed++)
    reports.push(await simulate(seed, symptomWorld(symptoms), { faults, steps: 40 }))
  return { symptoms, reports }
}

test('without faults there is no symptom', async () => {
  const { symptoms, reports } = await symptomsOf([])

  assert.equal([...symptoms], [])
  assert.ok(reports.every(({ swarm, boots }) => Object.keys(swarm).length === 0 && boots === 2))
})

for (const [kind, { must, may = [] }] of Object.entries(shown) as [FaultKind, (typeof shown)[FaultKind]][]) {
  test(`${kind} alone shows: ${must.join(', ')}`, async () => {
    const { symptoms, reports } = await symptomsOf([kind])

    assert.equal(
      must.filter((symptom) => !symptoms.has(symptom)),
      [],
      'symptoms that are missing',
    )
    assert.equal(
      [...symptoms].filter((symptom) => !must.includes(symptom) && !may.includes(symptom)),
      [],
      'symptoms of something else',
    )
    const on = reports.filter(({ swarm }) => swarm[kind] !== undefined)
    assert.ok(on.length > 2 && on.length < seeds - 2, `${on.length} of ${seeds} seeds have it`)
    for (const { swarm, faults } of reports) {
      assert.ok(Object.keys(swarm).every((drawn) => drawn === kind))
      assert.ok(Object.keys(faults).every((happened) => happened === kind && swarm[kind] !== undefined))
    }
  })
}

test('the table of this file names every kind', () => {
  assert.equal(Object.keys(shown).toSorted(), [...faultKinds, ...damageKinds].toSorted())
})

test.run()

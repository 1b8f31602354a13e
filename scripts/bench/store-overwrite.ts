/**
 * `overwrite-size`: what a database weighs while a few records are overwritten a million times, as a multiple of what lives in it.
 *
 * Invariant: the figure is the highest of all samples under load, and nothing asks for compaction. One round: it takes minutes.
 */
import { beginStep } from '../process/progress-step.ts'
import { callFresh } from './store-data.ts'
import type { StoreRun } from './store-plan.ts'
import type { SystemName } from './store-system.ts'

const recordBytes = 2_048
const sampleEvery = 10_000
/** Samples that a shorter load has nevertheless. */
const samplesMin = 10

const systems: readonly SystemName[] = ['blazedb', 'raw classic-level']

export async function runOverwrite(run: StoreRun): Promise<void> {
  const { overwrites, overwritten: records } = run.sizes
  const params = { bytes: recordBytes, overwrites, records }
  for (const system of systems) {
    process.stderr.write(`overwrite-size ${JSON.stringify(params)}: ${system}\n`)
    const step = beginStep(`overwrites of ${system}`, overwrites)
    const result = await callFresh(
      run,
      'overwrite',
      {
        system,
        at: run.stage.makeDirectory(`overwrite-${system}`),
        overwrites,
        records,
        recordBytes,
        sampleEvery: Math.min(sampleEvery, Math.floor(overwrites / samplesMin)),
        seed: run.seed,
      },
      { progress: (count) => step.at(count) },
    )
    step.end()
    const { ms, samples, allocatedBytes, liveBytes, pauseMs, loopMs } = result
    if (samples < samplesMin) throw new Error(`the directory was looked at ${samples} times`)
    const { report } = run
    const ratio = allocatedBytes / liveBytes
    report.round({ bench: 'overwrite-size', system, unit: 'ratio', params }, ratio, { samples })
    const more = { loop: Number(loopMs.toFixed(1)) }
    report.round({ bench: 'overwrite-pause', system, unit: 'ms', params }, pauseMs, more)
    report.round({ bench: 'overwrite', system, unit: 'records/s', params }, (overwrites * 1_000) / ms)
  }
}

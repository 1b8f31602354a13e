/** Records whose only purpose is to be seen. Invariant: each counts once, from when its writer began until it was shown here. */
import type { Collection } from '../../actors/index.ts'
import { machineMs } from '../bench/load.ts'
import type { Latencies } from '../bench/load.ts'

/** Resolves when it follows. */
export function followProbes(collection: Collection, probeId: string, into: Latencies): Promise<void> {
  const probes = collection.query().where('probe', '=', probeId)
  return new Promise((resolve) => {
    probes.live(({ added, changed }) => {
      const nowMs = machineMs()
      resolve()
      for (const { n, sentMs } of [...added, ...changed])
        if (typeof n === 'number' && typeof sentMs === 'number') into.note(n, nowMs - sentMs)
    })
  })
}

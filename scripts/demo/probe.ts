/** Records whose only purpose is to be seen. Invariant: each counts once, from when its writer began until it was shown here. */
import type { Collection } from '../../actors/index.ts'
import { Latencies, machineMs } from '../bench/load.ts'
import { syncMs } from './agreement.ts'

export interface ProbeCalls {
  /** Follows updates of the record `probeId` from now on. */
  follow(body: { probeId: string }): Promise<void>
  /** Resolves with one latency each when so many updates were seen. */
  seen(body: { updates: number }): Promise<number[]>
  /** Highest resident memory so far, in bytes. */
  peak(body: null): Promise<number>
}

/** Of the process that asks for them. */
export function probeCalls(collection: () => Collection): ProbeCalls {
  const latencies = new Latencies()
  return {
    follow: ({ probeId }) => followProbes(collection(), probeId, latencies),
    seen: ({ updates }) => latencies.all(updates, syncMs),
    async peak() {
      return process.resourceUsage().maxRSS * 1024
    },
  }
}

/** Resolves when it follows. */
function followProbes(collection: Collection, probeId: string, into: Latencies): Promise<void> {
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

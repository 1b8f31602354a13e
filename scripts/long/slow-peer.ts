/**
 * `npm run long -- slow-peer [--writes N]`: a million writes, unless told otherwise, hit 1,000 records while a peer reads nothing.
 *
 * Invariant: what the supervisor keeps and what the peer is sent then are judged by the number of records, not of writes.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { longRoot, numberOf } from './long-lane.ts'
import type { LongLane } from './long-lane.ts'

interface Seen {
  readonly records: number
  readonly arrivals: number
  readonly storeBytes: readonly [number, number]
  readonly tags: number
  readonly envelopes: number
  readonly bytes: number
  readonly newest: number
  readonly caughtUp: boolean
}

const RECORDS = 1_000
/** As in `npm test`. */
const RECORD_BYTES = 600

export const slowPeerLane: LongLane = {
  options: { writes: { type: 'string' } },
  usage: '[--writes N]',
  async run(values) {
    const writes = numberOf('writes', values['writes'] ?? '1000000')
    const program = join(longRoot, 'specs/actors/relay/slow-peer-program.ts')
    const args = ['--import', import.meta.resolve('tsx'), program, String(Math.ceil(writes / RECORDS))]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const seen = JSON.parse(stdout) as Seen
    const [first, last] = seen.storeBytes
    const holds =
      seen.caughtUp &&
      [seen.tags, seen.envelopes, seen.newest].every((count) => count === RECORDS) &&
      seen.bytes <= RECORDS * RECORD_BYTES &&
      last <= 2 * first
    process.stdout.write(`slow-peer: ${holds ? 'holds' : 'failed'}: ${stdout}`)
    return holds ? 0 : 1
  },
}

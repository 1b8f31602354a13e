/**
 * What a relay says of forks (REPLICATION rule 23): which heads the peer has to be shown because its device made another history of them.
 * Invariant: only heads that were signed by the device itself are shown, and none of an id that it has left.
 */
import { BlazeError, equalBytes, toHex } from '../../runtime/index.ts'
import type { VectorEntry } from '../replica/index.ts'
import type { Space } from '../team/index.ts'

/** Heads of ids of the peer's device that follow another history than the one that is held here. */
export function claimsOn(peer: Uint8Array, { team, replica }: Space): VectorEntry[] {
  return replica.misfit.contested().filter(({ replicaId }) => {
    const device = team.device(replicaId)
    return device !== undefined && device.closedAfter === undefined && equalBytes(device.signKey, peer)
  })
}

export function forkError({ replicaId, seq }: VectorEntry, text: string): BlazeError {
  return new BlazeError('FORKED', text, { details: { seq, replicaId: toHex(replicaId) } })
}

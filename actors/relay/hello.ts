/** What this side says of itself when a stream opens (REPLICATION §3). Invariant: a misfit shows an empty vector. */
import type { CryptoProvider, Env } from '../../runtime/index.ts'
import { vectorDigest } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import type { RelayHello } from './message.ts'

export function helloOf(
  { replica, team }: Space,
  peer: Uint8Array,
  { env, crypto }: { env: Env; crypto: CryptoProvider },
): RelayHello {
  const { rebase } = replica.misfit
  return {
    incarnation: replica.incarnation,
    lastArrival: replica.lastArrival,
    cursor: replica.cursor(peer),
    vectorDigest: rebase === undefined ? replica.vectorDigest() : vectorDigest(new Map(), crypto),
    teamDigest: team.digest,
    clockMs: env.now(),
    ...(rebase === undefined ? {} : { rebasing: true }),
  }
}

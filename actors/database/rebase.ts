/**
 * The keyed half of a rebase: a device leaves its replica id for a new one, and makes its abandoned writes again with the plaintext that
 * was in them, byte for byte (REPLICATION rule 22). Invariant: nothing is decoded, merged or stamped here, so a copy joined with its
 * original is the original.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import type { RebaseOrder, RebaseReason, Replica, RowRange } from '../replica/index.ts'
import type { DatabaseIdentity, IdentityPatch } from './identity.ts'
import type { Keyring } from './keyring.ts'
import type { DatabaseRequest } from './message.ts'

export interface LeaveOptions {
  readonly env: Env
  readonly reason: RebaseReason
  /** The last seq of the id that all its branches share. Of a backup: the last own seq in it. 0 is always right, and costs most. */
  readonly forkPoint: number
  /** The id to leave; default the present one. */
  readonly replicaId?: Uint8Array
}

/**
 * What the header has to say before a misfit is opened: a new replica id that succeeds the old one. The opening after
 * it does the rest: with a supervisor the database is `rebasing` until a whole round came, without one it verifies itself and is ready.
 */
export function leaveReplica(identity: DatabaseIdentity, options: LeaveOptions): IdentityPatch {
  const { env, reason, forkPoint, replicaId = identity.replica } = options
  const left = { replicaId, forkPoint }
  return {
    replica: env.entropy(8),
    replicaN: identity.replicaN + 1,
    predecessor: left,
    rebase: { reason, left },
  }
}

/** Makes again what was abandoned. Resolves when all is synced and the rebase waits for a round, or is over because there is no peer. */
export async function reissueAll(
  replica: Replica,
  keyring: Keyring,
  own: { readonly replicaId: Uint8Array; readonly hasPeers: boolean },
): Promise<void> {
  const { misfit } = replica
  const order: RebaseOrder | undefined = misfit.rebase
  if (order === undefined || misfit.rebase?.step !== 'reissue') return
  const { keyId } = keyring
  let after: Uint8Array | undefined
  for (;;) {
    const page = await replica.scan(after, limits.reissuedTagsMax)
    after = page.at(-1)?.tag
    if (after === undefined) break
    await misfit.reissue(
      page.map(({ tag }) => tag),
      (envelope) => {
        const opened = keyring.open(envelope)
        // Nobody has ever been able to show it; it stays, as what is held for good stays.
        if (opened.kind !== 'open') return undefined
        const { replicaId } = own
        const { plain } = opened
        return {
          keyId,
          seal: (header, sealNumber) =>
            keyring.seal({ keyId, replicaId, bootId: replica.incarnation, sealNumber, header, plain }),
        }
      },
    )
  }
  // Whose rows were put in order has been verified by that.
  if (!own.hasPeers && order.reason === 'forked') await replica.verify()
  await misfit.reissued({ alone: !own.hasPeers })
}

const WRITES: ReadonlySet<DatabaseRequest['type']> = new Set<DatabaseRequest['type']>([
  'record.write',
  'record.delete',
  'mirror.import',
  'guest.write',
])
/** They show nothing of the records. */
const ALWAYS: ReadonlySet<DatabaseRequest['type']> = new Set<DatabaseRequest['type']>([
  'database.settle',
  'database.flush',
])

/**
 * Why a request has to come again later: a misfit writes nothing, and one that lost rows would not know what it shows. What this lets
 * through and writes all the same is refused by the replica.
 */
export function refusedBy(
  rebase: RebaseOrder | undefined,
  type: DatabaseRequest['type'],
): BlazeError | undefined {
  if (rebase === undefined || ALWAYS.has(type)) return undefined
  if (rebase.reason !== 'damaged' && !WRITES.has(type)) return undefined
  const why = {
    forked: 'it is an older copy of a directory that went on elsewhere',
    damaged: 'rows of it were lost',
    restored: 'it comes from a backup',
  }[rebase.reason]
  return new BlazeError(
    'REBASING',
    `this database takes one whole round from its supervisor before it may be used: ${why}`,
    { details: { reason: rebase.reason } },
  )
}

/** Pages of indexes, which are made from arrivals; the definitions behind them stay. */
export const derivedRows: readonly RowRange[] = [
  { gte: Uint8Array.of(0x78), lt: Uint8Array.of(0x79, 0xff, 0xff) },
]

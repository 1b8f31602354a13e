/**
 * Shares one database with the other apps of an app group: listens, lets guests in, and hands every commit to them.
 * Invariant: nothing that goes wrong here reaches the database; every guest is served under the terms of this moment.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { CryptoProvider, Env, Ref, System } from '../../../runtime/index.ts'
import type { Transport } from '../../../transports/index.ts'
import type { Database } from '../../database/index.ts'
import type { AppGroup, AppIdentity } from '../group/index.ts'
import type { ExportPolicy } from '../policy/index.ts'
import type { GuestStatus } from './guest.ts'
import { ShareKeeper } from './share-keeper.ts'
import type { ShareMessage } from './share-keeper.ts'
import type { Grants } from './share-terms.ts'

export interface ShareOptions {
  readonly database: Database
  readonly world: {
    readonly system: System
    readonly env: Env
    readonly crypto: CryptoProvider
    readonly local: Transport
    /** Of this process, for other apps to see. */
    readonly pid: number
    isRunning(pid: number): boolean
  }
  readonly group: AppGroup
  /** Who shares. */
  readonly app: AppIdentity
  readonly policy: ExportPolicy
  /** Undefined: every app of the group may come in. */
  readonly grants: Grants | undefined
  /** Called after the status changed. Must not throw. */
  readonly report?: () => void
}

export interface ShareStatus {
  readonly state: 'opening' | 'listening' | 'failed' | 'stopped'
  /** Why it does not listen, or why others cannot see that it does. */
  readonly error: BlazeError | undefined
  /** In hexadecimal. */
  readonly policyVersion: string
  readonly guests: readonly GuestStatus[]
}

export interface Share {
  /**
   * Settles with the first listening. `ALREADY_OPEN` (`details.pid` of who does, where known) when a database of this name is
   * shared in the group already, `UNSAFE_DIRECTORY`, `CLOSED` when it was stopped first.
   */
  readonly started: Promise<void>
  /** Holds from now on, also for what guests have open and on its way. */
  setPolicy(policy: ExportPolicy, grants: Grants | undefined): void
  status(): ShareStatus
  /** Says goodbye to all guests; resolves when nothing is left. Idempotent. */
  stop(): Promise<void>
}

export function startShare(options: ShareOptions): Share {
  const keeper = new ShareKeeper(options)
  const ref = spawn(options, keeper)
  return {
    started: keeper.started,
    setPolicy: (policy, grants) => keeper.setTerms(policy, grants),
    status: () => ({ ...keeper.status(), ...(ref.alive ? {} : { state: 'stopped' }) }),
    stop: async () => {
      await ref.stop()
      keeper.stopped()
    },
  }
}

function spawn(options: ShareOptions, keeper: ShareKeeper): Ref<ShareMessage> {
  const behaviour = keeper.behaviour()
  const base = `share ${options.database.name.replaceAll('/', '_').slice(0, 100)}`
  // A database may be shared in several groups.
  for (let n = 1; ; n += 1) {
    try {
      const name = n === 1 ? base : `${base} ${n}`
      return options.world.system.spawn({ name, behaviour, restart: 'transient' })
    } catch (error) {
      if (!(error instanceof BlazeError && error.code === 'NAME_TAKEN')) throw error
    }
  }
}

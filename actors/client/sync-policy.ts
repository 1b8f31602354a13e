/** What a database allows its supervisor. In this version there is one choice: it is blind. */
import { BlazeError, isPlainObject } from '../../runtime/index.ts'

export interface SyncPolicyOptions {
  /** `e2eOnly`: the supervisor stores and forwards what it cannot read. `smartProxy` is not in this version. */
  readonly encryption?: 'e2eOnly' | 'smartProxy'
}

export class SyncPolicy {
  readonly encryption = 'e2eOnly' as const

  /** Throws `NOT_SUPPORTED` for `smartProxy`, `TypeError` for anything else that is not `e2eOnly`. */
  constructor(options: SyncPolicyOptions = {}) {
    if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
    const { encryption = 'e2eOnly' }: SyncPolicyOptions = options
    if (encryption === 'smartProxy') {
      throw new BlazeError('NOT_SUPPORTED', 'encryption smartProxy is not in this version; use e2eOnly')
    }
    if (encryption !== 'e2eOnly')
      throw new TypeError(`encryption: expected 'e2eOnly', got ${String(encryption)}`)
  }
}

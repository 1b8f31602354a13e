/** How a database is opened, as applications say it. Invariant: `checkOptions` has seen options before anything is touched. */
import { BlazeError, isPlainObject, limits } from '../../runtime/index.ts'
import type { Durability, KdfProfile, Secret } from '../database/index.ts'
import { checkWait } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'
import { checkSecret } from './secret.ts'

export interface OpenOptions extends WaitOptions {
  /** What people call it; up to 128 characters. */
  readonly name: string
  /** A directory; made when it is not there. */
  readonly at: string
  /** Either this, or `key`. */
  readonly password?: string
  /** 32 secret bytes instead of a password. */
  readonly key?: Uint8Array
  /** Cost of the password's derivation in a new directory; `small` (N = 2^15) for machines with little memory. */
  readonly kdf?: KdfProfile
  /**
   * When a write resolves. `synced`, the default: when it is on the disk. `relaxed`: when it is on its way there; a failing disk or a
   * power cut may lose the last ones, and `flush` says when there are none. Nobody else is shown anything before it is synced.
   */
  readonly durability?: Durability
  /** Resume sync if it was enabled. Default true. */
  readonly sync?: boolean
  /** Attaching to another process is not in this version; false says that this is expected. */
  readonly attach?: boolean
}

export interface JoinOptions extends Omit<OpenOptions, 'sync' | 'attach'> {
  /** The URL that `invite` gave to a member. */
  readonly invite: string
}

/** `TypeError`, and `NOT_SUPPORTED` for `attach: true`. */
export function checkOptions(options: OpenOptions): {
  name: string
  at: string
  secret: Secret
  kdf: KdfProfile | undefined
  durability: Durability | undefined
} {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  checkWait(options)
  const { name, at, password, key, kdf, durability, attach, sync } = options
  if (typeof name !== 'string' || name.length === 0 || name.length > limits.openNameCharsMax) {
    throw new TypeError(`name: expected text of 1 to ${limits.openNameCharsMax} characters`)
  }
  if (typeof at !== 'string' || at.length === 0) throw new TypeError('at: expected the path of a directory')
  if (kdf !== undefined && kdf !== 'standard' && kdf !== 'small') {
    throw new TypeError("kdf: expected 'standard' or 'small'")
  }
  if (attach !== undefined && typeof attach !== 'boolean')
    throw new TypeError('attach: expected true or false')
  if (sync !== undefined && typeof sync !== 'boolean') throw new TypeError('sync: expected true or false')
  if (attach === true) throw new BlazeError('NOT_SUPPORTED', 'attach: true is not in this version')
  if (durability !== undefined && durability !== 'synced' && durability !== 'relaxed') {
    throw new TypeError("durability: expected 'synced' or 'relaxed'")
  }
  return { name, at, secret: checkSecret(password, key), kdf, durability }
}

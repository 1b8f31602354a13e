/** `changePassword` of a client. Invariant: options are checked before anything is derived. */
import { isPlainObject } from '../../../runtime/index.ts'
import type { Database, KdfProfile } from '../../database/index.ts'
import { boundedWrite } from '../deadline.ts'
import type { WaitOptions } from '../deadline.ts'
import { secretOf } from '../secret.ts'

/** Text is a password. */
export type SecretOption = string | { readonly password: string } | { readonly key: Uint8Array }

export interface ChangePasswordOptions extends WaitOptions {
  /** What opens the database now. */
  readonly from: SecretOption
  readonly to: SecretOption
  /** Cost of the new password's derivation; default: that of the old one, `standard` after a key. */
  readonly kdf?: KdfProfile
}

export async function changePassword(database: Database, options: ChangePasswordOptions): Promise<void> {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { from, to, kdf } = options
  if (kdf !== undefined && kdf !== 'standard' && kdf !== 'small') {
    throw new TypeError("kdf: expected 'standard' or 'small'")
  }
  const change = { from: secretOf(from, 'from'), to: secretOf(to, 'to'), kdf }
  await boundedWrite(database.env, 'changePassword', options, () => database.changeSecret(change))
}

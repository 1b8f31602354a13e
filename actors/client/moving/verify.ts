/** `verify` of a client. Invariant: options are checked before anything is read. */
import { isPlainObject } from '../../../runtime/index.ts'
import { verifyDatabase } from '../../database/index.ts'
import type { Database, DatabaseVerifyProgress, DatabaseVerifyReport } from '../../database/index.ts'
import type { WaitOptions } from '../deadline.ts'
import { checkProgress, stoppable } from './stoppable.ts'

export interface VerifyOptions extends WaitOptions {
  readonly onProgress?: (progress: DatabaseVerifyProgress) => void
}

export async function verify(database: Database, options: VerifyOptions): Promise<DatabaseVerifyReport> {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { onProgress }: VerifyOptions = options
  checkProgress(onProgress)
  return stoppable(database.env, 'verify', options, (signal) =>
    verifyDatabase(database, { signal, onProgress }),
  )
}

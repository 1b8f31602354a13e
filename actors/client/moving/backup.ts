/** Backups as applications make and restore them. Invariant: options are checked before anything is read or written. */
import { isPlainObject } from '../../../runtime/index.ts'
import { restoreBackup, writeBackup } from '../../database/index.ts'
import type { BackupProgress, BackupReport, Database, RestoreProgress, Secret } from '../../database/index.ts'
import type { WaitOptions } from '../deadline.ts'
import { checkSecret } from '../secret.ts'
import type { World } from '../world.ts'
import { checkPath, checkProgress, stoppable } from './stoppable.ts'

export interface BackupOptions extends WaitOptions {
  /** Opens the backup instead of what opens the database now. */
  readonly password?: string
  readonly key?: Uint8Array
  /** Called every few hundred records. */
  readonly onProgress?: (progress: BackupProgress) => void
}

export interface RestoreOptions extends WaitOptions {
  /** The file that `backup` made. */
  readonly from: string
  /** What people call the database. */
  readonly name: string
  /** An empty directory, or one that is not there yet. */
  readonly at: string
  /** What opened the database when the backup was made, or what the backup was given. It opens the restored database too. */
  readonly password?: string
  readonly key?: Uint8Array
  /** Resume sync if it was enabled. Default true. */
  readonly sync?: boolean
  readonly onProgress?: (progress: RestoreProgress) => void
}

export async function backup(
  { env, crypto, files }: World,
  database: Database,
  path: string,
  options: BackupOptions,
): Promise<BackupReport> {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { password, key, onProgress }: BackupOptions = options
  checkPath(path, 'path')
  checkProgress(onProgress)
  const secret = password === undefined && key === undefined ? undefined : checkSecret(password, key)
  return stoppable(env, 'backup', options, async (signal) => {
    const { header, space } = await database.settled()
    const parts = { env, crypto, header, replica: space.replica, files }
    return writeBackup(parts, { path, secret, signal, onProgress })
  })
}

/** Resolves when the directory is a database that may be opened. */
export async function restore(world: World, secret: Secret, options: RestoreOptions): Promise<void> {
  const { env, crypto, files } = world
  const { at, onProgress } = options
  const from = checkPath(options.from, 'from')
  checkProgress(onProgress)
  await stoppable(env, 'restore', options, async (signal) => {
    const source = await files.open(from)
    try {
      await restoreBackup({ env, crypto, source, volume: world.volume(at) }, { secret, signal, onProgress })
    } finally {
      await source.close()
    }
  })
}

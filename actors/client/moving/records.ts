/** Export and import as applications call them. Invariant: options are checked before anything is read or written. */
import { isPlainObject, limits } from '../../../runtime/index.ts'
import { exportRecords, importRecords, openCollectionProblem } from '../../database/index.ts'
import type {
  Database,
  ExportProgress,
  ExportReport,
  ImportProgress,
  ImportReport,
  Large,
} from '../../database/index.ts'
import type { FilePort, FileSink } from '../../replica/index.ts'
import type { WaitOptions } from '../deadline.ts'
import type { World } from '../world.ts'
import { checkPath, checkProgress, stoppable } from './stoppable.ts'
import { isReadable, isWritable, readerOf, writeInto } from './stream-port.ts'
import type { ReadableSource, WritableTarget } from './stream-port.ts'

export interface ExportOptions extends WaitOptions {
  /** Default: all. */
  readonly collections?: readonly string[]
  /** Called every few hundred records. */
  readonly onProgress?: (progress: ExportProgress) => void
}

export interface ImportOptions extends WaitOptions {
  /** Takes lines that are plain objects, with or without an `id`; lines that `export` wrote name their own. */
  readonly collection?: string
  /** `insert` (default) refuses ids that are there with `RECORD_EXISTS`; `put` replaces them, and may be run again. */
  readonly mode?: 'insert' | 'put'
  readonly onProgress?: (progress: ImportProgress) => void
}

/** A file is there when the export was whole; a stream is written to, and not ended. */
export async function exportTo(
  { env, crypto, files }: World,
  database: Database,
  target: string | WritableTarget,
  options: ExportOptions,
): Promise<ExportReport> {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { collections, onProgress }: ExportOptions = options
  if (collections !== undefined && !Array.isArray(collections)) {
    throw new TypeError('collections: expected an array of names')
  }
  for (const name of collections ?? []) checkName(name, 'collections')
  checkProgress(onProgress)
  const wanted = collections && new Set<string>(collections)
  return stoppable(env, 'export', options, (signal) => {
    const work = async (sink: Pick<FileSink, 'write'>): Promise<ExportReport> => {
      const open = await database.settled()
      const readLarge = (large: Large): Promise<Uint8Array | undefined> =>
        database.request((reply) => ({ type: 'large.read', large, reply }))
      return exportRecords(
        { env, crypto, open, sink, readLarge },
        { collections: wanted, signal, onProgress },
      )
    }
    return isWritable(target)
      ? writeInto(target, signal, work)
      : writeFile(files, checkPath(target, 'target'), work)
  })
}

export async function importFrom(
  { env, files }: World,
  database: Database,
  from: string | ReadableSource,
  options: ImportOptions,
): Promise<ImportReport> {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { collection, mode = 'insert', onProgress }: ImportOptions = options
  if (collection !== undefined) checkName(collection, 'collection')
  if (mode !== 'insert' && mode !== 'put') throw new TypeError("mode: expected 'insert' or 'put'")
  checkProgress(onProgress)
  const request = database.request.bind(database)
  return stoppable(env, 'import', options, async (signal) => {
    const settings = { collection, mode, signal, onProgress }
    if (isReadable(from)) {
      return importRecords(
        { env, request, read: readerOf(from, signal) },
        { ...settings, bytesExpected: undefined },
      )
    }
    const source = await files.open(checkPath(from, 'from'))
    try {
      const read = (): Promise<Uint8Array> => source.read(limits.movingPieceBytes)
      return await importRecords({ env, request, read }, { ...settings, bytesExpected: source.sizeBytes })
    } finally {
      await source.close()
    }
  })
}

async function writeFile<T>(files: FilePort, path: string, work: (sink: FileSink) => Promise<T>): Promise<T> {
  const sink = await files.create(path)
  try {
    const result = await work(sink)
    await sink.finish()
    return result
  } finally {
    await sink.discard()
  }
}

function checkName(name: unknown, option: string): void {
  const problem = typeof name === 'string' ? openCollectionProblem(name) : 'expected text'
  if (problem !== undefined) throw new TypeError(`${option}: ${problem}`)
}

/**
 * Directories of killed processes, for specs that damage their files: made once, copied for each damage, opened in a process of its own.
 * Invariant: what the writer printed was acknowledged; nothing but the kill ended it.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDirectoryVolume, openReplica } from '../../../actors/replica/index.ts'
import { BlazeError, createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { authority, device, spaceId, textOf } from './replica-world.ts'
import { tagOfWrite } from './write-plan.ts'
import { loaderArgs } from '../../../scripts/typescript/loader.ts'

const writerProgram = fileURLToPath(new URL('./write-load.ts', import.meta.url))

export interface KilledStore {
  /** The volume; its store is named `replica`. */
  readonly at: string
  /** Numbers of the writes that were acknowledged. */
  readonly acknowledged: readonly number[]
  /** Code of the error of a write, when it was that what ended the writer. */
  readonly failed: string | undefined
}

export interface KillOptions {
  /** Of each write; more of them fill tables. */
  readonly bodyBytes?: number
  /** A program that runs the writer. */
  readonly wrapper?: readonly string[]
}

/** Runs the writer until it has acknowledged so many writes, and kills it. */
export async function killedStore(
  at: string,
  writes: number,
  { bodyBytes = 0, wrapper = [] }: KillOptions = {},
): Promise<KilledStore> {
  const writerArgs = [...loaderArgs(), writerProgram, at, `${bodyBytes}`]
  const [program = '', ...args] = [...wrapper, process.execPath, ...writerArgs]
  const writer = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  writer.stdout.setEncoding('utf8')
  writer.stdout.on('data', (text: string) => {
    out += text
    if (out.split('\n').length > writes) writer.kill('SIGKILL')
  })
  await new Promise((resolve) => writer.on('close', resolve))
  // A line that was cut by the kill is no acknowledgement.
  const lines = out.slice(0, out.lastIndexOf('\n')).split('\n')
  const failed = lines.find((line) => line.startsWith('failed '))?.slice('failed '.length)
  return { at, acknowledged: lines.filter((line) => /^\d+$/.test(line)).map(Number), failed }
}

export type Verdict = 'whole' | 'damaged' | 'lost' | 'wrong'

/**
 * Opens a copy and looks for every acknowledged write. `damaged`: said so, with a code, at the opening, by a pass or at a read.
 * `lost`: an acknowledged write is missing and nothing said so. `wrong`: another value is there.
 */
export async function judge({ at, acknowledged }: KilledStore): Promise<Verdict> {
  try {
    const store = await createDirectoryVolume(at).openStore('replica')
    try {
      const env = createNodeEnv()
      const options = { store, spaceId, env, crypto: nodeCrypto, authority: authority(), own: device(1) }
      const replica = await openReplica(options)
      if ((await replica.verify()).count > 0) return 'damaged'
      const newest = replica.lastOwnSeq
      if (newest < Math.max(...acknowledged)) return 'lost'
      for (let n = 1; n <= newest; n += 1) {
        const last = n % 3 === 2 && n < newest ? n + 1 : n
        const found = replica
          .live(tagOfWrite(n))
          .map((envelope) => textOf(envelope).trim())
          .join()
        if (found !== `${last}`) return found === '' ? 'lost' : 'wrong'
      }
      await replica.close()
      return 'whole'
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof BlazeError && (error.code === 'DAMAGED' || error.details['damaged'] === true))
      return 'damaged'
    throw error
  }
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'blazedb-killed-'))
}

export function copyOf(store: KilledStore, to: string): KilledStore {
  rmSync(to, { recursive: true, force: true })
  cpSync(store.at, to, { recursive: true })
  return { ...store, at: to }
}

/** Names of the files of LevelDB that match, in order. */
export function filesOf({ at }: KilledStore, name: RegExp): string[] {
  return readdirSync(join(at, 'replica'))
    .filter((file) => name.test(file))
    .sort()
    .map((file) => join(at, 'replica', file))
}

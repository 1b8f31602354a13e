/** Real directories for app groups, removed at the end, and the codes of what is refused. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { createDirectoryVolume } from '../../../../actors/replica/index.ts'
import type { Volume } from '../../../../actors/replica/index.ts'
import { openAppGroup } from '../../../../actors/topology/group/index.ts'
import type { AppGroup } from '../../../../actors/topology/group/index.ts'
import { BlazeError, createNodeEnv, nodeCrypto } from '../../../../runtime/index.ts'
import type { Env } from '../../../../runtime/index.ts'

export const env: Env = createNodeEnv()

/** A place where a group may be made, and a hand on its files. */
export class Place {
  readonly parent: string = mkdtempSync(join(tmpdir(), 'blazedb-group-'))
  readonly directory: string = join(this.parent, 'group')

  at(file: string): string {
    return join(this.directory, file)
  }

  open(id = 'desk', volume: (at: string) => Volume = createDirectoryVolume): Promise<AppGroup> {
    return openAppGroup({ volume, env, crypto: nodeCrypto }, { id, directory: this.directory })
  }

  /** A directory as a user would make it by hand. */
  make(mode = 0o700): void {
    mkdirSync(this.directory)
    chmodSync(this.directory, mode)
  }

  text(file: string): string {
    return readFileSync(this.at(file), 'utf8')
  }

  write(file: string, content: string | Uint8Array): void {
    writeFileSync(this.at(file), content, { mode: 0o600 })
  }

  remove(): void {
    rmSync(this.parent, { recursive: true, force: true })
  }
}

/** Runs with a place that is gone afterwards. */
export function withPlace(work: (place: Place) => Promise<void>): () => Promise<void> {
  return async () => {
    const place = new Place()
    try {
      await work(place)
    } finally {
      place.remove()
    }
  }
}

/** The code of a refusal, and that its message names `says`. */
export async function refusal(promise: Promise<unknown>, says = ''): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof TypeError) return 'TypeError'
    if (!(error instanceof BlazeError)) throw error
    assert.ok(error.message.includes(says), `${error.code}: ${error.message} (expected ${says})`)
    return error.code
  }
  return 'ok'
}

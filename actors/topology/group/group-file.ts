/**
 * The files of an app group, read and written with suspicion.
 * Invariant: a file is made whole and once, by whoever is first; what another process made is checked like anything else.
 */
import { BlazeError, isPlainObject } from '../../../runtime/index.ts'
import type { Volume } from '../../replica/index.ts'

/** Version of every JSON file of a group. */
const VERSION = 1

export type GroupJson = { readonly [name: string]: unknown }

export class GroupFiles {
  readonly volume: Volume

  constructor(volume: Volume) {
    this.volume = volume
  }

  /** Undefined when there is none. `DAMAGED` for another length, `UNSAFE_DIRECTORY` when others may read it. */
  async readSecret(name: string, bytes: number): Promise<Uint8Array | undefined> {
    const found = await this.volume.readPrivate(name)
    if (found !== undefined && found.length !== bytes) {
      throw this.damaged(name, `it has ${found.length} bytes instead of ${bytes}`)
    }
    return found
  }

  /** What stands there in the end: `bytes`, or what another process was faster to write. */
  async createSecret(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    if (await this.volume.createFile(name, bytes)) return bytes
    const found = await this.readSecret(name, bytes.length)
    if (found === undefined) throw this.damaged(name, 'it was removed while it was made')
    return found
  }

  /** Undefined when there is none. `DAMAGED` for anything but a JSON object, `BAD_CONFIG` for one of another version. */
  async readJson(name: string): Promise<GroupJson | undefined> {
    const bytes = await this.volume.readPrivate(name)
    if (bytes === undefined) return undefined
    const json = this.#parse(name, bytes)
    if (json['version'] !== VERSION) {
      throw new BlazeError(
        'BAD_CONFIG',
        `${this.#at(name)}: expected version ${VERSION}; another version of BlazeDB wrote it, use that one for all apps of the group`,
      )
    }
    return json
  }

  /** What stands there in the end, as `createSecret`. */
  async createJson(name: string, json: GroupJson): Promise<GroupJson> {
    if (await this.volume.createFile(name, encodeJson(json))) return json
    const found = await this.readJson(name)
    if (found === undefined) throw this.damaged(name, 'it was removed while it was made')
    return found
  }

  writeJson(name: string, json: GroupJson): Promise<void> {
    return this.volume.writeFile(name, encodeJson(json))
  }

  /** The error that names a file and what to do. */
  damaged(name: string, problem: string): BlazeError {
    return new BlazeError('DAMAGED', `${this.#at(name)}: ${problem}; restore it, or remove the app group`, {
      details: { file: this.#at(name) },
    })
  }

  #parse(name: string, bytes: Uint8Array): GroupJson {
    try {
      const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
      if (isPlainObject(json)) return json
    } catch (error) {
      // Of the decoder and the parser.
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error
    }
    throw this.damaged(name, 'it is no JSON object')
  }

  #at(name: string): string {
    return `${this.volume.at}/${name}`
  }
}

function encodeJson(json: GroupJson): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ version: VERSION, ...json })}\n`)
}

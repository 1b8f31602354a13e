/** Reads the public vectors that lie beside the checkout. A missing folder is said aloud, never passed over in silence. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../../../../shared/vectors/', import.meta.url)

/** The parsed file, or undefined after printing a line `SKIPPED: …`. */
export function readSharedVectors<File>(name: string): File | undefined {
  const path = fileURLToPath(new URL(name, folder))
  if (!existsSync(path)) {
    console.log(`SKIPPED: the public vectors ${name} are not beside this checkout (../shared/vectors)`)
    return undefined
  }
  return JSON.parse(readFileSync(path, 'utf8')) as File
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

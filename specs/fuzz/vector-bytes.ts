/** Frozen encodings out of `specs/vectors`, as seeds. Invariant: a name that is not there is a mistake. */
import { readFileSync } from 'node:fs'

/** `path` as in `outputs.entries.create`. */
export function vectorBytes(file: string, path: string): Uint8Array {
  return Uint8Array.from(Buffer.from(vectorText(file, path), 'hex'))
}

export function vectorText(file: string, path: string): string {
  const url = new URL(`../vectors/${file}.json`, import.meta.url)
  let found: unknown = JSON.parse(readFileSync(url, 'utf8'))
  for (const name of path.split('.')) found = (found as Record<string, unknown> | undefined)?.[name]
  if (typeof found !== 'string') throw new Error(`${file}.json has no text at ${path}`)
  return found
}

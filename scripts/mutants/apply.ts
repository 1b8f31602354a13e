/**
 * Applies a unified diff of this folder to a tree, by its lines and not by their numbers. One that the campaign cannot find says why in
 * lines that begin with `# `.
 * Invariant: every hunk is found exactly once, or nothing is changed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Hunk {
  readonly before: string
  readonly after: string
}

export interface Patched {
  readonly path: string
  readonly before: string
  readonly after: string
}

/** The files as they would be. Throws an `Error` that names the hunk when the patch does not fit the tree. */
export function patched(patch: string, root: string): Patched[] {
  return filesOf(patch).map(({ path, hunks }) => {
    const before = readFileSync(join(root, path), 'utf8')
    let after = before
    for (const [at, hunk] of hunks.entries()) {
      const places = after.split(hunk.before).length - 1
      if (places !== 1) throw new Error(`hunk ${at + 1} of ${path} fits ${places} places`)
      after = after.split(hunk.before).join(hunk.after)
    }
    return { path, before, after }
  })
}

/** Why the campaign cannot find it; empty when it should. */
export function reasonToSurvive(patch: string): string {
  const lines = patch.split('\n').filter((line) => line.startsWith('# '))
  return lines.map((line) => line.slice('# '.length)).join(' ')
}

export function write(files: readonly Patched[], root: string, which: 'before' | 'after'): void {
  for (const file of files) writeFileSync(join(root, file.path), file[which])
}

function filesOf(patch: string): { path: string; hunks: Hunk[] }[] {
  const files: { path: string; hunks: { before: string; after: string }[] }[] = []
  for (const line of patch.split('\n').slice(0, -1)) {
    const file = files.at(-1)
    const hunk = file?.hunks.at(-1)
    if (line.startsWith('--- ') || line.startsWith('# ')) continue
    if (line.startsWith('+++ b/')) files.push({ path: line.slice('+++ b/'.length), hunks: [] })
    else if (line.startsWith('@@')) file?.hunks.push({ before: '', after: '' })
    else if (hunk === undefined) throw new Error(`a line before any hunk: ${line}`)
    else if (line.startsWith('+')) hunk.after += `${line.slice(1)}\n`
    else if (line.startsWith('-')) hunk.before += `${line.slice(1)}\n`
    else {
      hunk.before += `${line.slice(1)}\n`
      hunk.after += `${line.slice(1)}\n`
    }
  }
  if (files.length === 0) throw new Error('no file in it')
  return files
}

/**
 * Transpiles every TypeScript file of a tree once, for many processes that run it under the names it has there.
 *
 * Invariant: what runs is what the tree held when the call was made; nothing is kept for a later run.
 */
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const folders = ['runtime', 'transports', 'actors', 'server', 'specs', 'scripts', 'examples']

export interface Transpiled {
  /** To be preloaded: the URL of a module that hands transpiled modules to Node. */
  readonly loader: string
  close(): void
}

export async function transpile(root: string): Promise<Transpiled> {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-transpiled-'))
  // Some processes run as another user.
  chmodSync(directory, 0o755)
  const close = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    const entryPoints = folders.flatMap((folder) => typescriptBelow(join(root, folder)))
    const output = { outdir: directory, outbase: root, sourcemap: 'inline', sourcesContent: false } as const
    await build({
      entryPoints,
      bundle: false,
      format: 'esm',
      target: 'node20',
      logLevel: 'silent',
      ...output,
    })
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }\n')
    writeFileSync(join(directory, 'root.json'), JSON.stringify(pathToFileURL(`${root}/`).href))
  } catch (error) {
    close()
    throw error
  }
  return { loader: pathToFileURL(join(directory, 'scripts/typescript/preload.js')).href, close }
}

function typescriptBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

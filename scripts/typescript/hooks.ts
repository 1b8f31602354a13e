/** The hooks of Node's module loader that read modules from the transpiled tree in which this file is. */
import { readFileSync } from 'node:fs'
import type { LoadHook } from 'node:module'

const transpiled = new URL('../../', import.meta.url)
const root = String(JSON.parse(readFileSync(new URL('root.json', transpiled), 'utf8')))

export const load: LoadHook = (url, context, nextLoad) => {
  if (!url.startsWith(root) || !url.endsWith('.ts')) return nextLoad(url, context)
  const path = new URL(`${url.slice(root.length, -'.ts'.length)}.js`, transpiled)
  return { format: 'module', source: readFileSync(path), shortCircuit: true }
}

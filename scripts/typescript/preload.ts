/** Preloaded from a transpiled tree: Node reads that tree instead of the TypeScript of the repository. */
import { register } from 'node:module'

register('./hooks.js', import.meta.url)

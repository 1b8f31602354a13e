/**
 * How Node runs the TypeScript of this repository: through tsx, or, below a run that has transpiled the whole tree beforehand, from what
 * that made of it. Half a second of CPU for each of many processes.
 */

/** Names the module to preload, in the environment of all processes below such a run. */
export const loaderVariable = 'BLAZEDB_LOADER'

/** Arguments of Node for a process of this environment that runs modules of this repository. */
export function loaderArgs(environment: NodeJS.ProcessEnv = process.env): string[] {
  const loader = environment[loaderVariable]
  return loader === undefined
    ? ['--import', import.meta.resolve('tsx')]
    : ['--enable-source-maps', '--import', loader]
}

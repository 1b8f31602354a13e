/**
 * The rules of the house that no linter option can say: which file may import which foreign library, who may
 * read the process, how files are named and how they begin.
 *
 * Invariant: a rule looks at one file's path and text only, so that a spec can show each rule refusing.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Problem {
  readonly path: string
  /** 1-based. */
  readonly line: number
  readonly message: string
}

/** The four layers; specs, scripts and examples may import anything. */
const layers = /^(runtime|transports|actors|server)\//

/** Each foreign library has a home, so that replacing it touches one place. */
const homes: readonly { library: RegExp; home: RegExp; say: string }[] = [
  { library: /^xstate(\/|$)/, home: /(^|\/)machine\.ts$/, say: 'files named machine.ts' },
  {
    library: /^classic-level$/,
    home: /^actors\/replica\/disk\/level-store\.ts$/,
    say: 'actors/replica/disk/level-store.ts',
  },
  { library: /^@noble\//, home: /^runtime\/crypto\//, say: 'runtime/crypto/' },
  { library: /^(node:)?crypto$/, home: /^runtime\/crypto\//, say: 'runtime/crypto/' },
  { library: /^cborg(\/|$)/, home: /^specs\//, say: 'specs/' },
  { library: /^(node:)?(net|tls|dgram)$/, home: /^transports\//, say: 'transports/' },
  { library: /^(fastify|pino|commander|smol-toml|zod)(\/|$)/, home: /^server\//, say: 'server/' },
  {
    library: /^(node:)?(fs|child_process|http|https)(\/|$)/,
    home: /^(transports|actors|server)\//,
    say: 'the layers above runtime',
  },
  {
    library: /^(node:)?(timers|perf_hooks)(\/|$)/,
    home: /^runtime\/(env|simulation)\.ts$/,
    say: 'runtime/env.ts',
  },
]

const vagueNames = /^(utils?|helpers?|common|types?|managers?|misc)$/

/** Checks one file. `path` is relative to the root, with forward slashes. */
export function checkFile(path: string, text: string): Problem[] {
  const problems: Problem[] = []
  const code = withoutComments(text)
  const report = (index: number, message: string): void => {
    problems.push({ path, line: text.slice(0, index).split('\n').length, message })
  }

  checkName(path, (message) => report(0, message))
  if (!/^(#!.*\n)?(\/\/.*\n)*\s*\/\*\*/.test(text)) {
    report(0, 'begins without a doc comment: say the job in one sentence, then what always holds')
  }
  for (const match of code.matchAll(/^export \*/gm))
    report(match.index, 'list the exported names, no `export *`')
  if (layers.test(path)) {
    for (const found of importsOf(code))
      checkImport(path, found.name, (message) => report(found.index, message))
    checkGlobals(path, code, report)
  }
  return problems
}

/** Checks the lockfile: it must work behind any registry, so it may name none. */
export function checkLockfile(path: string, text: string): Problem[] {
  return text.split('\n').flatMap((line, index) =>
    /"resolved": "https?:/.test(line)
      ? [
          {
            path,
            line: index + 1,
            message: 'carries a download address: run npm install with the .npmrc of this repository',
          },
        ]
      : [],
  )
}

function checkName(path: string, report: (message: string) => void): void {
  const name = basename(path).replace(/(\.spec|\.d)?\.ts$/, '')
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) report('the file name is not kebab-case')
  if (name.split('-').some((word) => vagueNames.test(word)))
    report('the file name says nothing: name the noun inside')
}

function checkImport(path: string, name: string, report: (message: string) => void): void {
  for (const { library, home, say } of homes) {
    if (library.test(name) && !home.test(path)) report(`imports ${name}, which is confined to ${say}`)
  }
}

function checkGlobals(path: string, code: string, report: (index: number, message: string) => void): void {
  if (!path.startsWith('server/')) {
    for (const match of code.matchAll(/\bprocess\.(argv|env|on|once|exit|exitCode|stdout|stderr|stdin)\b/g)) {
      report(match.index, `reads process.${match[1]}: only server/ does, pass the value down`)
    }
  }
  if (path === 'runtime/env.ts' || path === 'runtime/simulation.ts') return
  for (const match of code.matchAll(
    /\bnew Date\(\s*\)|\bglobalThis\.(setTimeout|setInterval|setImmediate|performance)\b/g,
  )) {
    report(match.index, `uses ${match[0]}: take time and timers from Env`)
  }
}

/** Every module named by an import, a re-export or a dynamic import. */
function importsOf(code: string): { name: string; index: number }[] {
  const forms =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm
  return [...code.matchAll(forms)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    return { name, index: match.index + match[0].lastIndexOf(name) }
  })
}

/** Blanks comments, keeping every offset. */
function withoutComments(text: string): string {
  const blank = (found: string): string => found.replaceAll(/[^\n]/g, ' ')
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, blank).replaceAll(/(^|\s)\/\/.*$/gm, blank)
}

function checkTree(root: string): { files: number; problems: Problem[] } {
  const folders = ['runtime', 'transports', 'actors', 'server', 'specs', 'scripts', 'examples']
  const present = new Set(readdirSync(root))
  const paths = folders
    .filter((folder) => present.has(folder))
    .flatMap((folder) =>
      readdirSync(resolve(root, folder), { recursive: true, encoding: 'utf8' }).map(
        (name) => `${folder}/${name.replaceAll('\\', '/')}`,
      ),
    )
    .filter((path) => path.endsWith('.ts'))
    .sort()
  const problems = paths.flatMap((path) => checkFile(path, readFileSync(resolve(root, path), 'utf8')))
  const lockfile = checkLockfile(
    'package-lock.json',
    readFileSync(resolve(root, 'package-lock.json'), 'utf8'),
  )
  return { files: paths.length, problems: [...problems, ...lockfile] }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { files, problems } = checkTree(process.cwd())
  for (const { path, line, message } of problems) console.log(`${path}:${line}: ${message}`)
  console.log(`${files} files, ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
}

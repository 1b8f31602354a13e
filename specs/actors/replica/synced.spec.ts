/**
 * What is told to be durable was synced before it was told, on a real disk: files before they get their name, directories after, and
 * the log of the store before a batch resolves. Looked at by strace, since no power cut can be had here.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loaderArgs } from '../../../scripts/typescript/loader.ts'

const program = fileURLToPath(new URL('./synced-program.ts', import.meta.url))
const CALLS = 'trace=write,fsync,fdatasync,rename,renameat,renameat2,link,linkat'

/** One system call that has ended well. */
interface Call {
  readonly name: string
  /** Paths in it, in order. */
  readonly paths: readonly string[]
  /** Of a mark. */
  readonly mark: string | undefined
}

/** Calls in the order in which they ended; what strace shows in two lines is put together. */
function callsOf(trace: string): Call[] {
  const begun = new Map<string, string>()
  const calls: Call[] = []
  for (const line of trace.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    const [, start] = /^(.*)<unfinished \.\.\.>$/.exec(rest) ?? []
    if (start !== undefined) {
      begun.set(pid, start)
      continue
    }
    const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest) ?? []
    const whole = end === undefined ? rest : `${begun.get(pid) ?? ''}${end}`
    const [, name] = /^(\w+)\(/.exec(whole) ?? []
    if (name === undefined || / = -1 /.test(whole)) continue
    const paths = [...whole.matchAll(/[<"](\/[^>"]*)[>"]/g)].map(([, path = '']) => path)
    calls.push({ name, paths, mark: /"mark ([^"\\]*)/.exec(whole)?.[1] })
  }
  return calls
}

const at = mkdtempSync(join(tmpdir(), 'blazedb-synced-'))
const skipped = 'SKIPPED: what is synced before it is told, since there is no strace that may trace'

function traced(): Call[] | undefined {
  const data = join(at, 'data')
  mkdirSync(data)
  const out = join(at, 'trace')
  const node = [process.execPath, ...loaderArgs(), program, data]
  const run = spawnSync('strace', ['-f', '-y', '-s', '64', '-o', out, '-e', CALLS, ...node], {
    encoding: 'utf8',
  })
  if (run.error !== undefined || run.stderr.includes('ptrace')) return undefined
  assert.is(run.status, 0, run.stderr)
  return callsOf(readFileSync(out, 'utf8'))
}

const calls = traced()
rmSync(at, { recursive: true, force: true })
if (calls === undefined) console.log(skipped)

/** Those between two marks. */
function between(from: string, to: string): Call[] {
  const all = calls ?? []
  const place = (mark: string): number => all.findIndex((call) => call.mark === mark)
  assert.ok(place(from) >= 0 && place(to) > place(from), `${from} … ${to}`)
  return all.slice(place(from) + 1, place(to))
}

const isSync = ({ name }: Call): boolean => name === 'fsync' || name === 'fdatasync'

/** Where the call stands for which all of that holds. */
function placeOf(among: readonly Call[], what: string, holds: (call: Call) => boolean): number {
  const place = among.findIndex(holds)
  assert.ok(place >= 0, `${what}: ${among.map(({ name, paths }) => `${name} ${paths.join()}`).join('; ')}`)
  return place
}

for (const name of ['replaced', 'created', 'streamed']) {
  test(`a file that is ${name}: its bytes are synced before it has its name, its directory after, and then it is told`, () => {
    if (calls === undefined) return
    const before = { replaced: 'begin', created: 'replaced', streamed: 'created' }[name] ?? ''
    const among = between(before, name)
    const named = placeOf(
      among,
      'it gets its name',
      (call) => /^(rename|link)/.test(call.name) && call.paths.at(-1)?.endsWith(`/${name}`) === true,
    )
    const [source = ''] = among[named]?.paths ?? []
    const written = placeOf(
      among,
      'it is written',
      (call) => call.name === 'write' && call.paths[0] === source,
    )
    const synced = placeOf(among, 'it is synced', (call) => isSync(call) && call.paths[0] === source)
    const directory = among.findLastIndex((call) => isSync(call) && call.paths[0]?.endsWith('/data') === true)

    assert.ok(
      written < synced && synced < named && named < directory,
      `${written} ${synced} ${named} ${directory}`,
    )
  })
}

test('directories that were made for a file are synced with those in which they stand', () => {
  if (calls === undefined) return
  const among = between('new', 'begin')
  for (const directory of ['/data', '/data/above', '/data/above/below'])
    placeOf(among, directory, (call) => isSync(call) && call.paths[0]?.endsWith(directory) === true)
})

test('the log of the store is written and synced before a batch resolves, for each of them', () => {
  if (calls === undefined) return
  const isLog = (call: Call): boolean => call.paths[0]?.endsWith('.log') === true
  for (let n = 0; n < 5; n += 1) {
    const among = between(n === 0 ? 'opened' : `batch ${n - 1}`, `batch ${n}`)
    const written = placeOf(among, 'the log is written', (call) => call.name === 'write' && isLog(call))
    const synced = placeOf(among, 'the log is synced', (call) => isSync(call) && isLog(call))
    assert.ok(written < synced, `batch ${n}`)
  }
})

test('a batch that asked not to be synced is not', () => {
  if (calls === undefined) return

  assert.not.ok(between('batch 4', 'relaxed').some(isSync))
})

test.run()

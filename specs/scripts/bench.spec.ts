// time limit: 240 s
/** The benchmarks print what programs rely on, and refuse to report work that was not done. Says nothing about how fast anything is. */
import { spawn } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Latencies, openLoop } from '../../scripts/bench/load.ts'
import { makeRecords, recordBytes } from '../../scripts/bench/record.ts'
import { inTurn, median, percentile, Report } from '../../scripts/bench/report.ts'
import { makeStoreRows, rowId, rowKinds, slicesOf } from '../../scripts/bench/store-rows.ts'
import { differences, TopologyReport } from '../../scripts/bench/topology-report.ts'
import { moduleAt } from '../../scripts/process/child.ts'
import { encodeCbor } from '../../runtime/index.ts'

interface Line {
  readonly bench: string
  readonly system: string
  readonly value: number
  readonly unit: string
  readonly params: Readonly<Record<string, unknown>>
  readonly rounds?: number
  readonly round?: number
  /** Samples that a clock of two processes found below zero. */
  readonly negative?: number
}

/** `module` compiles everything and runs it, or is what is run: enough for arguments that are refused. */
function runBench(
  args: readonly string[],
  module = '../../scripts/bench',
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { path, execArgv } = moduleAt(module, import.meta.url)
  const child = spawn(process.execPath, [...execArgv, path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** The last line of each bench, system and parameters. */
function headlinesOf(lines: readonly Line[]): Line[] {
  const last = new Map<string, Line>()
  for (const line of lines) last.set(JSON.stringify([line.bench, line.system, line.params]), line)
  return [...last.values()]
}

/** What B sees before A's await returns has a negative latency, and half of all may; a difference of two openings, or of two sizes of a process, may be anything. */
const noisy: readonly string[] = ['visible-p50', 'kdf', 'idle-client-memory']

const both = 'blazedb, raw classic-level'

/** How long the rows are depends on which ones they are. */
function insertLines(bench: string, more: Readonly<Record<string, number>>, records: number): string[] {
  return rowKinds.map((rows) => {
    const written = makeStoreRows({ kind: rows, seed: 11, from: 0, count: records })
    const total = written.reduce((sum, row) => sum + encodeCbor(row).length, 0)
    const params = { ...more, bytes: Math.round(total / records), index: 'n', records, rows }
    return `${bench} records/s ${both} ${JSON.stringify(params)}`
  })
}

/** In the order in which they are measured. */
const expected: readonly string[] = [
  // Group store.
  ...insertLines('insert-batch', { batch: 100 }, 1_000),
  ...insertLines('insert-batch', { batch: 1000 }, 1_000),
  ...insertLines('insert-single', {}, 100),
  ...insertLines('insert-64', {}, 200),
  `get records/s ${both} {"gets":500,"records":1000,"rows":"cities"}`,
  `range-100 ms ${both} {"ranges":50,"records":1000,"rows":"cities"}`,
  `scan records/s ${both} {"matches":10,"records":1000,"rows":"cities"}`,
  `open ms ${both} {"records":1000,"rows":"cities"}`,
  `open-memory MB ${both} {"gets":1000,"records":1000,"rows":"cities"}`,
  `live ms ${both} {"records":1000,"rows":"cities","writes":20}`,
  'kdf ms blazedb, raw scrypt {"profile":"small"}',
  `overwrite-size ratio ${both} {"bytes":2048,"overwrites":2000,"records":200}`,
  `overwrite-pause ms ${both} {"bytes":2048,"overwrites":2000,"records":200}`,
  `overwrite records/s ${both} {"bytes":2048,"overwrites":2000,"records":200}`,
  // Group sync.
  'visible-p50 ms blazedb, raw classic-level {"via":"memory"}',
  'visible-p99 ms blazedb, raw classic-level {"via":"memory"}',
  'catch-up records/s blazedb, raw tls + classic-level {"rows":500}',
  'server-memory MiB blazedb, raw tls + classic-level {"rows":500}',
  'visible-p50 ms blazedb, raw tls + classic-level {"via":"supervisor"}',
  'visible-p99 ms blazedb, raw tls + classic-level {"via":"supervisor"}',
  'catch-up-bytes bytes blazedb, raw tls + classic-level {"rows":500}',
  'fan-out-100 ms blazedb, raw tls + classic-level {"clients":4}',
  'idle-client-memory KiB blazedb, raw tls {"clients":4}',
  'reconnect-bytes bytes blazedb, raw tls {"records":1000,"counted":"TCP"}',
  'reconnect-bytes bytes blazedb, raw tls {"records":1000,"counted":"above TLS"}',
  'reconnect-ms ms blazedb, raw tls {"records":1000}',
  'repair-1-in-1e6 ms blazedb, raw tls + classic-level {"records":1000,"figure":"ms"}',
  'repair-1-in-1e6 bytes blazedb, raw tls + classic-level {"records":1000,"figure":"bytes"}',
  'repair-1-in-1e6 trips blazedb, raw tls + classic-level {"records":1000,"figure":"trips"}',
  // Group topology.
  'visible-p50 ms blazedb, raw uds echo {"via":"uds"}',
  'visible-p99 ms blazedb, raw uds echo {"via":"uds"}',
  'visible-total ms blazedb, raw classic-level + uds echo {"via":"uds"}',
  'mirror records/s blazedb, raw uds + classic-level {"rows":1000}',
  'guests-6 ms blazedb, raw uds {"via":"uds"}',
  'guests-6-memory MiB blazedb, raw uds {"via":"uds"}',
]

// One process for all: each would compile everything.
test('groups print one JSON line a figure, headlines last, the raw limit with the same parameters', async () => {
  const { code, stdout, stderr } = await runBench(['store', 'sync', 'topology', '--quick', '--seed', '11'])

  assert.is(code, 0, stderr)
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const headlines = headlinesOf(lines).filter(({ system }) => system !== 'better-sqlite3')
  for (const { bench, value } of lines)
    assert.ok(Number.isFinite(value) && (value > 0 || noisy.includes(bench)), stdout)
  for (const { rounds } of headlines) assert.is(rounds, 1)
  const systems = new Map<string, string[]>()
  for (const { bench, system, unit, params } of headlines) {
    const [name, rest] = [`${bench} ${unit}`, JSON.stringify(params)]
    systems.set(`${name}|${rest}`, [...(systems.get(`${name}|${rest}`) ?? []), system])
  }
  const found = [...systems].map(([key, names]) => key.replace('|', ` ${names.join(', ')} `))
  assert.equal(found, expected)
})

test('a group that does not exist ends with exit code 2 and the usage', async () => {
  const { code, stdout, stderr } = await runBench(['nothing'])

  assert.is(code, 2)
  assert.is(stdout, '')
  assert.match(stderr, /no group nothing\nusage: npm run bench/)
})

for (const { args, problem } of [
  { args: ['store', '--only', 'nothing'], problem: /--only: expected one of insert-batch, / },
  { args: ['sync', '--only', 'get'], problem: /--only: expected one of visible, catch-up, / },
  {
    args: ['topology', '--only', 'get'],
    problem: /--only: expected one group out of actors, channel, store, sync/,
  },
  { args: ['store', '--records', '999'], problem: /--records: expected 1000 to / },
  { args: ['actors', '--records', '1000'], problem: /--records: of the groups, store alone knows it/ },
]) {
  test(`${args.join(' ')} ends with exit code 2 and says what is known`, async () => {
    const { code, stdout, stderr } = await runBench(args, '../../scripts/bench/run')

    assert.is(code, 2)
    assert.is(stdout, '')
    assert.match(stderr, problem)
  })
}

test('a row of the store is the same whatever was made before it, and of its size', () => {
  for (const kind of rowKinds) {
    const range = { kind, seed: 3, from: 990, count: 1_020 }
    const rows = makeStoreRows(range)

    assert.equal([...slicesOf(range)].flat(), rows)
    assert.equal(rows[10], makeStoreRows({ ...range, from: 1_000, count: 1 })[0])
    assert.is(new Set(rows.map((row) => JSON.stringify({ ...row, n: 0 }))).size, rows.length)
    assert.is(rows[0]?.n, 100_990)
    if (kind === 'synthetic') for (const row of rows) assert.is(encodeCbor(row).length, recordBytes)
  }
  assert.is(rowId(4_096), '01900000-0000-7000-8000-000000001000')
})

test('systems take turns in being first', () => {
  assert.equal(
    [1, 2, 3, 4].map((round) => inTurn(['a', 'b', 'c'], round).join('')),
    ['abc', 'bca', 'cab', 'abc'],
  )
})

test('the headline is the median of the rounds with its spread', () => {
  const lines: Line[] = []
  const report = new Report({ seed: 5, print: (line) => lines.push(JSON.parse(line) as Line) })
  const measure = { bench: 'b', system: 's', unit: 'ms', params: { rows: 1 } } as const

  for (const value of [9, 1, 4]) report.round(measure, value)
  report.headlines()

  assert.is(lines.length, 4)
  assert.equal(lines[3], { ...measure, value: 4, rounds: 3, min: 1, max: 9, seed: 5 })
})

test('percentiles are nearest ranks and the median of an even count is between', () => {
  const values = [4, 1, 3, 2]

  assert.is(median(values), 2.5)
  assert.is(percentile(values, 0.5), 2)
  assert.is(percentile(values, 0.99), 4)
  assert.is(percentile([7], 0.99), 7)
})

test('a latency from a commit may be below zero, and how many are is reported', () => {
  const lines: (Line & { readonly samples?: number })[] = []
  const report = new Report({ seed: 5, print: (line) => lines.push(JSON.parse(line) as Line) })

  new TopologyReport(report).visible('s', differences([10, 20, 29], [9, 21, 30]))

  assert.equal(
    lines.map(({ bench, value, samples, negative }) => ({ bench, value, samples, negative })),
    [
      { bench: 'visible-p50', value: -1, samples: 3, negative: 2 },
      { bench: 'visible-p99', value: 1, samples: 3, negative: 2 },
    ],
  )
})

test('a write that was seen and not acknowledged, or the other way round, is no latency', () => {
  assert.throws(() => differences([1, 2], [1]), '2 writes were seen, 1 were made')
  const holed: number[] = []
  holed[1] = 2
  assert.throws(() => differences([1, 2], holed), 'write 0 was seen, and never acknowledged')
})

test('records of one seed are the same and have 200 bytes each', () => {
  const [one, other] = [makeRecords(50, 3), makeRecords(50, 3)]

  assert.equal(one, other)
  for (const record of one) assert.is(encodeCbor(record).length, recordBytes)
})

test('an open loop starts all work in time while earlier work hangs, and waits for it', async () => {
  const started: number[] = []
  let release: () => void = () => undefined
  const hanging = new Promise<void>((resolve) => {
    release = resolve
  })

  const done = openLoop({ updates: 20, perSecond: 1_000 }, (n) => {
    started.push(n)
    if (n === 19) release()
    return hanging
  })
  await done

  assert.equal(
    started,
    Array.from({ length: 20 }, (_, n) => n),
  )
})

test('a load whose work fails is not reported', async () => {
  const failing = openLoop({ updates: 3, perSecond: 1_000 }, (n) =>
    n === 1 ? Promise.reject(new Error('refused')) : Promise.resolve(),
  )

  await failing.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'refused'),
  )
})

test('updates that were not seen are counted as missing', async () => {
  const latencies = new Latencies()
  latencies.note(0, 1)
  latencies.note(0, 50)

  await latencies.all(2, 10).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, '1 of 2 updates were seen, not 1'),
  )
  assert.equal(await latencies.all(1, 10), [1])
})

test.run()

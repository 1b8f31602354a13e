/**
 * `npm run demo`: places of the world go from one device to another through a supervisor that cannot read them.
 *
 * Options: `--rows N` (default 10,000), `--data DIR` (of the supervisor to use, default ./blazedb-data), `--json` (one object on
 * stdout, the lines on stderr). Exit codes: 0 all was seen to happen, 1 it was not, 2 wrong arguments, 130 interrupted.
 *
 * Invariant: it runs any number of times, and leaves behind only a sealed database on a supervisor that was running before.
 */
import { parseArgs } from 'node:util'
import { attribution } from './demo/city.ts'
import { runShow } from './demo/show.ts'
import { findSupervisor } from './demo/supervisor.ts'
import { Stage } from './process/stage.ts'

const rowsDefault = 10_000
/** All that the package has, and a little more. */
const rowsMax = 200_000
const labelChars = 15

interface Options {
  readonly rows: number
  readonly data: string
  readonly json: boolean
}

function readOptions(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { rows: { type: 'string' }, data: { type: 'string' }, json: { type: 'boolean' } },
    })
    const rows = Number(values.rows ?? rowsDefault)
    if (!Number.isInteger(rows) || rows < 1 || rows > rowsMax) return `--rows: expected 1 to ${rowsMax}`
    return { rows, data: values.data ?? './blazedb-data', json: values.json ?? false }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Different in every run, also of the same second. */
function databaseName(): string {
  const chance = Math.floor(Math.random() * 36 ** 4)
  return `demo-${Date.now().toString(36)}-${chance.toString(36).padStart(4, '0')}`
}

async function run(stage: Stage, { rows, data, json }: Options): Promise<void> {
  const output = json ? process.stderr : process.stdout
  const say = (label: string, text: string): void =>
    void output.write(`  ${label.padEnd(labelChars)}${text}\n`)
  output.write(`BlazeDB demo: one device, a supervisor, another device\n\n`)
  say('data', attribution)
  const supervisor = await findSupervisor(stage, data)
  const { kind, listen, directory } = supervisor
  say(
    'supervisor',
    kind === 'running' ? `${listen}, running in ${directory}` : `${listen}, started for this demo`,
  )
  const result = await runShow({
    stage,
    supervisor,
    rows,
    say,
    database: databaseName(),
  })
  if (json) process.stdout.write(`${JSON.stringify({ rows, supervisor: kind, ...result })}\n`)
}

const options = readOptions(process.argv.slice(2))
if (typeof options === 'string') {
  process.stderr.write(`${options}\nusage: npm run demo -- [--rows N] [--data DIR] [--json]\n`)
  process.exit(2)
}
const stage = new Stage('demo')
try {
  await run(stage, options)
} catch (error) {
  process.exitCode = 1
  // After a signal everything fails that was under way; that is no news.
  if (!stage.interrupted)
    process.stderr.write(`\ndemo: ${error instanceof Error ? error.message : String(error)}\n`)
} finally {
  await stage.close()
}

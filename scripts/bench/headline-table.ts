/** The figures of a group as a table on stderr, with what was promised. Invariant: a missed target says by how much. */
import type { Headline } from './report.ts'

/** What BlazeDB shall reach, as a number, or as a share of what another system reaches in the same run. */
export interface Target {
  readonly bench: string
  readonly wanted: 'least' | 'most'
  readonly value: number
  readonly of?: string
  /** Only figures with these parameters. */
  readonly where?: Readonly<Record<string, number | string>>
}

export function printTable(headlines: readonly Headline[], unfinished: readonly string[]): void {
  const lines = headlines.map((line) => {
    const { bench, system, unit } = line.measure
    const spread = `${number(line.min)} … ${number(line.max)}`
    return [bench, system, number(line.value), unit, spread, sizesOf(line)]
  })
  for (const [at, cells] of [
    ['bench', 'system', 'median', 'unit', 'min … max', 'params'],
    ...lines,
  ].entries()) {
    const padded = cells.map((cell, column) => pad(cell, column, widest(lines, column)))
    process.stderr.write(`${padded.join('  ').trimEnd()}\n`)
    if (at === 0) process.stderr.write('\n')
  }
  process.stderr.write('\n')
  for (const what of unfinished) process.stderr.write(`no figure: ${what}\n`)
}

/** One line for each target and each set of parameters that were measured. */
export function sayTargets(targets: readonly Target[], headlines: readonly Headline[]): void {
  for (const target of targets) {
    const own = headlines.filter(
      ({ measure }) =>
        measure.bench === target.bench && measure.system === 'blazedb' && isWhere(target, measure),
    )
    for (const line of own) sayTarget(target, line, headlines)
  }
}

function isWhere({ where = {} }: Target, { params }: Headline['measure']): boolean {
  return Object.entries(where).every(([name, value]) => params[name] === value)
}

function sayTarget(
  { bench, wanted, value, of }: Target,
  own: Headline,
  headlines: readonly Headline[],
): void {
  const sizes = sizesOf(own)
  const isOther = (line: Headline): boolean =>
    line.measure.bench === bench && line.measure.system === of && sizesOf(line) === sizes
  const other = of === undefined ? 1 : headlines.find(isOther)?.value
  if (other === undefined) return
  const reached = own.value / (value * other)
  const met = wanted === 'least' ? reached >= 1 : reached <= 1
  const bound = of === undefined ? number(value) : value === 1 ? `that of ${of}` : `${value} of ${of}`
  const sign = wanted === 'least' ? 'at least' : 'at most'
  process.stderr.write(
    `${met ? 'met   ' : 'MISSED'} ${bench} (${sizes}): ${sign} ${bound}; it is ${number(own.value)}, ${reached.toPrecision(3)} of that\n`,
  )
}

function sizesOf({ measure }: Headline): string {
  return Object.entries(measure.params)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}

/** Numbers to the right, words to the left. */
function pad(cell: string, column: number, width: number): string {
  return column === 2 ? cell.padStart(width) : cell.padEnd(width)
}

function widest(lines: readonly (readonly string[])[], column: number): number {
  return Math.max(9, ...lines.map((cells) => cells[column]?.length ?? 0))
}

function number(value: number): string {
  const digits = value >= 1_000 ? 0 : value >= 10 ? 1 : 3
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

/** The figures of group `actors` as a table on stderr, with what was promised. Invariant: a missed target says by how much. */
import { targets } from './actors-plan.ts'
import type { Target } from './actors-plan.ts'
import type { Headline } from './report.ts'

export function printTable(headlines: readonly Headline[], unfinished: readonly string[]): void {
  const lines = headlines.map((line) => {
    const { bench, system, unit, params } = line.measure
    const spread = `${number(line.min)} … ${number(line.max)}`
    const sizes = Object.entries(params).map(([name, value]) => `${name} ${value}`)
    return [bench, system, number(line.value), unit, spread, sizes.join(', ')]
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
  for (const target of targets) sayTarget(target, headlines)
  sayTap(headlines)
}

function sayTarget({ bench, wanted, value, of }: Target, headlines: readonly Headline[]): void {
  const find = (system: string): number | undefined =>
    headlines.find(({ measure }) => measure.bench === bench && measure.system === system)?.value
  const own = find('blazedb')
  const other = of === undefined ? 1 : find(of)
  if (own === undefined || other === undefined) return
  const reached = own / (value * other)
  const met = wanted === 'least' ? reached >= 1 : reached <= 1
  const bound = of === undefined ? number(value) : value === 1 ? `that of ${of}` : `${value} of ${of}`
  const sign = wanted === 'least' ? 'at least' : 'at most'
  process.stderr.write(
    `${met ? 'met   ' : 'MISSED'} ${bench}: ${sign} ${bound}; it is ${number(own)}, ${reached.toPrecision(3)} of that\n`,
  )
}

/** What a tap costs that nobody listens at any more. */
function sayTap(headlines: readonly Headline[]): void {
  const find = (listener: string): number =>
    headlines.find(({ measure }) => measure.bench === 'tap-off' && measure.params['listener'] === listener)
      ?.value ?? Number.NaN
  const ratio = find('gone') / find('never')
  if (Number.isFinite(ratio))
    process.stderr.write(`tap-off: ${ratio.toPrecision(3)} of the speed without a listener ever\n`)
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

/**
 * The frame of a child of group `actors`: `program.js BENCH PARAMS` prints one JSON line with the figure, the names of its benches being
 * the keys of what it hands over.
 *
 * Invariant: a line is printed only after the work was counted as finished; anything else is a message on stderr and exit code 1.
 */

/** `sizes` are the numbers of the case's parameters, `words` are its texts. Resolves with the figure in the unit of the bench. */
export type Bench = (sizes: Sizes, words: Readonly<Record<string, string>>) => Promise<number>

/** Throws for a parameter that the case does not have. */
export type Sizes = (name: string) => number

export async function answer(benches: Readonly<Record<string, Bench>>): Promise<void> {
  try {
    const [, , name = '', json = '{}'] = process.argv
    const bench = benches[name]
    if (bench === undefined) throw new Error(`no bench ${name}`)
    const params = JSON.parse(json) as Record<string, number | string>
    const words = Object.entries(params).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    )
    const value = await bench((key) => {
      const size = params[key]
      if (typeof size !== 'number') throw new Error(`${name}: no parameter ${key}`)
      return size
    }, Object.fromEntries(words))
    process.stdout.write(`${JSON.stringify({ value })}\n`, () => process.exit(0))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`, () => process.exit(1))
  }
}

/** A promise and the way to keep it. */
export function goal<T>(): { readonly reached: Promise<T>; readonly reach: (value: T) => void } {
  let keep: (value: T) => void = () => undefined
  const reached = new Promise<T>((resolve) => (keep = resolve))
  return { reached, reach: (value) => keep(value) }
}

export function expectCount(what: string, counted: number, expected: number): void {
  if (counted !== expected) throw new Error(`${what}: ${counted} instead of ${expected}`)
}

/**
 * Runs `work` small, for the compiler, then whole; units of work a second. `work` returns the ms that count when it also does what does
 * not count.
 */
export async function perSecond(
  count: number,
  work: (count: number) => Promise<number | void>,
): Promise<number> {
  // In two pieces: the second one runs in code that was compiled after the first.
  await work(Math.ceil(count / 10))
  await work(Math.ceil(count / 10))
  collect()
  const startMs = performance.now()
  const ms = (await work(count)) ?? performance.now() - startMs
  return (count * 1_000) / ms
}

/** Bytes on the heap for each of `count` things that `make` makes; a few are made beforehand, for the code itself. */
export async function bytesEach(count: number, make: (count: number) => Promise<unknown>): Promise<number> {
  const kept: unknown[] = [await make(1_000), undefined]
  collect()
  const before = process.memoryUsage().heapUsed
  kept[1] = await make(count)
  // Timers and immediates of the last messages are over.
  await new Promise((resolve) => setTimeout(resolve, 50))
  collect()
  const each = (process.memoryUsage().heapUsed - before) / count
  expectCount('kept', kept.length, 2)
  return each
}

/** Sum of all leaves of a skynet, which are numbered from 0. */
export function skynetSum(leaves: number): number {
  return (leaves * (leaves - 1)) / 2
}

/** Leaves and all above them, each the parent of ten. */
export function skynetActors(leaves: number): number {
  let actors = 0
  for (let level = leaves; level >= 1; level /= 10) actors += level
  return actors
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc')
  globalThis.gc()
  globalThis.gc()
}

/** The kill loop for the long lane: `kill-program.ts CYCLES SEED FROM` tells each cycle as a line of JSON on stdout. */
import { runKillLoop } from './kill-loop.ts'

const [cycles = 0, seed = 0, from = 0] = process.argv.slice(2).map(Number)
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
try {
  const { kills, acknowledged } = await runKillLoop({
    cycles,
    seed,
    from,
    say: (text) => say({ text }),
    cycled: (done) => say({ done }),
  })
  say({ acknowledged, kills: [...kills] })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = 1
}

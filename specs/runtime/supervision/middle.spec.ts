/**
 * Random trees whose members take their time to stop, or hang, while others crash, end, are stopped, killed and added in the middle.
 * Who is up when is open then; what must hold at every moment is not. `SEED` repeats a run, `RUNS` makes it longer.
 */
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Wish } from './otp-case.ts'
import { describePlan, schedule, tree } from './otp-case.ts'
import type { CellPlan } from './otp-plan.ts'
import { UnsteadySystem } from './unsteady-system.ts'

const runs = Number(process.env['RUNS'] ?? 1_000)
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`seed ${seed}; replay: SEED=${seed} npx tsx specs/runtime/supervision/middle.spec.ts`)

test('whatever happens in the middle of stops and restarts, no cell lives twice, orders hold, and all comes to rest', async () => {
  let starts = 0
  let overlaps = 0
  const property = fc.asyncProperty(tree, schedule, fc.nat(), async (top, wishes, chance) => {
    const system = new UnsteadySystem(top, chance)
    const fault = await play(system, wishes)
    starts += system.starts
    overlaps += system.overlaps
    if (fault !== undefined) throw new Error(`${describe(top, wishes)}\nstops decided by ${chance}\n${fault}`)
  })

  const result = await fc.check(property, { numRuns: runs, seed })

  if (result.failed)
    throw result.errorInstance instanceof Error
      ? result.errorInstance
      : new Error(String(result.errorInstance))
  console.log(`${runs} trees: ${starts} starts, ${overlaps} crashes while a stop was under way`)
  assert.ok(overlaps > runs / 4, 'crashes meet stops that are under way')
})

/** The first promise that was broken. */
async function play(system: UnsteadySystem, wishes: readonly Wish[]): Promise<string | undefined> {
  for (const wish of wishes) {
    await system.pass(gapMs(wish))
    system.meet(wish)
  }
  await system.pass(300_000)
  system.checkRest()
  await system.stop()
  return system.faults[0]
}

/** Short, so that most events meet stops and waits; now and then as long as the schedule says. */
function gapMs({ afterMs, times }: Wish): number {
  return times === 12 ? afterMs : afterMs % 80
}

function describe(top: CellPlan, wishes: readonly Wish[]): string {
  const lines = wishes.map((wish) => `${wish.kind} ${wish.pick} after ${gapMs(wish)} (${wish.times})`)
  return `${describePlan({ top, steps: [] })}\n${lines.join('\n')}`
}

test.run()

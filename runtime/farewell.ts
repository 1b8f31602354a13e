/** The end of one life: children right to left, the behaviour's own farewell, what it owns. Every wait has a budget. */
import type { Env, Timer } from './env.ts'
import type { Life } from './life.ts'

export interface FarewellHost {
  readonly env: Env
  /** Each of the waits below may take so long. */
  readonly stopBudgetMs: number
  /** System mail that the life leaves behind. */
  lost(label: unknown): void
  /** The farewell itself failed; the end goes on. */
  failed(error: unknown): void
}

/** True when a budget was overrun. `orderly` calls the behaviour's `stop` and ends the life; after a crash it has ended already. */
export async function tearDown<M>(
  life: Life<M>,
  children: readonly { stop(): Promise<void> }[],
  host: FarewellHost,
  orderly: boolean,
): Promise<boolean> {
  let killed = false
  for (const child of children.toReversed()) await child.stop()
  if (orderly) {
    killed = !(await withinBudget(host, () => life.instance?.stop?.()))
    for (const label of life.end()) host.lost(label)
  }
  // One that never closes costs its budget, and the rest is still disposed of.
  while (life.ownsAny) killed = !(await withinBudget(host, () => life.disposeOwned())) || killed
  return killed
}

async function withinBudget(host: FarewellHost, work: () => unknown): Promise<boolean> {
  let timer: Timer | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = host.env.after(host.stopBudgetMs, () => resolve(false))
  })
  const done = async (): Promise<boolean> => {
    await work()
    return true
  }
  try {
    return await Promise.race([done(), late])
  } catch (error) {
    host.failed(error)
    return true
  } finally {
    timer?.cancel()
  }
}

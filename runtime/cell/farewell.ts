/** The end of one life: children right to left, the behaviour's own farewell, what it owns. Every wait has a budget. */
import { isThenable } from './async-handler.ts'
import type { Env, Timer } from '../env.ts'
import type { Life } from './life.ts'

export interface FarewellHost {
  readonly env: Env
  /** Each of the waits below may take so long. */
  readonly stopBudgetMs: number
  /** The cell is being killed: its behaviour says no farewell. */
  readonly killAsked: boolean
  /** Told how a kill can end the wait for a farewell that is under way, and undefined when it is over. */
  waitsForFarewell(cutShort: (() => void) | undefined): void
  /** System mail that the life leaves behind. */
  lost(label: unknown): void
  /** The farewell itself failed; the end goes on. */
  failed(error: unknown): void
}

/**
 * True when a budget was overrun. `orderly` calls the behaviour's `stop` and ends the life; after a crash or kill it has ended
 * already. Done before it returns when there is nothing to wait for: most cells have neither children nor resources.
 */
export function tearDown<M>(
  life: Life<M>,
  children: Promise<void> | undefined,
  host: FarewellHost,
  orderly: boolean,
): boolean | Promise<boolean> {
  if (children !== undefined) return tearDownLater(life, children, host, orderly)
  if (!orderly) return life.ownsAny ? dispose(life, host, false) : false
  const farewell = host.killAsked ? undefined : sayFarewell(life, host)
  if (farewell !== undefined) return endAfter(life, farewell, host)
  endLife(life, host)
  return life.ownsAny ? dispose(life, host, host.killAsked) : host.killAsked
}

async function tearDownLater<M>(
  life: Life<M>,
  children: Promise<void>,
  host: FarewellHost,
  orderly: boolean,
): Promise<boolean> {
  await children
  return tearDown(life, undefined, host, orderly)
}

async function endAfter<M>(
  life: Life<M>,
  farewell: PromiseLike<unknown>,
  host: FarewellHost,
): Promise<boolean> {
  const cut = new Promise<boolean>((resolve) => host.waitsForFarewell(() => resolve(false)))
  const killed = !(await withinBudget(host, () => farewell, cut))
  host.waitsForFarewell(undefined)
  endLife(life, host)
  return dispose(life, host, killed)
}

function sayFarewell<M>(life: Life<M>, host: FarewellHost): PromiseLike<unknown> | undefined {
  try {
    const result: unknown = life.instance?.stop?.()
    return isThenable(result) ? result : undefined
  } catch (error) {
    host.failed(error)
    return undefined
  }
}

function endLife<M>(life: Life<M>, host: FarewellHost): void {
  for (const label of life.end()) host.lost(label)
}

async function dispose<M>(life: Life<M>, host: FarewellHost, killedBefore: boolean): Promise<boolean> {
  let killed = killedBefore
  if (life.ownsAny) killed = !(await withinBudget(host, () => life.disposeOwned())) || killed
  // One that never closes has cost the budget; the rest is disposed of all the same, within one more.
  if (life.ownsAny) await withinBudget(host, () => life.disposeAtOnce())
  return killed
}

async function withinBudget(
  host: FarewellHost,
  work: () => unknown,
  ...cuts: readonly Promise<boolean>[]
): Promise<boolean> {
  let timer: Timer | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = host.env.after(host.stopBudgetMs, () => resolve(false))
  })
  const done = async (): Promise<boolean> => {
    await work()
    return true
  }
  try {
    return await Promise.race([done(), late, ...cuts])
  } catch (error) {
    host.failed(error)
    return true
  } finally {
    timer?.cancel()
  }
}

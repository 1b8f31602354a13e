/** When to restart a crashed child, and cells that only supervise. One for one: a crash concerns the crashed child alone. */
import type { Behaviour, ChildSpec, Supervision } from './behaviour.ts'
import { limits } from './limits.ts'

export const defaultSupervision: Supervision = {
  intensity: limits.restartIntensity,
  periodMs: limits.restartPeriodMs,
  backoff: { firstMs: limits.restartBackoffFirstMs, maxMs: limits.restartBackoffMaxMs },
}

/** Restarts of one child. Counted per child: a noisy child must not use up the allowance of its siblings. */
export class RestartHistory {
  /** Monotonic ms of the restarts granted within the period, oldest first; never longer than the intensity. */
  #granted: number[] = []
  #consecutive = 0
  #last = -Infinity

  /** Wait in ms before the restart, or `exceeded`. `chance` in [0, 1) spreads the wait over its upper half. */
  next(supervision: Supervision, monotonicMs: number, chance: number): number | 'exceeded' {
    const { intensity, periodMs, backoff } = supervision
    this.#granted = this.#granted.filter((at) => monotonicMs - at < periodMs)
    if (this.#granted.length >= intensity) return 'exceeded'
    this.#consecutive = monotonicMs - this.#last < periodMs ? this.#consecutive + 1 : 0
    this.#last = monotonicMs
    this.#granted.push(monotonicMs)
    // 2^30 is beyond every sensible maximum and still an exact integer.
    const full = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(this.#consecutive, 30))
    return full * (0.5 + chance / 2)
  }
}

/** A supervisor is told nothing; its children are started by its spec and by `spawnUnder`. */
export type SupervisorMessage = never

export interface SupervisorSpec {
  readonly kind: string
  readonly strategy: 'one_for_one'
  /** Restarts of one child per `periodMs`; one more crashes this supervisor. */
  readonly intensity?: number
  readonly periodMs?: number
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number }
  /** Started left to right, stopped right to left. Children added by `spawnUnder` do not come back after a crash of the supervisor. */
  readonly children: readonly ChildSpec<never>[]
}

export function supervisor(spec: SupervisorSpec): Behaviour<SupervisorMessage> {
  return {
    kind: spec.kind,
    supervision: {
      intensity: spec.intensity ?? defaultSupervision.intensity,
      periodMs: spec.periodMs ?? defaultSupervision.periodMs,
      backoff: spec.backoff ?? defaultSupervision.backoff,
    },
    start(ctx) {
      for (const child of spec.children) ctx.spawn(child)
      return { receive() {} }
    },
  }
}

/** Throws `TypeError`. */
export function checkSpec(spec: {
  readonly name: string
  readonly mailboxMax?: number
  readonly stopBudgetMs?: number
}): void {
  const { name, mailboxMax = 1, stopBudgetMs = 1 } = spec
  if (name === '' || name.includes('/') || name.length > limits.cellNameCharsMax)
    throw new TypeError(
      `spawn: name: expected 1 to ${limits.cellNameCharsMax} characters without a slash, got ${name}`,
    )
  if (!Number.isSafeInteger(mailboxMax) || mailboxMax < 1)
    throw new TypeError(`spawn: mailboxMax: expected a positive integer, got ${mailboxMax}`)
  if (!(stopBudgetMs > 0))
    throw new TypeError(`spawn: stopBudgetMs: expected more than 0, got ${stopBudgetMs}`)
}

/** Cells that only supervise. They are told nothing; their children are given by their spec and by `spawnUnder`. */
import type { Behaviour, ChildSpec, Supervision } from '../behaviour.ts'
import { limits } from '../limits.ts'
import { checkChildSpec, checkCount, checkKeys, checkOneOf, checkPositive } from './child-spec.ts'

/** Of cells that are no supervisors, and of the root. */
export const defaultSupervision: Supervision = {
  strategy: 'dynamic',
  intensity: limits.restartIntensity,
  periodMs: limits.restartPeriodMs,
  backoff: { firstMs: limits.restartBackoffFirstMs, maxMs: limits.restartBackoffMaxMs },
  autoShutdown: 'never',
  childrenMax: limits.childrenMax,
}

/** A supervisor is told nothing. */
export type SupervisorMessage = never

interface SupervisorRules {
  readonly kind: string
  /** Restarts per `periodMs`, one more crashes this supervisor. Of all children together; under `dynamic` of each child. */
  readonly intensity?: number
  readonly periodMs?: number
  /** Waits before restarts double from `firstMs` to `maxMs`. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number }
  /** Ends the supervisor, like `stopSelf`, when the first or the last significant child has ended by itself. Default `never`. */
  readonly autoShutdown?: Supervision['autoShutdown']
}

/** Children that are known beforehand. */
export interface StaticSupervisorSpec extends SupervisorRules {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one'
  /** Started left to right, stopped right to left. Children added by `spawnUnder` do not come back after a crash of the supervisor. */
  readonly children: readonly ChildSpec<never>[]
}

/** Children that come and go, all of them added by `spawnUnder`. */
export interface DynamicSupervisorSpec extends SupervisorRules {
  readonly strategy: 'dynamic'
  /** Living children at once; one more is `OVERLOADED`. */
  readonly childrenMax?: number
}

export type SupervisorSpec = StaticSupervisorSpec | DynamicSupervisorSpec

const ruleKeys = {
  kind: true,
  strategy: true,
  intensity: true,
  periodMs: true,
  backoff: true,
  autoShutdown: true,
} as const
const staticKeys = { ...ruleKeys, children: true } as const
const dynamicKeys = { ...ruleKeys, childrenMax: true } as const

/** Throws `TypeError` for a spec with a typo. */
export function supervisor(spec: SupervisorSpec): Behaviour<SupervisorMessage> {
  checkSupervisor(spec)
  const supervision: Supervision = {
    strategy: spec.strategy,
    intensity: spec.intensity ?? defaultSupervision.intensity,
    periodMs: spec.periodMs ?? defaultSupervision.periodMs,
    backoff: spec.backoff ?? defaultSupervision.backoff,
    autoShutdown: spec.autoShutdown ?? 'never',
    childrenMax: (spec.strategy === 'dynamic' ? spec.childrenMax : undefined) ?? limits.childrenMax,
  }
  const children = spec.strategy === 'dynamic' ? [] : spec.children
  return {
    kind: spec.kind,
    supervision,
    start(ctx) {
      ctx.spawnAll(children)
      return { receive() {} }
    },
  }
}

function checkSupervisor(spec: SupervisorSpec): void {
  const { kind, strategy, intensity = 1, periodMs = 1, backoff, autoShutdown = 'never' } = spec
  if (typeof kind !== 'string' || kind === '')
    throw new TypeError(`supervisor: kind: expected a name, got ${String(kind)}`)
  checkKeys('supervisor', spec, strategy === 'dynamic' ? dynamicKeys : staticKeys)
  checkOneOf('supervisor: strategy', strategy, ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'])
  checkCount('supervisor: intensity', intensity, 0, limits.restartIntensityMax)
  checkPositive('supervisor: periodMs', periodMs)
  checkOneOf('supervisor: autoShutdown', autoShutdown, ['never', 'any_significant', 'all_significant'])
  if (backoff !== undefined) {
    checkKeys('supervisor: backoff', backoff, { firstMs: true, maxMs: true })
    const { firstMs, maxMs } = backoff
    if (!(firstMs >= 0 && maxMs >= firstMs && maxMs < Infinity))
      throw new TypeError(`supervisor: backoff: expected 0 ≤ firstMs ≤ maxMs, got ${firstMs} and ${maxMs}`)
  }
  if (spec.strategy === 'dynamic') {
    checkCount('supervisor: childrenMax', spec.childrenMax ?? 1, 1, limits.childrenMax)
    return
  }
  if (!Array.isArray(spec.children))
    throw new TypeError('supervisor: children: expected a list of child specs; it may be empty')
  const names = new Set<string>()
  for (const child of spec.children) {
    checkChildSpec(child)
    if (names.has(child.name)) throw new TypeError(`supervisor: children: two are called ${child.name}`)
    names.add(child.name)
  }
}

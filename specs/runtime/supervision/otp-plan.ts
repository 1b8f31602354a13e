/** A tree of supervisors and workers as plain data: what the reference model and a real system are both built from. */

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic'

export interface SupervisionPlan {
  readonly strategy: Strategy
  readonly autoShutdown: 'never' | 'any_significant' | 'all_significant'
  readonly intensity: number
  readonly periodMs: number
  readonly firstMs: number
  readonly maxMs: number
  /** Of a dynamic supervisor: none; they are added. */
  readonly children: readonly CellPlan[]
}

export interface CellPlan {
  readonly name: string
  readonly restart: 'permanent' | 'transient' | 'temporary'
  readonly significant: boolean
  /** Undefined: a worker. */
  readonly supervision?: SupervisionPlan
}

/** Of the root, which nobody gives a plan. */
export const rootPlan: SupervisionPlan = {
  strategy: 'dynamic',
  autoShutdown: 'never',
  intensity: 10,
  periodMs: 60_000,
  firstMs: 100,
  maxMs: 5_000,
  children: [],
}

/** Rules told wrongly. A campaign that does not notice each of them proves nothing. */
export const faults = [
  'rest_for_one leaves the crashed child down',
  'rest_for_one restarts what stands left of the crash too',
  'one_for_all restarts the crashed child alone',
  'a temporary sibling comes back with its group',
  'a transient child that had ended stays down when its group restarts',
  'a child stopped from outside comes back with its group',
  'one restart more than the intensity is granted',
  'restarts are counted per child',
  'restarts of dynamic children are summed',
  'the count survives a restart of the supervisor',
  'the wait does not grow',
  'siblings are stopped left to right',
  'any_significant waits for all',
  'all_significant ends with the first',
  'a stop from outside of a significant child ends the supervisor',
  'a permanent child that ends itself stays down',
  'a transient supervisor that gives up stays down',
  'a failed start does not hold up the later ones',
  'a crash further left does not widen a waiting group',
] as const
export type Fault = (typeof faults)[number]

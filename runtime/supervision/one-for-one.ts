/** one_for_one: a child that crashes restarts alone; the restarts of all children are counted together. */
import type { Strategy } from './strategy.ts'

export const oneForOne: Strategy = { counts: 'together' }

/** dynamic: for children of one kind that come and go; each restarts alone, and a noisy one uses up no allowance but its own. */
import type { Strategy } from './strategy.ts'

export const dynamic: Strategy = { counts: 'each' }

/** one_for_all: for children that are nothing without each other; when one crashes, all restart. */
import type { Strategy } from './strategy.ts'

export const oneForAll: Strategy = {
  counts: 'together',
  affected: (inOrder) => inOrder,
}

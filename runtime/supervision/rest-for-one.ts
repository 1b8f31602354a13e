/** rest_for_one: for children that depend on those before them; when one crashes, it and all that were started after it restart. */
import type { Strategy } from './strategy.ts'

export const restForOne: Strategy = {
  counts: 'together',
  affected: (inOrder, crashed) => inOrder.slice(inOrder.indexOf(crashed)),
}

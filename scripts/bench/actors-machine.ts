/** The machine that both BlazeDB and raw XState run: three states in a circle, one action that counts. No context, no timers. */
import type { AnyStateMachine } from 'xstate'
import { setup } from 'xstate'

export const step = { type: 'step' } as const

/** XState itself calls `count` when no host provides another one. */
export function circleMachine(count: () => void): AnyStateMachine {
  return setup({ types: { events: {} as typeof step }, actions: { count } }).createMachine({
    id: 'circle',
    initial: 'first',
    states: {
      first: { on: { step: { target: 'second', actions: 'count' } } },
      second: { on: { step: { target: 'third', actions: 'count' } } },
      third: { on: { step: { target: 'first', actions: 'count' } } },
    },
  })
}

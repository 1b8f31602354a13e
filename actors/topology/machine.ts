/** States of an edge between two databases of this process. Declarative; the edge tells it what happened. */
import { setup } from 'xstate'
import type { AnyStateMachine } from 'xstate'

export type EdgeEvent =
  | { readonly type: 'edge.connected' }
  | { readonly type: 'edge.passed' }
  | { readonly type: 'edge.behind' }
  | { readonly type: 'edge.failed' }

/** `passing`: a full pass over the source is under way. `live`: everything committed is across, or on its way. */
export const edgeMachine: AnyStateMachine = setup({
  types: { events: {} as EdgeEvent },
  actions: { connect: () => {}, pass: () => {} },
}).createMachine({
  id: 'edge',
  initial: 'connecting',
  on: { 'edge.failed': '.stopped' },
  states: {
    connecting: { entry: 'connect', on: { 'edge.connected': 'passing' } },
    passing: { entry: 'pass', on: { 'edge.passed': 'live' } },
    live: { on: { 'edge.behind': 'passing' } },
    stopped: { type: 'final' },
  },
})

/** States of a supervised resource: something that is opened, may fail, and is opened again. Declarative; it holds no data. */
import type { AnyStateMachine } from 'xstate'
import { setup } from 'xstate'

export type ResourceEvent =
  | { readonly type: 'opened' }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'retry' }

export const resourceMachine: AnyStateMachine = setup({
  types: {} as { events: ResourceEvent },
  actions: { open: () => {}, quarantine: () => {} },
}).createMachine({
  id: 'resource',
  initial: 'opening',
  states: {
    opening: { entry: 'open', on: { opened: 'open', failed: 'failed' } },
    open: { on: { failed: 'failed' } },
    failed: { entry: 'quarantine', on: { retry: 'opening' } },
  },
})

/** States of a database cell. Declarative; the cell tells it what happened. */
import { setup } from 'xstate'
import type { AnyStateMachine } from 'xstate'
import { limits } from '../../runtime/index.ts'

export type DatabaseEvent =
  | { readonly type: 'database.opened' }
  | { readonly type: 'database.rebasing' }
  | { readonly type: 'database.misfit' }
  | { readonly type: 'database.failed' }
  | { readonly type: 'database.damaged' }
  | { readonly type: 'database.closing' }

/**
 * `rebasing`: open, and not to be written before a peer's round came; a misfit is opened again to begin with that. `failed`: the store
 * could not be opened again and is tried later. `damaged`: trying again cannot help.
 */
export const databaseMachine: AnyStateMachine = setup({
  types: { events: {} as DatabaseEvent },
  actions: {
    open: () => {},
    close: () => {},
  },
  delays: { reopen: limits.reopenDelayMs },
}).createMachine({
  id: 'database',
  initial: 'opening',
  on: { 'database.closing': '.closing' },
  states: {
    opening: {
      entry: 'open',
      on: {
        'database.opened': 'ready',
        'database.rebasing': 'rebasing',
        'database.failed': 'failed',
        'database.damaged': 'damaged',
      },
    },
    ready: { on: { 'database.misfit': 'opening' } },
    rebasing: { on: { 'database.opened': 'ready', 'database.misfit': 'opening' } },
    failed: { after: { reopen: 'opening' } },
    damaged: {},
    closing: { entry: 'close', on: { 'database.closing': {} } },
  },
})

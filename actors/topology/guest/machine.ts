/** States of a guest. Declarative; the cell does the work, and no data message passes through here. */
import { setup } from 'xstate'
import type { AnyStateMachine } from 'xstate'

export type GuestEvent =
  | { readonly type: 'guest.linked' }
  | { readonly type: 'guest.secured' }
  | { readonly type: 'guest.attached' }
  | { readonly type: 'guest.caughtUp' }
  | { readonly type: 'guest.behind' }
  | { readonly type: 'guest.detached' }
  | { readonly type: 'guest.failed' }
  | { readonly type: 'guest.refused' }
  | { readonly type: 'guest.retry' }
  | { readonly type: 'guest.closing' }

/**
 * `passing`: the host sends what this guest lacks. `live`: it lacks nothing, and commits are pushed. `failover`: the host is out of
 * reach, or the copy failed; tried again by itself. `refused`: what retrying cannot heal.
 */
export const guestMachine: AnyStateMachine = setup({
  types: { events: {} as GuestEvent },
  actions: {
    connect: () => {},
    secure: () => {},
    attach: () => {},
    pass: () => {},
    live: () => {},
    backOff: () => {},
    refuse: () => {},
    close: () => {},
  },
}).createMachine({
  id: 'guest',
  initial: 'connecting',
  on: { 'guest.closing': '.closing', 'guest.failed': '.failover', 'guest.refused': '.refused' },
  states: {
    connecting: { entry: 'connect', on: { 'guest.linked': 'handshake' } },
    handshake: { entry: 'secure', on: { 'guest.secured': 'attaching' } },
    attaching: {
      entry: 'attach',
      on: { 'guest.attached': 'passing', 'guest.detached': { target: 'attaching', reenter: true } },
    },
    passing: { entry: 'pass', on: { 'guest.caughtUp': 'live', 'guest.detached': 'attaching' } },
    live: { entry: 'live', on: { 'guest.behind': 'passing', 'guest.detached': 'attaching' } },
    // What fails while it waits changes nothing: it tries again from the start.
    failover: { entry: 'backOff', on: { 'guest.retry': 'connecting', 'guest.failed': {} } },
    refused: { entry: 'refuse' },
    closing: {
      entry: 'close',
      on: { 'guest.closing': {}, 'guest.failed': {}, 'guest.refused': {} },
    },
  },
})

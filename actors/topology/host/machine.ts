/** States of a share and of each of its guests. Declarative; the cells do the work, and no data message passes through here. */
import { setup } from 'xstate'
import type { AnyStateMachine } from 'xstate'
import { limits } from '../../../runtime/index.ts'

export type ShareEvent =
  | { readonly type: 'share.opened' }
  | { readonly type: 'share.failed' }
  /** It failed before it ever listened. */
  | { readonly type: 'share.refused' }
  | { readonly type: 'share.retry' }

/** `failed`: it listened once, cannot now, and tries again by itself. */
export const shareMachine: AnyStateMachine = setup({
  types: { events: {} as ShareEvent },
  actions: { open: () => {}, listen: () => {}, backOff: () => {} },
}).createMachine({
  id: 'share',
  initial: 'opening',
  states: {
    opening: {
      entry: 'open',
      on: { 'share.opened': 'listening', 'share.failed': 'failed', 'share.refused': 'stopped' },
    },
    listening: { entry: 'listen' },
    failed: { entry: 'backOff', on: { 'share.retry': 'opening' } },
    stopped: { type: 'final' },
  },
})

export type GuestEvent =
  | { readonly type: 'guest.secured' }
  | { readonly type: 'guest.attached' }
  | { readonly type: 'guest.caughtUp' }
  | { readonly type: 'guest.behind' }
  | { readonly type: 'guest.detached' }
  | { readonly type: 'guest.closed' }

/**
 * `passing`: the guest is sent what it lacks, at its own pace. `live`: it has everything, and commits are pushed.
 * One that has no mirror for too long is let go.
 */
export const guestMachine: AnyStateMachine = setup({
  types: { events: {} as GuestEvent },
  actions: { secure: () => {}, expire: () => {} },
  delays: { attach: limits.attachMs },
}).createMachine({
  id: 'guest',
  initial: 'handshake',
  on: { 'guest.closed': '.closed' },
  states: {
    handshake: { entry: 'secure', on: { 'guest.secured': 'authenticated' } },
    authenticated: {
      after: { attach: { actions: 'expire' } },
      on: {
        'guest.attached': 'passing',
        'guest.detached': { target: 'authenticated', reenter: true },
      },
    },
    passing: { on: { 'guest.caughtUp': 'live', 'guest.detached': 'authenticated' } },
    live: { on: { 'guest.behind': 'passing', 'guest.detached': 'authenticated' } },
    closed: { type: 'final' },
  },
})

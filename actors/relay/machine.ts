/** States of a relay: one space synced with one peer over one stream. Declarative; the exchange tells it what happened. */
import { setup, type AnyStateMachine } from 'xstate'

export type RelayEvent =
  | { type: 'relay.negotiated' }
  | { type: 'relay.caughtUp' }
  | { type: 'relay.behind' }
  | { type: 'relay.spoiled' }
  | { type: 'relay.forked' }
  | { type: 'relay.rebasing' }
  | { type: 'relay.differs' }
  | { type: 'relay.same' }

/**
 * `rebasing`: this side is a misfit; it takes one whole round, and sends and acknowledges nothing until then;
 * `repairing`: both sides say that they have everything, and hold it differently: what differs is sent again;
 * `paused`: a round was refused, the reason is in the report, and a later stream tries again;
 * `diverged`: two histories of one replica id exist; a later stream tries again, and finds it mended once the device has rebased.
 */
export const relayMachine: AnyStateMachine = setup({ types: { events: {} as RelayEvent } }).createMachine({
  id: 'relay',
  initial: 'negotiating',
  states: {
    negotiating: {
      on: {
        'relay.negotiated': 'syncing',
        'relay.rebasing': 'rebasing',
        'relay.spoiled': 'paused',
        'relay.forked': 'diverged',
      },
    },
    rebasing: {
      on: { 'relay.negotiated': 'syncing', 'relay.spoiled': 'paused', 'relay.forked': 'diverged' },
    },
    syncing: { on: { 'relay.caughtUp': 'live', 'relay.spoiled': 'paused', 'relay.forked': 'diverged' } },
    live: {
      on: {
        'relay.behind': 'syncing',
        'relay.differs': 'repairing',
        'relay.spoiled': 'paused',
        'relay.forked': 'diverged',
      },
    },
    repairing: {
      on: {
        'relay.behind': 'syncing',
        'relay.same': 'live',
        'relay.spoiled': 'paused',
        'relay.forked': 'diverged',
      },
    },
    paused: {},
    diverged: {},
  },
})

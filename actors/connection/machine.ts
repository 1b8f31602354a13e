/** States of a connection, for the side that dials and the side that accepts. Declarative; the cells do the work. */
import { setup, type AnyStateMachine } from 'xstate'

export type ConnectionEvent =
  | { type: 'connection.dialed' }
  | { type: 'connection.secured' }
  | { type: 'connection.registered' }
  | { type: 'connection.failed' }
  | { type: 'connection.refused' }
  | { type: 'connection.retry' }
  | { type: 'connection.drain' }
  | { type: 'connection.opened' }
  | { type: 'connection.closed' }

/** `failover` waits and takes the next endpoint; `refused` is for what retrying cannot heal, and stays until a person dials anew. */
export const dialedMachine: AnyStateMachine = setup({
  types: { events: {} as ConnectionEvent },
  actions: {
    dial: () => {},
    secure: () => {},
    register: () => {},
    openRelay: () => {},
    backOff: () => {},
    refuse: () => {},
    drain: () => {},
  },
}).createMachine({
  id: 'connection',
  initial: 'connecting',
  on: { 'connection.drain': '.draining' },
  states: {
    connecting: {
      entry: 'dial',
      on: {
        'connection.dialed': 'handshake',
        'connection.failed': 'failover',
        'connection.refused': 'refused',
      },
    },
    handshake: {
      entry: 'secure',
      on: {
        'connection.secured': 'authenticated',
        'connection.failed': 'failover',
        'connection.refused': 'refused',
      },
    },
    authenticated: {
      entry: 'register',
      on: {
        'connection.registered': 'syncing',
        'connection.failed': 'failover',
        'connection.refused': 'refused',
      },
    },
    syncing: {
      entry: 'openRelay',
      on: { 'connection.failed': 'failover', 'connection.refused': 'refused' },
    },
    failover: { entry: 'backOff', on: { 'connection.retry': 'connecting' } },
    refused: { entry: 'refuse' },
    draining: { entry: 'drain' },
  },
})

/** The accepting side ends with its link; a new link is a new connection. */
export const acceptedMachine: AnyStateMachine = setup({
  types: { events: {} as ConnectionEvent },
  actions: { secure: () => {} },
}).createMachine({
  id: 'accepted',
  initial: 'handshake',
  on: { 'connection.closed': '.closed' },
  states: {
    handshake: { entry: 'secure', on: { 'connection.secured': 'authenticated' } },
    authenticated: { on: { 'connection.opened': 'syncing' } },
    syncing: {},
    closed: { type: 'final' },
  },
})

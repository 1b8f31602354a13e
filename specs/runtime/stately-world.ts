/** Machines that are shown to the Stately inspector, and an exporter that writes down what it sends. */
import type { AnyStateMachine } from 'xstate'
import { setup } from 'xstate'
import type { StatelyEvent, System } from '../../runtime/index.ts'
import { BlazeError, createStatelyExporter, machine } from '../../runtime/index.ts'

export type DoorEvent = { type: 'open' | 'push' | 'burn' | 'leave' }

export const door: AnyStateMachine = setup({
  types: { events: {} as DoorEvent, context: {} as { code: string } },
  actions: { burn() {} },
}).createMachine({
  id: 'door',
  context: { code: 'secret' },
  initial: 'closed',
  states: {
    closed: { on: { open: 'open' } },
    open: {
      initial: 'ajar',
      states: { ajar: { on: { push: 'wide' } }, wide: { on: { burn: { actions: 'burn' } } } },
    },
  },
})

function burn(): never {
  throw new BlazeError('OVERLOADED', 'secret')
}

/** Regions, regions within regions, states with dots in their names and with names that begin alike. */
export const house: AnyStateMachine = setup({ types: { events: {} as DoorEvent } }).createMachine({
  id: 'house',
  type: 'parallel',
  states: {
    bell: {},
    door: {
      initial: 'a',
      states: {
        a: { on: { open: 'a\\.b' } },
        'a.b': { on: { push: 'a\\.b\\.c' } },
        'a.b.c': {
          type: 'parallel',
          on: { leave: 'a' },
          states: {
            left: { initial: 'x', states: { x: { on: { burn: 'xx' } }, xx: {} } },
            leftmost: { initial: 'on', states: { on: {} } },
          },
        },
      },
    },
    roof: {
      initial: 'dry',
      states: { dry: { on: { open: 'wet' } }, wet: { initial: 'a', states: { a: {} } } },
    },
  },
})

/** Everything that an exporter of this system sends from now on. */
export function exported(system: System): { readonly events: StatelyEvent[]; readonly stop: () => void } {
  const events: StatelyEvent[] = []
  return { events, stop: createStatelyExporter(system, (event) => events.push(event)) }
}

export function doorIn(system: System, name: string): ReturnType<typeof system.spawn<DoorEvent>> {
  const behaviour = machine<DoorEvent>({ kind: 'door', definition: door, actions: { burn } })
  return system.spawn({ name, behaviour })
}

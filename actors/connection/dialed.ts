/**
 * The dialling side of a connection: keeps one space of this device synced with one supervisor, whatever happens to the link.
 * Invariant: it is always in a state that says what it waits for; only what retrying cannot heal ends in `refused`.
 */
import { machine, type Behaviour } from '../../runtime/index.ts'
import { DialedCell } from './dialed-cell.ts'
import type { DialedMessage, DialedOptions } from './dialed-message.ts'
import { dialedMachine, type ConnectionEvent } from './machine.ts'

export function dialedConnection(o: DialedOptions): Behaviour<DialedMessage> {
  let cell: DialedCell | undefined
  return machine<DialedMessage, ConnectionEvent>({
    kind: 'connection',
    definition: dialedMachine,
    init: (ctx) => {
      cell = new DialedCell(o, ctx)
    },
    actions: {
      dial: () => cell?.dial(),
      secure: () => cell?.secure(),
      register: () => cell?.register(),
      openRelay: () => cell?.openRelay(),
      backOff: () => cell?.backOff(),
      refuse: () => cell?.hangUp('refused'),
      drain: () => cell?.hangUp('draining'),
    },
    receive: (message) => cell?.receive(message),
    last: { type: 'connection.drain' },
    inspect: () => cell?.inspect() ?? {},
  })
}

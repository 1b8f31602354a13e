/**
 * The guest actor: holds a copy of what the app next door shares, and keeps it in step with its host.
 * Invariant: it is always in a state that says what it waits for; reads are answered from the copy in every one of them.
 */
import { BlazeError, limits, machine } from '../../../runtime/index.ts'
import type { Behaviour, Ref } from '../../../runtime/index.ts'
import { GuestCell } from './guest-cell.ts'
import type { GuestCore } from './guest-core.ts'
import type { GuestMessage } from './guest-message.ts'
import { guestMachine } from './machine.ts'
import type { GuestEvent } from './machine.ts'

/** One process may be a guest of two databases of one name, in different groups. */
export function spawnGuest(core: GuestCore): Ref<GuestMessage> {
  const { world, database } = core.options
  for (let n = 1; ; n += 1) {
    const name = `guest ${database.replaceAll('/', '_').slice(0, 100)}${n === 1 ? '' : ` ${n}`}`
    try {
      return world.system.spawn({ name, behaviour: guest(core), mailboxMax: limits.databaseMailMax })
    } catch (error) {
      if (!(error instanceof BlazeError && error.code === 'NAME_TAKEN')) throw error
    }
  }
}

function guest(core: GuestCore): Behaviour<GuestMessage> {
  let cell: GuestCell | undefined
  return machine<GuestMessage, GuestEvent>({
    kind: 'guest-copy',
    definition: guestMachine,
    init: (ctx) => {
      cell = new GuestCell(core, ctx)
    },
    actions: {
      connect: () => cell?.connect(),
      secure: () => cell?.secure(),
      attach: () => cell?.attach(),
      pass: () => cell?.pass(),
      live: () => cell?.live(),
      backOff: () => cell?.backOff(),
      refuse: () => cell?.refuse(),
      close: () => cell?.close(),
    },
    receive: (message) => cell?.receive(message),
    inspect: () => cell?.inspect() ?? {},
  })
}

/**
 * The cell `clients`: one connection actor below it for each link that was accepted.
 *
 * Invariant: connections are bounded, and those that have not proven themselves once more, in all and by address; what is above is
 * closed at once, before anything was spent on it, or takes the place of one that stays silent.
 */
import { acceptedConnection } from '../actors/index.ts'
import type { AcceptedMessage } from '../actors/index.ts'
import type { Behaviour, Context, CryptoProvider, Ref } from '../runtime/index.ts'
import { limits, reducer } from '../runtime/index.ts'
import { addressOf, HeldBytes, refuseLink } from '../transports/index.ts'
import type { Link } from '../transports/index.ts'
import { PendingTable } from './access/index.ts'
import { createDesk } from './desk.ts'
import type { Desk, DeskOptions } from './desk.ts'
import type { ServerIdentity } from './identity.ts'

export type ClientsMessage =
  | { readonly type: 'client.accepted'; readonly link: Link }
  | { readonly type: 'client.proven'; readonly name: string }
  | { readonly type: 'client.gone'; readonly name: string }
  /** Says goodbye to everyone, all at once; no more are taken. */
  | { readonly type: 'clients.renew' }
  | { readonly type: 'clients.drain'; readonly reply: (count: number) => void }

interface Client {
  readonly ref: Ref<AcceptedMessage>
  readonly desk: Desk
}

interface Clients {
  readonly byName: Map<string, Client>
  readonly pending: PendingTable
  readonly held: HeldBytes
  refused: number
  draining: boolean
}

export interface ClientsOptions {
  /** As it is now: the keys may be changed while this runs. */
  identity(): ServerIdentity
  readonly crypto: CryptoProvider
  readonly desk: DeskOptions
}

export function clients(options: ClientsOptions): Behaviour<ClientsMessage> {
  // Counted over all lives: mail of a former life that was kept must not name a client of this one.
  let accepted = 0
  const nextName = (): string => `client-${++accepted}`
  return reducer<Clients, ClientsMessage>({
    kind: 'clients',
    init: () => ({
      byName: new Map(),
      pending: new PendingTable(options.desk.env),
      held: new HeldBytes(),
      refused: 0,
      draining: false,
    }),
    receive(state, message, ctx) {
      switch (message.type) {
        case 'client.accepted':
          accept(state, message.link, { ...options, nextName }, ctx)
          break
        case 'client.proven':
          state.pending.remove(message.name)
          break
        case 'client.gone':
          leave(state, message.name)
          break
        case 'clients.renew':
          for (const { ref } of state.byName.values()) void ref.stop()
          break
        case 'clients.drain':
          state.draining = true
          drain(state, message.reply, ctx)
          break
      }
      return state
    },
    inspect: ({ byName, pending, held, refused }) => ({
      connected: byName.size,
      pending: pending.size,
      heldBytes: held.bytes,
      accepted,
      refused,
    }),
  })
}

function accept(
  state: Clients,
  link: Link,
  options: ClientsOptions & { nextName(): string },
  ctx: Context<ClientsMessage>,
): void {
  const address = addressOf(link.remote)
  const room = state.pending.room(address)
  const crowded = state.byName.size >= limits.connectionsMax
  if (state.draining || crowded || room.kind === 'full') {
    const what = crowded ? 'connections' : 'connections that prove nothing'
    refuse(state, options, { address, reason: `too many ${what}` })
    refuseLink(link, 'busy')
    return
  }
  if (room.kind === 'replace') {
    refuse(state, options, { address: state.pending.addressOf(room.name), reason: 'its place was needed' })
    state.pending.remove(room.name)
    void state.byName.get(room.name)?.ref.stop()
  }
  const name = options.nextName()
  const proven = (): void => void ctx.self.tell({ type: 'client.proven', name })
  const { crypto } = options
  const desk = createDesk(options.desk, {
    address,
    proven,
    lost: () => void state.byName.get(name)?.ref.stop(),
  })
  const ref = ctx.spawn({
    name,
    behaviour: acceptedConnection({
      link,
      crypto,
      identity: options.identity(),
      access: desk,
      held: state.held,
    }),
    restart: 'temporary',
    stopBudgetMs: limits.clientStopMs,
  })
  state.byName.set(name, { ref, desk })
  state.pending.add(name, address)
  ctx.watch(ref, () => ({ type: 'client.gone', name }))
}

function leave(state: Clients, name: string): void {
  state.pending.remove(name)
  state.byName.get(name)?.desk.close()
  state.byName.delete(name)
}

function refuse(
  state: Clients,
  { desk }: ClientsOptions,
  { address, reason }: { address: string; reason: string },
): void {
  state.refused++
  desk.refusals.add({ address, code: 'BUSY', reason })
}

function drain(state: Clients, reply: (count: number) => void, ctx: Context<ClientsMessage>): void {
  const refs = [...state.byName.values()].map(({ ref }) => ref)
  ctx.run(
    () => Promise.all(refs.map((ref) => ref.stop())),
    () => {
      reply(refs.length)
      return undefined
    },
  )
}

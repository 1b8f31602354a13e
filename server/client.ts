/**
 * The cell `clients`: one connection actor below it for each link that was accepted.
 *
 * Invariant: connections, and those of one address that have not proven themselves, are bounded; what is above is closed at once,
 * before anything was spent on it.
 */
import { acceptedConnection } from '../actors/index.ts'
import type { AcceptedMessage } from '../actors/index.ts'
import type { Behaviour, Context, CryptoProvider, Ref } from '../runtime/index.ts'
import { limits, reducer } from '../runtime/index.ts'
import { refuseLink } from '../transports/index.ts'
import type { Link } from '../transports/index.ts'
import { createDesk } from './desk.ts'
import type { Desk, DeskOptions } from './desk.ts'
import type { ServerIdentity } from './identity.ts'

export type ClientsMessage =
  | { readonly type: 'client.accepted'; readonly link: Link }
  | { readonly type: 'client.proven'; readonly name: string }
  | { readonly type: 'client.gone'; readonly name: string }
  /** Says goodbye to everyone, all at once; no more are taken. */
  | { readonly type: 'clients.drain'; readonly reply: (count: number) => void }

interface Client {
  readonly ref: Ref<AcceptedMessage>
  readonly desk: Desk
  readonly address: string
  proven: boolean
}

interface Clients {
  readonly byName: Map<string, Client>
  /** Connections that have not proven themselves, by address. */
  readonly unproven: Map<string, number>
  refused: number
  draining: boolean
}

export interface ClientsOptions {
  readonly identity: ServerIdentity
  readonly crypto: CryptoProvider
  readonly desk: DeskOptions
}

export function clients(options: ClientsOptions): Behaviour<ClientsMessage> {
  // Counted over all lives: mail of a former life that was kept must not name a client of this one.
  let accepted = 0
  const nextName = (): string => `client-${++accepted}`
  return reducer<Clients, ClientsMessage>({
    kind: 'clients',
    init: () => ({ byName: new Map(), unproven: new Map(), refused: 0, draining: false }),
    receive(state, message, ctx) {
      switch (message.type) {
        case 'client.accepted':
          accept(state, message.link, { ...options, nextName }, ctx)
          break
        case 'client.proven':
          prove(state, state.byName.get(message.name))
          break
        case 'client.gone':
          leave(state, message.name)
          break
        case 'clients.drain':
          state.draining = true
          drain(state, message.reply, ctx)
          break
      }
      return state
    },
    inspect: ({ byName, refused }) => ({ connected: byName.size, accepted, refused }),
  })
}

function accept(
  state: Clients,
  link: Link,
  options: ClientsOptions & { nextName(): string },
  ctx: Context<ClientsMessage>,
): void {
  const address = addressOf(link.remote)
  const unproven = state.unproven.get(address) ?? 0
  if (
    state.draining ||
    state.byName.size >= limits.connectionsMax ||
    unproven >= limits.handshakesPerAddressMax
  ) {
    state.refused++
    refuseLink(link, 'busy')
    return
  }
  const name = options.nextName()
  const proven = (): void => void ctx.self.tell({ type: 'client.proven', name })
  const { identity, crypto } = options
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
      identity,
      access: desk,
    }),
    restart: 'temporary',
    stopBudgetMs: limits.clientStopMs,
  })
  state.byName.set(name, { ref, desk, address, proven: false })
  state.unproven.set(address, unproven + 1)
  ctx.watch(ref, () => ({ type: 'client.gone', name }))
}

function leave(state: Clients, name: string): void {
  const client = state.byName.get(name)
  prove(state, client)
  client?.desk.close()
  state.byName.delete(name)
}

function prove(state: Clients, client: Client | undefined): void {
  if (client === undefined || client.proven) return
  client.proven = true
  const rest = (state.unproven.get(client.address) ?? 1) - 1
  if (rest > 0) state.unproven.set(client.address, rest)
  else state.unproven.delete(client.address)
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

/** `host:port` without the port. */
function addressOf(remote: string): string {
  const colon = remote.lastIndexOf(':')
  return colon > 0 ? remote.slice(0, colon) : remote
}

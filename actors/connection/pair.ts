/**
 * Redeems a code or an invite: one pairing handshake whose *complete* carries the answer, then the link is closed.
 * Invariant: the secret itself is never sent; the handshake proves it.
 */
import {
  equalBytes,
  limits,
  BlazeError,
  type CryptoProvider,
  type Env,
  type Signer,
} from '../../runtime/index.ts'
import { dialChannel, type ChannelServer, type Endpoint, type Transport } from '../../transports/index.ts'
import { Route } from './route.ts'
import { dialAny } from './secure-link.ts'

export interface MeetOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly transport: Transport
  /** In order of preference; at least one. */
  readonly endpoints: readonly Endpoint[]
  /** The supervisor's static key as the URL pins it. */
  readonly serverKey: Uint8Array
  /** A P-256 scalar for this pairing, and the device that redeems. */
  readonly staticKey: Uint8Array
  readonly device: Signer
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface PairOptions extends MeetOptions {
  /** Code or invite id, 16 bytes. */
  readonly id: Uint8Array
  readonly psk: Uint8Array
}

export interface Paired {
  /** The supervisor's Ed25519 key. */
  readonly serverDevice: Uint8Array
  readonly mayHost: boolean
  /** The box of an invite; empty for an enrolment. */
  readonly result: Uint8Array
}

/** Rejects with `CODE_INVALID CODE_USED CODE_EXPIRED SERVER_KEY_MISMATCH UNREACHABLE HANDSHAKE_TIMEOUT BUSY ABORTED`. */
export async function pair(o: PairOptions): Promise<Paired> {
  const server = await greet(o, {
    pattern: 'XXpsk3',
    id: o.id,
    psk: o.psk,
    expectServerKey: o.serverKey,
  })
  if (!equalBytes(server.staticKey, o.serverKey)) {
    throw new BlazeError('SERVER_KEY_MISMATCH', 'the supervisor has another key than the one in the code')
  }
  return {
    serverDevice: server.deviceKey.slice(),
    mayHost: server.rights.mayHost,
    result: server.pairing.slice(),
  }
}

/** The Ed25519 key of a supervisor whose static key is pinned and that knows this device. `FORBIDDEN`, and as `pair`. */
export async function meet(o: MeetOptions): Promise<Uint8Array> {
  const server = await greet(o, { pattern: 'XK', serverKey: o.serverKey })
  return server.deviceKey.slice()
}

type Pattern =
  | { readonly pattern: 'XK'; readonly serverKey: Uint8Array }
  | {
      readonly pattern: 'XXpsk3'
      readonly id: Uint8Array
      readonly psk: Uint8Array
      readonly expectServerKey: Uint8Array
    }

async function greet(o: MeetOptions, pattern: Pattern): Promise<ChannelServer> {
  const link = await dialAny(o.transport, new Route(o.endpoints), {
    timeoutMs: o.timeoutMs ?? limits.dialTimeoutMs,
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  })
  const abort = (): void =>
    link.destroy(new BlazeError('ABORTED', 'the caller aborted; a code may be used up'))
  o.signal?.addEventListener('abort', abort)
  if (o.signal?.aborted === true) abort()
  const { channel, server } = await dialChannel(link, {
    env: o.env,
    crypto: o.crypto,
    staticKey: o.staticKey,
    device: o.device,
    ...pattern,
  }).finally(() => o.signal?.removeEventListener('abort', abort))
  channel.close()
  return server
}

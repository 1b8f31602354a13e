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
import { dialChannel, type Endpoint, type Transport } from '../../transports/index.ts'

export interface PairOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly transport: Transport
  readonly endpoint: Endpoint
  /** Code or invite id, 16 bytes. */
  readonly id: Uint8Array
  readonly psk: Uint8Array
  /** The supervisor's static key as the URL pins it. */
  readonly serverKey: Uint8Array
  /** A P-256 scalar for this pairing, and the device that redeems. */
  readonly staticKey: Uint8Array
  readonly device: Signer
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
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
  const link = await o.transport.dial(o.endpoint, {
    timeoutMs: o.timeoutMs ?? limits.dialTimeoutMs,
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  })
  const abort = (): void =>
    link.destroy(new BlazeError('ABORTED', 'pairing: the caller aborted; the code may be used up'))
  o.signal?.addEventListener('abort', abort)
  if (o.signal?.aborted === true) abort()
  const { channel, server } = await dialChannel(link, {
    env: o.env,
    crypto: o.crypto,
    pattern: 'XXpsk3',
    id: o.id,
    psk: o.psk,
    expectServerKey: o.serverKey,
    staticKey: o.staticKey,
    device: o.device,
  }).finally(() => o.signal?.removeEventListener('abort', abort))
  channel.close()
  if (!equalBytes(server.staticKey, o.serverKey)) {
    throw new BlazeError('SERVER_KEY_MISMATCH', 'the supervisor has another key than the one in the code')
  }
  return {
    serverDevice: server.deviceKey.slice(),
    mayHost: server.rights.mayHost,
    result: server.pairing.slice(),
  }
}

/**
 * One attempt to connect to a host and port.
 * Invariant: it ends with its deadline or signal, and a socket that is not handed out is destroyed.
 */
import type { Socket } from 'node:net'

import { BlazeError } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { formatEndpoint } from './endpoint.ts'
import type { NetworkEndpoint } from './endpoint.ts'
import type { DialOptions } from './transport.ts'

export interface SocketDial extends DialOptions {
  readonly endpoint: NetworkEndpoint
  /** The event after which the socket is of use. */
  readonly ready: 'connect' | 'secureConnect'
}

/** `UNREACHABLE`, `TIMEOUT`, `ABORTED`. */
export function dialSocket<S extends Socket>(
  env: Env,
  { endpoint, ready, signal, timeoutMs }: SocketDial,
  connect: () => S,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const where = formatEndpoint(endpoint)
    if (signal?.aborted === true) {
      reject(new BlazeError('ABORTED', `dialling ${where} was aborted`))
      return
    }
    const socket = connect()
    const settle = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      socket.off(ready, onReady)
    }
    const fail = (error: BlazeError): void => {
      settle()
      // A second error of the same attempt says nothing new.
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const onError = (cause: Error): void => {
      fail(new BlazeError('UNREACHABLE', `${where} does not answer: ${cause.message}`, { cause }))
    }
    const onAbort = (): void => fail(new BlazeError('ABORTED', `dialling ${where} was aborted`))
    const onReady = (): void => {
      settle()
      resolve(socket)
    }
    const timer = env.after(timeoutMs, () => {
      fail(new BlazeError('TIMEOUT', `${where} did not answer within ${timeoutMs} ms`))
    })
    signal?.addEventListener('abort', onAbort)
    socket.on('error', onError)
    socket.on(ready, onReady)
  })
}

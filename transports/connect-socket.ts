/**
 * One attempt to connect to a Unix socket.
 * Invariant: it ends with its signal, and a socket that is not handed out is destroyed.
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'

/** Rejects with the error of the system as it is, or with the reason of the signal. */
export function connectSocket(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const socket = createConnection(path)
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort)
      socket.off('connect', onConnect)
      socket.off('error', fail)
    }
    const fail = (error: unknown): void => {
      settle()
      // A second error of the same attempt says nothing new.
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(signal.reason)
    const onConnect = (): void => {
      settle()
      resolve(socket)
    }
    signal.addEventListener('abort', onAbort)
    socket.on('connect', onConnect)
    socket.on('error', fail)
  })
}

/**
 * Sockets that are no link yet: TLS or HTTP goes on.
 * Invariant: within their bounds, per address and in all, the oldest goes for the newest, so that silence never holds a place that somebody
 * who talks needs.
 */
import type { Socket } from 'node:net'
import { limits } from '../runtime/index.ts'
import { addressOf } from './address.ts'
import type { Refusal } from './transport.ts'

export class Strangers {
  /** Oldest first. */
  readonly #sockets = new Map<Socket, string>()
  readonly #perAddress = new Map<string, number>()
  readonly #onRefused: ((refusal: Refusal) => void) | undefined

  constructor(onRefused: ((refusal: Refusal) => void) | undefined) {
    this.#onRefused = onRefused
  }

  /** From its connection until it closes or is let go. */
  add(socket: Socket): void {
    const address = addressOf(socket.remoteAddress ?? 'unknown')
    const ofAddress = this.#perAddress.get(address) ?? 0
    if (ofAddress >= limits.strangersPerAddressMax) this.#dropOldest(address)
    else if (this.#sockets.size >= limits.strangersMax) this.#dropOldest(undefined)
    this.#sockets.set(socket, address)
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    socket.once('close', () => this.remove(socket))
  }

  /** It has become a link, or is gone. Idempotent. */
  remove(socket: Socket): void {
    const address = this.#sockets.get(socket)
    if (address === undefined) return
    this.#sockets.delete(socket)
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
  }

  destroyAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy()
  }

  #dropOldest(address: string | undefined): void {
    for (const [socket, of] of this.#sockets) {
      if (address !== undefined && of !== address) continue
      this.#onRefused?.({ remote: of, code: 'BUSY', reason: 'too many sockets that are no link yet' })
      this.remove(socket)
      socket.destroy()
      return
    }
  }
}

/**
 * A TCP proxy whose faults can be switched while it runs.
 * Invariant: chance comes from its seed alone, connections are bounded, and `close` leaves nothing open.
 */
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createChance } from '../../runtime/index.ts'
import { Direction, type Way } from './direction.ts'
import { noFaults, type Faults } from './fault.ts'

/** Connections at a time; more are reset. */
const connectionsMax = 1_024

export interface Address {
  readonly host: string
  readonly port: number
}

export interface FaultProxyOptions {
  readonly to: Address
  readonly listen?: Address
  readonly seed: number
  readonly faults?: Partial<Faults>
}

export interface ProxyCounts {
  /** Since its start; `living` now. */
  readonly connections: number
  readonly living: number
  readonly refused: number
  readonly resets: number
  readonly upBytes: number
  readonly downBytes: number
}

interface Connection {
  readonly near: Socket
  readonly far: Socket
  readonly directions: readonly Direction[]
}

export class FaultProxy {
  readonly seed: number
  readonly #to: Address
  readonly #chance: () => number
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  #faults: Faults
  #counts = { connections: 0, refused: 0, resets: 0, upBytes: 0, downBytes: 0 }

  private constructor(options: FaultProxyOptions) {
    this.seed = options.seed
    this.#to = options.to
    this.#chance = createChance(options.seed)
    this.#faults = { ...noFaults, ...options.faults }
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) =>
      this.#accept(near),
    )
  }

  /** Resolves when it listens; any free port of loopback unless told otherwise. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options)
    const { host, port } = options.listen ?? { host: '127.0.0.1', port: 0 }
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject)
      proxy.#server.listen(port, host, resolve)
    })
    return proxy
  }

  get port(): number {
    // A TCP server has an address of this shape.
    return (this.#server.address() as AddressInfo).port
  }

  get faults(): Faults {
    return this.#faults
  }

  get counts(): ProxyCounts {
    return { ...this.#counts, living: this.#connections.size }
  }

  /** Faults that are not named stay as they are. */
  set(faults: Partial<Faults>): void {
    this.#faults = { ...this.#faults, ...faults }
    for (const { directions } of this.#connections) for (const direction of directions) direction.changed()
  }

  /** What was swallowed stays away: connections that were half open stay so. */
  clear(): void {
    this.set(noFaults)
  }

  /** Resets what is open now, both sides. */
  reset(): void {
    for (const connection of this.#connections) this.#reset(connection)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const connection of this.#connections) this.#drop(connection, (socket) => socket.destroy())
    await closed
  }

  #accept(near: Socket): void {
    near.on('error', () => near.destroy())
    if (this.#faults.refuse || this.#connections.size >= connectionsMax) {
      this.#counts.refused += 1
      resetNow(near)
      return
    }
    this.#counts.connections += 1
    // Not read before: a reset of a socket that still connects would come as an orderly end.
    const far = connect({ ...this.#to, allowHalfOpen: true, noDelay: true }, () => near.resume())
    const { resetAfter } = this.#faults
    let leftBytes = resetAfter > 0 ? Math.ceil(resetAfter * (0.5 + this.#chance())) : Infinity
    const way = (count: 'upBytes' | 'downBytes'): Way => ({
      faults: () => this.#faults,
      chance: this.#chance,
      grant: (bytes) => {
        const granted = Math.min(bytes, leftBytes)
        leftBytes -= granted
        this.#counts[count] += granted
        return granted
      },
      reset: () => this.#reset(connection),
    })
    const up = new Direction('up', near, far, way('upBytes'))
    const down = new Direction('down', far, near, way('downBytes'))
    const connection: Connection = { near, far, directions: [up, down] }
    this.#connections.add(connection)
    for (const [from, to, direction] of [
      [near, far, up],
      [far, near, down],
    ] as const) {
      from.on('error', () => {
        from.destroy()
        if (!direction.swallows) resetNow(to)
      })
      from.on('close', () => {
        if (to.destroyed) this.#drop(connection, () => undefined)
      })
    }
  }

  #reset(connection: Connection): void {
    this.#counts.resets += 1
    this.#drop(connection, resetNow)
  }

  #drop(connection: Connection, end: (socket: Socket) => void): void {
    this.#connections.delete(connection)
    for (const direction of connection.directions) direction.close()
    end(connection.near)
    end(connection.far)
  }
}

/** `resetAndDestroy` alone says an orderly end first, which the other side would take for one. */
function resetNow(socket: Socket): void {
  socket.resetAndDestroy()
  socket.destroy()
}

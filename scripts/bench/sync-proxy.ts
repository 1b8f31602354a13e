/**
 * Child process of the benchmarks: passes TCP connections on and counts what passes, outside of what is measured.
 *
 * Invariant: a byte is counted when it is passed on, in the direction of its connection, whoever made that; nothing is delayed or changed.
 */
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { answerParent } from '../process/call.ts'
import { machineMs } from './load.ts'

/** Turns that are noted; none of the benches has so many. */
const turnsMax = 1_000

export interface Passed {
  /** From those who dial, and to them. */
  readonly upBytes: number
  readonly downBytes: number
  /** A turn begins with the first bytes up after bytes down, and has what passed until the next. */
  readonly turns: readonly Turn[]
}

export interface Turn {
  readonly startMs: number
  readonly bytes: number
}

export interface ProxyCalls {
  /** Port that leads to `port` of loopback. */
  open(body: { port: number }): Promise<number>
  /** Where later connections go. */
  lead(body: { port: number }): Promise<void>
  /** Counts from zero. */
  begin(body: null): Promise<void>
  passed(body: null): Promise<Passed>
  close(body: null): Promise<void>
}

let server: Server | undefined
let target = 0
const sockets = new Set<Socket>()
let [upBytes, downBytes] = [0, 0]
let last: 'up' | 'down' = 'down'
let turns: { startMs: number; bytes: number }[] = []

function count(way: 'up' | 'down', bytes: number): void {
  if (way === 'up') upBytes += bytes
  else downBytes += bytes
  if (way === 'up' && last === 'down' && turns.length < turnsMax)
    turns.push({ startMs: machineMs(), bytes: 0 })
  last = way
  const turn = turns.at(-1)
  if (turn !== undefined) turn.bytes += bytes
}

function pass(from: Socket, to: Socket, way: 'up' | 'down'): void {
  sockets.add(from)
  from.setNoDelay(true)
  from.on('data', (chunk: Buffer) => {
    count(way, chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  // The other side hears of it by its own end.
  from.on('error', () => from.destroy())
  from.on('close', () => {
    sockets.delete(from)
    to.destroySoon()
  })
}

const calls: ProxyCalls = {
  async open({ port }) {
    target = port
    const listening = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ host: '127.0.0.1', port: target, allowHalfOpen: true })
      pass(near, far, 'up')
      pass(far, near, 'down')
    })
    server = listening
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject)
      listening.listen(0, '127.0.0.1', resolve)
    })
    // A TCP server has an address of this shape.
    return (listening.address() as AddressInfo).port
  },
  async lead({ port }) {
    target = port
  },
  async begin() {
    upBytes = 0
    downBytes = 0
    last = 'down'
    turns = []
  },
  async passed() {
    return { upBytes, downBytes, turns }
  },
  async close() {
    for (const socket of sockets) socket.destroy()
    server?.close()
  },
}

answerParent(calls, () => calls.close(null))

/**
 * A supervisor that listens on a real port in a process of its own, with a clock that may run faster, and tells what it counted.
 *
 * Invariant: it is the supervisor of `blazedb serve` in all but its log, which is gathered here, and the faults that it is told to have.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createDirectoryVolume } from '../../../actors/index.ts'
import { assert, createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { answerParent } from '../../../scripts/process/call.ts'
import { startSupervisor } from '../../../server/supervisor.ts'
import type { Supervisor } from '../../../server/supervisor.ts'
import { createTlsTransport } from '../../../transports/index.ts'

/** What the planted bug is triggered by, as `decoder-fault.spec.ts` sends it. */
const FAULT_MARK = 'planted bug'

export interface ServerCalls {
  /** `speed`: how many times faster than the world its clock is. */
  start(body: { directory: string; speed: number }): Promise<{ port: number }>
  code(body: null): Promise<string>
  status(body: null): Promise<ServerStatus>
  /** After a collection. */
  memory(body: null): Promise<number>
}

export interface ServerStatus {
  /** Connections that were turned away, by code. */
  readonly refused: Readonly<Record<string, number>>
  /** How many of them the log names, those that it leaves out counted too. */
  readonly told: number
  /** Of the latest. */
  readonly reason: string
  /** Errors in the log: there should be none that no fault was planted for. */
  readonly errors: readonly string[]
  readonly clients: number
  readonly healthy: boolean
}

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

let supervisor: Supervisor | undefined
let told = 0
let reason = ''
const errors: string[] = []

function quickEnv(speed: number): Env {
  const note = (event: string, details: object = {}): void => {
    errors.push(`${event} ${JSON.stringify(details)}`.slice(0, 500))
    if (errors.length > 20) errors.shift()
  }
  const env = createNodeEnv({
    log: {
      debug() {},
      info(event, details = {}) {
        if (event !== 'connection.refused') return
        told += 1 + ('unsaid' in details ? Number(details.unsaid) : 0)
        if ('reason' in details) reason = String(details.reason)
      },
      warn: note,
      error: note,
    },
  })
  return {
    ...env,
    monotonic: () => env.monotonic() * speed,
    after: (delayMs, fn) => env.after(delayMs / speed, fn),
  }
}

/** Throws what no decoder should throw, where it opens a record with the mark in it. */
function faultyCrypto(): CryptoProvider {
  return {
    ...nodeCrypto,
    createAead(key) {
      const aead = nodeCrypto.createAead(key)
      return {
        seal: (nonce, aad, plaintext) => aead.seal(nonce, aad, plaintext),
        open(nonce, aad, sealed) {
          const plaintext = aead.open(nonce, aad, sealed)
          if (plaintext !== undefined && Buffer.from(plaintext).includes(FAULT_MARK))
            throw new TypeError('the planted bug was reached')
          return plaintext
        },
      }
    },
  }
}

const calls: ServerCalls = {
  async start({ directory, speed }) {
    const env = quickEnv(speed)
    supervisor = await startSupervisor({
      world: {
        env,
        crypto: faultyCrypto(),
        volume: createDirectoryVolume(directory),
        transport: createTlsTransport(env),
      },
      listen: { transport: 'tls', host: '127.0.0.1', port: 0 },
    })
    return { port: supervisor.endpoint.port }
  },
  code: () => running().createCode(),
  async status() {
    const { refused } = running().status()
    const { ok, clients } = running().health()
    return { refused, told, reason, errors, clients, healthy: ok }
  },
  async memory() {
    // What a socket or a promise holds is let go a few turns later.
    for (let n = 0; n < 4; n++) {
      if (typeof collect === 'function') collect()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  },
}

function running(): Supervisor {
  assert(supervisor !== undefined, 'it was not started')
  return supervisor
}

answerParent(calls, async () => supervisor?.stop())

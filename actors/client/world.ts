/**
 * What the client API runs in: the real one of the process, or a simulated one.
 * Invariant: one process has one default world, made at its first use; nothing in the client reaches around its world.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createNodeEnv, createSystem, nodeCrypto } from '../../runtime/index.ts'
import type { CryptoProvider, Env, System } from '../../runtime/index.ts'
import {
  createTlsTransport,
  createUdsTransport,
  createWebSocketTransport,
  routeTransports,
} from '../../transports/index.ts'
import type { Transport } from '../../transports/index.ts'
import { createDirectoryVolume, directFiles } from '../replica/index.ts'
import type { FilePort, Volume } from '../replica/index.ts'

export interface World {
  readonly system: System
  readonly env: Env
  readonly crypto: CryptoProvider
  /** How supervisors are dialled. */
  readonly transport: Transport
  /** Absolute path of the directory in which supervisors of this user listen for apps of this device; absent where there are none. */
  readonly supervisorDirectory?: string
  /** How apps of this device find each other. */
  readonly local: Transport
  /** Of this process, as other apps are told. */
  readonly pid: number
  /** Whether a process of this user has the pid. */
  isRunning(pid: number): boolean
  /** Absolute path of the directory of an app group that is named only. */
  groupDirectory(name: string): string
  /** The volume at a path. Two calls with one path give one place. */
  volume(at: string): Volume
  /** Backups, exports and imports. */
  readonly files: FilePort
}

let defaultWorld: World | undefined

export function processWorld(): World {
  if (defaultWorld === undefined) {
    const env = createNodeEnv()
    const webSocket = createWebSocketTransport(env)
    const local = createUdsTransport(env, nodeCrypto)
    defaultWorld = {
      system: createSystem({ env, name: 'blazedb' }),
      env,
      crypto: nodeCrypto,
      transport: routeTransports({
        tls: createTlsTransport(env),
        wss: webSocket,
        ws: webSocket,
        uds: local,
      }),
      supervisorDirectory: supervisorDirectory(),
      local,
      pid: process.pid,
      isRunning,
      groupDirectory: (name) => join(homedir(), '.local', 'share', 'blazedb', 'groups', name),
      volume: createDirectoryVolume,
      files: directFiles,
    }
  }
  return defaultWorld
}

/** The same for every process of this user, whatever it is started with. */
export function supervisorDirectory(): string {
  return join(homedir(), '.local', 'share', 'blazedb', 'supervisors')
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // There is none, or it is another user's.
    return false
  }
}

/**
 * Gives a database its supervisor: redeems the code, registers the space under a name, remembers the remote.
 * Invariant: the remote is stored only after the supervisor confirmed the name, so a refused attempt leaves nothing behind.
 */
import { BlazeError, equalBytes, isPlainObject } from '../../runtime/index.ts'
import { pair } from '../connection/index.ts'
import { deviceOf, type Database } from '../database/index.ts'
import { enrolmentPsk } from '../team/index.ts'
import type { WaitOptions } from './deadline.ts'
import { decodeRemote, encodeRemote, RemoteNode, type RemoteRecord } from './remote-node.ts'
import { SyncPolicy } from './sync-policy.ts'
import { DatabaseSync } from './sync.ts'
import type { World } from './world.ts'

export interface EnableSyncOptions extends WaitOptions {
  readonly remote: RemoteNode
  /** Name of the database on the supervisor: 1 to 64 characters of a-z, 0-9, dot, underscore, dash. */
  readonly database: string
  readonly policy?: SyncPolicy
}

const DATABASE_NAME = /^[a-z0-9._-]{1,64}$/

/** By database: a second call waits for the first, and then finds what it did. */
const underWay = new WeakMap<Database, Promise<DatabaseSync | undefined>>()

/** `sync`: the handle that is running, if any. Calling again with the same supervisor and name is harmless. */
export async function enableSync(
  world: World,
  database: Database,
  sync: DatabaseSync | undefined,
  options: EnableSyncOptions,
): Promise<DatabaseSync> {
  checkOptions(options)
  const first = underWay.get(database) ?? Promise.resolve(sync)
  const enabled = first.then((running) => enable(world, database, running ?? sync, options))
  const settled = enabled.catch(() => undefined)
  underWay.set(database, settled)
  void settled.then(() => {
    if (underWay.get(database) === settled) underWay.delete(database)
  })
  return enabled
}

function checkOptions(options: EnableSyncOptions): void {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { remote, database: name, policy } = options
  if (!(remote instanceof RemoteNode)) {
    throw new TypeError('remote: expected a RemoteNode; RemoteNode.parse makes one from an enrolment code')
  }
  if (typeof name !== 'string' || !DATABASE_NAME.test(name)) {
    throw new TypeError(
      `database: expected 1 to 64 characters of a-z, 0-9, dot, underscore and dash, got "${String(name)}"`,
    )
  }
  if (policy !== undefined && !(policy instanceof SyncPolicy)) {
    throw new TypeError('policy: expected a SyncPolicy')
  }
}

async function enable(
  world: World,
  database: Database,
  sync: DatabaseSync | undefined,
  options: EnableSyncOptions,
): Promise<DatabaseSync> {
  const { remote: node, database: name } = options
  const known = decodeRemote(database.identity.remote)
  if (known !== undefined) {
    const same =
      equalBytes(known.serverKey, node.serverKey) && (known.database === name || known.database === '')
    if (!same)
      throw new BlazeError(
        'REFUSED',
        `this database syncs with ${known.host}:${known.port} as "${known.database}" already`,
      )
    if (sync?.ended === false) return sync
    // One that was stopped has to be gone before another takes its place.
    await sync?.stop()
  }
  const record = known ?? (await redeem(world, database, node, name, options))
  const started = startSync(world, database, record)
  try {
    await started.wait('enableSync', options, () => started.report?.registered === true && started.isMember())
    if (known === undefined) await database.updateIdentity({ remote: encodeRemote(record) })
    return started
  } catch (error) {
    await started.stop()
    throw error
  }
}

export function startSync(world: World, database: Database, remote: RemoteRecord): DatabaseSync {
  const sync = new DatabaseSync(
    { database, transport: world.transport, spawn: (spec) => world.system.spawn(spec) },
    remote,
  )
  sync.start()
  return sync
}

/** Without a code the device has to be known there; the connection finds out. */
async function redeem(
  world: World,
  database: Database,
  node: RemoteNode,
  name: string,
  options: WaitOptions,
): Promise<RemoteRecord> {
  const { host, port, serverKey, enrolment } = node
  const { crypto, env } = world
  const device = deviceOf(database.identity, crypto)
  if (enrolment === undefined) {
    throw new BlazeError(
      'NOT_SUPPORTED',
      'enableSync without an enrolment code is not in this version; blazedb enroll prints one',
    )
  }
  const paired = await pair({
    env,
    crypto,
    transport: world.transport,
    endpoint: { transport: world.transport.name === 'memory' ? 'memory' : 'tls', host, port },
    id: enrolment.codeId,
    psk: enrolmentPsk(crypto, enrolment),
    serverKey,
    staticKey: device.dhScalar,
    device: device.signer,
    ...options,
  })
  return { host, port, serverKey, serverDevice: paired.serverDevice, database: name }
}

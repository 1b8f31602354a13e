/**
 * Gives a database its supervisor: redeems the code, registers the space under a name, remembers the remote.
 * Invariant: the remote is stored only after the supervisor confirmed the name, so a refused attempt leaves nothing behind.
 */
import { BlazeError, equalBytes, isPlainObject } from '../../runtime/index.ts'
import { meet, pair } from '../connection/index.ts'
import { deviceOf, type Database } from '../database/index.ts'
import { enrolmentPsk } from '../team/index.ts'
import type { WaitOptions } from './deadline.ts'
import { endpointsOf } from './remote-endpoints.ts'
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
const underWay = new WeakMap<Database, Promise<void>>()

/**
 * `sync`: the handle of before, if any. Calling again with the same supervisor and name is harmless; other addresses of it are kept from
 * then on. `adopt` is called with each handle that takes the place of the one of before.
 */
export async function enableSync(
  world: World,
  database: Database,
  place: SyncPlace,
  options: EnableSyncOptions,
): Promise<DatabaseSync> {
  checkOptions(options)
  const first = underWay.get(database) ?? Promise.resolve()
  const enabled = first.then(() => enable(world, database, place, options))
  const settled = enabled.then(
    () => undefined,
    () => undefined,
  )
  underWay.set(database, settled)
  void settled.then(() => {
    if (underWay.get(database) === settled) underWay.delete(database)
  })
  return enabled
}

/** Where a client keeps its handle. */
export interface SyncPlace {
  current: DatabaseSync | undefined
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
  place: SyncPlace,
  options: EnableSyncOptions,
): Promise<DatabaseSync> {
  const { remote: node, database: name } = options
  const known = decodeRemote(database.identity.remote)
  const same = known !== undefined && isSame(known, node, name)
  if (known !== undefined && !same && place.current?.ended === false) {
    throw new BlazeError(
      'REFUSED',
      `this database syncs with ${known.host}:${known.port} as "${known.database}"; stop() its handle first to move it`,
    )
  }
  if (known !== undefined && !same && !isMember(database)) {
    throw new BlazeError(
      'NOT_A_MEMBER',
      `this device has not finished to join at ${known.host}:${known.port}, and no other supervisor knows its invite; close and open the database, and move it when it is in the team`,
    )
  }
  if (same && hasAddress(known, node)) {
    if (place.current?.ended === false) return place.current
  } else if (same) {
    // Addresses prove nothing and promise nothing: they may be kept before the supervisor was seen there.
    await database.updateIdentity({ remote: encodeRemote(moved(known, node)) })
  }
  // One that was stopped has to be gone before another takes its place.
  await place.current?.stop()
  const record = same ? moved(known, node) : await redeem(world, database, node, name, options)
  const started = startSync(world, database, record)
  if (same) place.current = started
  try {
    await started.wait('enableSync', options, () => {
      if (started.report?.registered !== true || !started.isMember()) return false
      // Without a name to confirm, the supervisor confirms by opening the space.
      return record.database !== '' || started.isOnline()
    })
    if (!same) await database.updateIdentity({ remote: encodeRemote(record) })
    place.current = started
    return started
  } catch (error) {
    await started.stop()
    throw error
  }
}

/** As far as is known: a store that is being opened again tells nothing. */
function isMember({ space, identity, crypto }: Database): boolean {
  return space === undefined || space.team.role(deviceOf(identity, crypto).keys.signKey) !== undefined
}

function isSame(known: RemoteRecord, node: RemoteNode, name: string): boolean {
  const keys = [known.serverKey, ...(known.formerKeys ?? [])]
  const sameServer = keys.some((key) => equalBytes(key, node.serverKey))
  return sameServer && (known.database === name || known.database === '')
}

function moved(
  { serverKey, serverDevice, database, formerKeys }: RemoteRecord,
  node: RemoteNode,
): RemoteRecord {
  return {
    ...addressOf(node),
    serverKey,
    serverDevice,
    database,
    ...(formerKeys === undefined ? {} : { formerKeys }),
  }
}

type Address = Pick<RemoteRecord, 'host' | 'port' | 'transports' | 'endpoints'>

function addressOf({ host, port, transports, endpoints }: Address | RemoteNode): Address {
  return {
    host,
    port,
    ...(transports === undefined ? {} : { transports }),
    ...(endpoints === undefined ? {} : { endpoints }),
  }
}

function hasAddress(known: Address, node: RemoteNode): boolean {
  return JSON.stringify(addressOf(known)) === JSON.stringify(addressOf(node))
}

export function startSync(world: World, database: Database, remote: RemoteRecord): DatabaseSync {
  const sync = new DatabaseSync(world, database, remote)
  sync.start()
  return sync
}

/** Without a code the device has to be in the team of a space that the supervisor has, or to have hosted one: the supervisor knows. */
async function redeem(
  world: World,
  database: Database,
  node: RemoteNode,
  name: string,
  options: WaitOptions,
): Promise<RemoteRecord> {
  const { serverKey, enrolment } = node
  const { crypto, env, transport } = world
  const device = deviceOf(database.identity, crypto)
  const place = {
    env,
    crypto,
    transport,
    endpoints: endpointsOf(world, node),
    serverKey,
    staticKey: device.dhScalar,
    device: device.signer,
    ...options,
  }
  const serverDevice =
    enrolment === undefined
      ? await meet(place)
      : (await pair({ ...place, id: enrolment.codeId, psk: enrolmentPsk(crypto, enrolment) })).serverDevice
  return { ...addressOf(node), serverKey, serverDevice, database: enrolment === undefined ? '' : name }
}

/**
 * Opens what a database needs, in the order that keeps a directory consistent: lock, header, team and replica, first log entries.
 * Invariant: nothing is written before the store's lock is held, and the header is there before anything that it names.
 */
import { BlazeError, equalBytes } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { OrderedStore, Volume } from '../replica/index.ts'
import { readConfirmed } from '../replica/index.ts'
import { openSpace } from '../team/index.ts'
import type { Space } from '../team/index.ts'
import { HybridClock } from './clock.ts'
import type { DatabaseCore, UnlockedDatabase } from './core.ts'
import { createHeader, missingHeader, unlockHeader } from './header-file.ts'
import type { HeaderFile, HeaderWorld } from './header-file.ts'
import { announcementOf, deviceOf, foundSpace } from './identity.ts'
import { openInbox } from './inbox/conflict-inbox.ts'
import { openIndexes } from './index/load-indexes.ts'
import { checkRestored } from './moving/restore.ts'
import { KeyedView } from './view/keyed-view.ts'
import { Keyring } from './keyring.ts'
import { derivedRows, leaveReplica, reissueAll } from './rebase.ts'
import { RecordReader } from './view/record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import { DatabaseSession } from './session.ts'

const STORE = 'store'
/** Row of format and space (PROTOCOL §6.1): it is there once a store was opened. */
const FORMAT_ROW = new TextEncoder().encode('f')

/** Nobody has made a database here. An opening that fails before it has written the header leaves an empty store, and that is nothing. */
export async function isUnused(volume: Volume): Promise<boolean> {
  const files = await volume.list('')
  if (files.length === 0) return true
  if (files.some((file) => file !== STORE)) return false
  const store = await volume.openStore(STORE)
  try {
    return store.get(FORMAT_ROW) === undefined
  } finally {
    await store.close()
  }
}

/** `emit` announces events of the cell; `fail` ends this opening, so that a fresh one follows. */
export async function openSession(
  core: DatabaseCore,
  emit: (event: string, details: object) => void,
  fail: (error: BlazeError) => void,
): Promise<DatabaseSession> {
  const store = await core.options.volume.openStore(STORE)
  try {
    const unlocked = await core.unlock(() => unlock(core, store))
    try {
      return await openReplicaSession(core, unlocked, store, { emit, fail })
    } catch (error) {
      if (!(await leftForDamage(core, unlocked.header, store, error))) throw error
      emit('database.damaged', { error: error instanceof Error ? error.message : String(error) })
      return await openReplicaSession(core, unlocked, store, { emit, fail })
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

async function unlock(core: DatabaseCore, store: OrderedStore): Promise<UnlockedDatabase> {
  const { volume, secret, birth, kdf = 'standard' } = core.options
  const { crypto, env } = core.world
  const world: HeaderWorld = { volume, crypto, env }
  let header: HeaderFile | undefined = await unlockHeader(world, secret)
  if (header !== undefined && birth !== undefined) {
    throw new BlazeError('NAME_TAKEN', 'the directory holds a database already', {
      details: { at: volume.at },
    })
  }
  if (header === undefined) {
    await checkRestored(volume)
    if (store.get(FORMAT_ROW) !== undefined) throw missingHeader()
    const identity = birth ?? foundSpace({ crypto, env })
    header = await createHeader(world, { secret, profile: kdf, identity })
  }
  const { space: spaceId, tagKey, epochs, replica } = header.identity
  return {
    header,
    keyring: new Keyring({ crypto, spaceId, tagKey, epochs }),
    clock: new HybridClock(env, replica),
  }
}

async function openReplicaSession(
  core: DatabaseCore,
  { header, keyring, clock }: UnlockedDatabase,
  store: OrderedStore,
  { emit, fail }: { emit: (event: string, details: object) => void; fail: (error: BlazeError) => void },
): Promise<DatabaseSession> {
  const { crypto, env } = core.world
  const { space: spaceId, replica: replicaId, rebase, remote } = header.identity
  clock.writeAs(replicaId)
  const reader = new RecordReader({ crypto, keyring, clock })
  const view = new KeyedView({
    env,
    reader,
    onHeld: (reason, writer) => emit('envelope.held', { reason, writer }),
    onChanged: (changes) => core.changed(changes),
    onFault: fail,
  })
  const space = await openSpace({
    store,
    spaceId,
    env,
    crypto,
    own: { replicaId, signer: deviceOf(header.identity, crypto).signer },
    derived: derivedRows,
    ...(rebase === undefined ? {} : { rebase }),
  })
  await learnGenesis(header, space)
  await announce(header, space, crypto)
  await reissueAll(space.replica, keyring, { replicaId, hasPeers: remote !== undefined })
  // From here on the store itself says how far the rebase has come.
  if (rebase !== undefined) await header.update({ rebase: undefined })
  const key = header.localKey('index')
  const opened = await openIndexes({ env, crypto, replica: space.replica, key })
  if (opened.problem !== undefined) emit('indexes.rebuilt', { problem: opened.problem })
  clock.wasShown(opened.shownMs)
  await view.attach(space.replica, opened)
  const writer = new RecordWriter({
    crypto,
    clock,
    keyring,
    view,
    space,
    replicaId,
    relaxed: core.options.durability === 'relaxed' ? core : undefined,
    isMirror: (name) => header.identity.mirrors.some(({ collection }) => collection === name),
  })
  const inbox = await openInbox({
    env,
    crypto,
    replica: space.replica,
    reader,
    key: header.localKey('inbox'),
  })
  const ownKey = deviceOf(header.identity, crypto).keys.signKey
  const isOwn = (id: Uint8Array): boolean => {
    const device = space.team.device(id)
    return device !== undefined && equalBytes(device.signKey, ownKey)
  }
  return new DatabaseSession({ env, crypto, space, view, writer, inbox, isOwn })
}

/** Rows are lost: with a supervisor that holds what it was sent, the directory goes on under a new replica id. Once an opening. */
async function leftForDamage(
  core: DatabaseCore,
  header: HeaderFile,
  store: OrderedStore,
  error: unknown,
): Promise<boolean> {
  const { identity } = header
  if (!(error instanceof BlazeError) || error.code !== 'DAMAGED' || identity.remote === undefined)
    return false
  const forkPoint = readConfirmed(store)
  await header.update(leaveReplica(identity, { env: core.world.env, reason: 'damaged', forkPoint }))
  return true
}

async function learnGenesis(header: HeaderFile, space: Space): Promise<void> {
  const { genesis } = header.identity
  if (genesis === undefined) return
  await space.learn({ entries: [...genesis.entries], announcements: [...genesis.announcements] })
  await header.update({ genesis: undefined })
}

/** A replica id that is new, or whose announcement was lost with its row. It counts once its device is in the team. */
async function announce({ identity }: HeaderFile, space: Space, crypto: CryptoProvider): Promise<void> {
  if (space.team.device(identity.replica) !== undefined) return
  if (space.team.role(deviceOf(identity, crypto).keys.signKey) === undefined) return
  await space.learn({ announcements: [announcementOf(identity, crypto)] })
}

/**
 * Opens what a database needs, in the order that keeps a directory consistent: lock, header, team and replica, first log entries.
 * Invariant: nothing is written before the store's lock is held, and the header is there before anything that it names.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { OrderedStore } from '../replica/index.ts'
import { openSpace } from '../team/index.ts'
import type { Space } from '../team/index.ts'
import { HybridClock } from './clock.ts'
import type { DatabaseCore, UnlockedDatabase } from './core.ts'
import { createHeader, missingHeader, unlockHeader } from './header-file.ts'
import type { HeaderFile, HeaderWorld } from './header-file.ts'
import { deviceOf, foundSpace } from './identity.ts'
import { KeyedView } from './view/keyed-view.ts'
import { Keyring } from './keyring.ts'
import { RecordReader } from './view/record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import { DatabaseSession } from './session.ts'

const STORE = 'store'
/** Row of format and space (PROTOCOL §6.1): it is there once a store was opened. */
const FORMAT_ROW = new TextEncoder().encode('f')

/** `emit` announces events of the cell. */
export async function openSession(
  core: DatabaseCore,
  emit: (event: string, details: object) => void,
): Promise<DatabaseSession> {
  const store = await core.options.volume.openStore(STORE)
  try {
    const unlocked = await core.unlock(() => unlock(core, store))
    return await openReplicaSession(core, unlocked, store, emit)
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
  emit: (event: string, details: object) => void,
): Promise<DatabaseSession> {
  const { crypto, env } = core.world
  const { space: spaceId, replica: replicaId } = header.identity
  const view = new KeyedView({
    env,
    reader: new RecordReader({ crypto, keyring, clock }),
    onHeld: (reason, writer) => emit('envelope.held', { reason, writer }),
    onChanged: (changes) => core.changed(changes),
  })
  const space = await openSpace({
    store,
    spaceId,
    env,
    crypto,
    own: { replicaId, signer: deviceOf(header.identity, crypto).signer },
    visit: (tag, live, arrival) => view.visit(tag, live, arrival),
  })
  view.attach(space.replica)
  await learnGenesis(header, space)
  const writer = new RecordWriter({
    crypto,
    clock,
    keyring,
    view,
    space,
    replicaId,
    isMirror: (name) => header.identity.mirrors.some(({ collection }) => collection === name),
  })
  return new DatabaseSession({ env, space, view, writer })
}

async function learnGenesis(header: HeaderFile, space: Space): Promise<void> {
  const { genesis } = header.identity
  if (genesis === undefined) return
  await space.learn({ entries: [...genesis.entries], announcements: [...genesis.announcements] })
  await header.update({ genesis: undefined })
}

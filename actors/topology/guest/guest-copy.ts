/**
 * Finds a directory for a guest's copy and opens what is there.
 * Invariant: a copy belongs to one process at a time; one that does not prove itself is removed while its lock is held, and fetched
 * again.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import type { OrderedStore, Volume } from '../../replica/index.ts'
import type { AppGroup, AppIdentity } from '../group/index.ts'
import { GuestSession } from './guest-session.ts'
import { removeRows } from './mirror-opening.ts'
import { MirrorView } from './mirror-view.ts'

export interface CopyPlace {
  readonly world: { readonly env: Env; readonly crypto: CryptoProvider; volume(at: string): Volume }
  readonly group: AppGroup
  readonly app: AppIdentity
  readonly database: string
}

export interface CopyHandlers {
  /** What was there could not be used. */
  readonly dropped: (at: string, reason: BlazeError) => void
  /** See `MirrorStore.open`. */
  readonly failed: (error: unknown) => void
}

const STORE = 'store'

/**
 * The first copy that no other process holds. `ALREADY_OPEN` when all are held, `UNSAFE_DIRECTORY`, `POISONED` and `DISK_FULL` when it
 * cannot be written.
 */
export async function openCopy(place: CopyPlace, handlers: CopyHandlers): Promise<GuestSession> {
  const { world, group, app, database } = place
  for (let slot = 0; slot < limits.guestSlotsMax; slot += 1) {
    const volume = world.volume(group.guestDirectory(app.id, database, slot))
    await volume.private()
    try {
      return await openSlot(place, volume, handlers)
    } catch (error) {
      if (!isCode(error, 'ALREADY_OPEN')) throw error
    }
  }
  throw new BlazeError(
    'ALREADY_OPEN',
    `${limits.guestSlotsMax} processes of the app ${app.id} hold copies of "${database}" already`,
  )
}

async function openSlot(place: CopyPlace, volume: Volume, handlers: CopyHandlers): Promise<GuestSession> {
  const store = await openStore(volume, handlers)
  try {
    return await openView(place, volume, store, handlers)
  } catch (error) {
    if (!isDamage(error)) {
      await store.close()
      throw error
    }
    handlers.dropped(volume.at, error)
  }
  try {
    // In place: were the lock let go, the files of another process could be removed.
    await removeRows(store)
    return await openView(place, volume, store, handlers)
  } catch (error) {
    await store.close()
    if (!(error instanceof BlazeError)) throw error
    handlers.dropped(volume.at, error)
  }
  // The disk does not even remove rows: what it holds is beyond use.
  await volume.remove(STORE)
  return openFresh(place, volume, handlers)
}

async function openStore(volume: Volume, handlers: CopyHandlers): Promise<OrderedStore> {
  try {
    return await volume.openStore(STORE)
  } catch (error) {
    if (!isCode(error, 'DAMAGED')) throw error
    handlers.dropped(volume.at, error)
    await volume.remove(STORE)
    return volume.openStore(STORE)
  }
}

async function openFresh(place: CopyPlace, volume: Volume, handlers: CopyHandlers): Promise<GuestSession> {
  const store = await volume.openStore(STORE)
  try {
    return await openView(place, volume, store, handlers)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function openView(
  { world, group, app, database }: CopyPlace,
  volume: Volume,
  store: OrderedStore,
  handlers: CopyHandlers,
): Promise<GuestSession> {
  const { env, crypto } = world
  const key = group.guestKey(app.id, database)
  const view = await MirrorView.open({ store, env, crypto, key }, handlers.failed)
  return new GuestSession(env, view, volume.at)
}

/** Whether trying again cannot help. */
function isDamage(error: unknown): error is BlazeError {
  return isCode(error, 'DAMAGED') || (error instanceof BlazeError && error.details['damaged'] === true)
}

function isCode(error: unknown, code: BlazeError['code']): error is BlazeError {
  return error instanceof BlazeError && error.code === code
}

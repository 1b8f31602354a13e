/**
 * Makes this process a guest of a database that another app of this device shares.
 * Invariant: an attempt that fails leaves nothing running, and the directory of the copy free.
 */
import { isPlainObject, limits } from '../../runtime/index.ts'
import { openAppGroup } from '../topology/group/index.ts'
import { openGuest, type GuestDatabase } from '../topology/guest/index.ts'
import { checkApp, checkAppGroup, expectNames, checkMode, sharedNameProblem } from './cross-app-option.ts'
import type { AppGroupPlace, SharedMode } from './cross-app-option.ts'
import { bounded, stepwise, type WaitOptions } from './deadline.ts'
import { SharedSource } from './shared-source.ts'
import type { World } from './world.ts'

export interface ConnectToSharedOptions extends WaitOptions {
  readonly appGroup: AppGroupPlace
  /** Name of the database, as the app that shares it opened it. */
  readonly database: string
  /** `readWrite`: writes are decided by the app that shares the database. */
  readonly mode: SharedMode
  /** Id of this app in the group: 1 to 64 characters of a-z, 0-9, dot, underscore and dash. Default `default`. */
  readonly app?: string
}

/** See `BlazeDBClient.connectToShared`. */
export async function connectToShared(
  world: World,
  options: ConnectToSharedOptions,
): Promise<{ guest: GuestDatabase; shared: SharedSource }> {
  const { place, database, mode, app } = checkOptions(options, world)
  const { env, pid } = world
  const left = stepwise(env, options, limits.sharedWaitMs)
  const step = <T>(work: Promise<T>): Promise<T> => bounded(env, 'connectToShared', left(), work)
  const group = await step(openAppGroup(world, place))
  const identity = await step(group.app(app))
  const opening = openGuest({ world, group, app: identity, database, mode, pid })
  let guest: GuestDatabase
  try {
    guest = await step(opening)
  } catch (error) {
    // The caller has given up: a copy that opens later is nobody's.
    opening.then((late) => late.close()).catch(() => undefined)
    throw error
  }
  const shared = new SharedSource({ env, appGroup: place.id, database, app, mode }, guest)
  try {
    await shared.ready(left())
  } catch (error) {
    await guest.close()
    throw error
  }
  return { guest, shared }
}

function checkOptions(
  options: ConnectToSharedOptions,
  world: World,
): { place: { id: string; directory: string }; database: string; mode: SharedMode; app: string } {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  expectNames(options, 'options', ['appGroup', 'database', 'mode', 'app', 'timeoutMs', 'signal'])
  const { appGroup, database, mode, app } = options
  const problem = typeof database === 'string' ? sharedNameProblem(database) : 'it is no text'
  if (problem !== undefined)
    throw new TypeError(`database: expected the name of a shared database: ${problem}`)
  return { place: checkAppGroup(appGroup, world), database, mode: checkMode(mode), app: checkApp(app) }
}

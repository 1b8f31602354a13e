/**
 * How a database is shared with other apps of this device: one share for each app group.
 * Invariant: a share that could not begin leaves nothing running, and none outlives the database.
 */
import { BlazeError, isPlainObject, limits } from '../../runtime/index.ts'
import type { Database } from '../database/index.ts'
import { openAppGroup } from '../topology/group/index.ts'
import { startShare, type Grants } from '../topology/host/index.ts'
import type { ExportPolicy } from '../topology/policy/index.ts'
import {
  checkApp,
  checkAppGroup,
  checkGrants,
  checkPolicy,
  expectNames,
  sharedNameProblem,
} from './cross-app-option.ts'
import type { AppGroupPlace } from './cross-app-option.ts'
import { CrossAppShare } from './cross-app-share.ts'
import { bounded, stepwise, type WaitOptions } from './deadline.ts'
import type { World } from './world.ts'

export interface EnableCrossAppOptions extends WaitOptions {
  readonly appGroup: AppGroupPlace
  /** What other apps may see and do. */
  readonly exportPolicy: ExportPolicy
  /** Id of this app in the group: 1 to 64 characters of a-z, 0-9, dot, underscore and dash. Default `default`. */
  readonly app?: string
  /** By app id: who may come in, and how far. Default: every app of the group, as far as the policy goes. */
  readonly grants?: Grants
}

/** The shares of one database. */
export class CrossAppShares {
  readonly #world: World
  readonly #database: Database
  /** By directory of the group. */
  readonly #shares = new Map<string, CrossAppShare>()
  /** Resolves when the calls before are through. */
  #turn: Promise<void> = Promise.resolve()
  #closed = false

  constructor(world: World, database: Database) {
    this.#world = world
    this.#database = database
  }

  /** Resolves when guests can connect. See `BlazeDBClient.enableCrossAppSync`. */
  async enable(options: EnableCrossAppOptions): Promise<CrossAppShare> {
    const { env } = this.#world
    const wanted = checkOptions(options, this.#world)
    const problem = sharedNameProblem(this.#database.name)
    if (problem !== undefined) {
      throw new BlazeError('NOT_SUPPORTED', `the name of this database cannot be shared: ${problem}`)
    }
    const left = stepwise(env, options, limits.waitMs)
    const before = this.#turn
    let through = (): void => {}
    this.#turn = new Promise((resolve) => {
      through = resolve
    })
    try {
      await bounded(env, 'enableCrossAppSync', left(), before)
      return await this.#enable(wanted, left)
    } finally {
      // A call that gave up must not let a later one overtake those before it.
      void before.then(through)
    }
  }

  /** Ends all of them, and those that are about to begin. */
  async stop(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#shares.values()].map((share) => share.stop()))
  }

  async #enable(wanted: Wanted, left: () => WaitOptions): Promise<CrossAppShare> {
    const { directory } = wanted.group
    const known = this.#shares.get(directory)
    if (known === undefined || known.ended) {
      await known?.stop()
      return this.#start(wanted, left)
    }
    if (known.app !== wanted.app) {
      throw new BlazeError(
        'REFUSED',
        `this database is shared in the app group ${known.appGroup} by the app ${known.app} already; stop that share first`,
      )
    }
    known.replace(wanted.policy, wanted.grants)
    await known.listening(left())
    return known
  }

  async #start(
    { group: place, app, policy, grants }: Wanted,
    left: () => WaitOptions,
  ): Promise<CrossAppShare> {
    const world = this.#world
    const database = this.#database
    const step = <T>(work: Promise<T>): Promise<T> => bounded(world.env, 'enableCrossAppSync', left(), work)
    const group = await step(openAppGroup(world, place))
    const identity = await step(group.app(app))
    if (this.#closed) throw new BlazeError('CLOSED', 'the database was closed')
    const share = new CrossAppShare(
      { env: world.env, appGroup: place.id, database: database.name, app, policy, grants },
      (report) => startShare({ database, world, group, app: identity, policy, grants, report }),
    )
    this.#shares.set(place.directory, share)
    try {
      await share.listening(left())
    } catch (error) {
      this.#shares.delete(place.directory)
      await share.stop()
      throw error
    }
    return share
  }
}

interface Wanted {
  readonly group: { readonly id: string; readonly directory: string }
  readonly app: string
  readonly policy: ExportPolicy
  readonly grants: Grants | undefined
}

function checkOptions(options: EnableCrossAppOptions, world: World): Wanted {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  expectNames(options, 'options', ['appGroup', 'exportPolicy', 'app', 'grants', 'timeoutMs', 'signal'])
  return {
    group: checkAppGroup(options.appGroup, world),
    app: checkApp(options.app),
    policy: checkPolicy(options.exportPolicy, 'exportPolicy'),
    grants: checkGrants(options.grants),
  }
}

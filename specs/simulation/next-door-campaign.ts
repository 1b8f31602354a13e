/**
 * A host and three guests that do what comes to their minds, while policies change, links break and processes lose their power.
 * Invariant: every decision comes from the seed, and everything that happens is told to the oracle as it happens.
 */
import { connectIn, ExportPolicy } from '../../actors/index.ts'
import type { BlazeDBClient, CrossAppShare, ExportPolicyOptions, Grants } from '../../actors/index.ts'
import type { LiveDelta } from '../../actors/database/index.ts'
import { BlazeError } from '../../runtime/index.ts'
import { COLLECTIONS, NextDoorChance } from './next-door-chance.ts'
import { NextDoorGuest } from './next-door-guest.ts'
import { NextDoorOracle } from './next-door-oracle.ts'
import { modeOf } from './next-door-policy.ts'
import type { Mode, OraclePolicy, Shown, Terms } from './next-door-policy.ts'
import { NextDoorWorld, type AppProcess } from './next-door-world.ts'
import { IDS, NextDoorWrites } from './next-door-write.ts'

/** Records of a seed in which a pass takes several pages. */
const BULK = 600
const APPS = ['alpha', 'beta']
const GROUP = 'campaign'
const DATABASE = 'shared'

interface Host {
  readonly process: AppProcess
  readonly db: BlazeDBClient
  readonly share: CrossAppShare
}

/** After these nothing was written, or nothing will be. */
const definite: ReadonlySet<string> = new Set([
  'FORBIDDEN',
  'READ_ONLY',
  'NOT_FOUND',
  'RECORD_EXISTS',
  'OFFLINE',
])

export class Campaign {
  readonly world: NextDoorWorld
  readonly oracle: NextDoorOracle
  readonly guests: readonly NextDoorGuest[] = [
    new NextDoorGuest('board', 'alpha', 'readWrite'),
    new NextDoorGuest('desk', 'beta', 'readWrite'),
    new NextDoorGuest('wall', 'alpha', 'readOnly'),
  ]
  readonly #chance: NextDoorChance
  readonly #writes: NextDoorWrites
  /** Bugs that showed where nobody waits for them. */
  readonly #failures: unknown[] = []
  /** Calls without an outcome yet, of processes that still run. */
  readonly #pending = new Map<Promise<unknown>, AppProcess>()
  host: Host | undefined

  constructor(seed: number) {
    this.world = new NextDoorWorld(seed)
    const chance = new NextDoorChance(() => this.world.simulation.random())
    this.#chance = chance
    const grants = chance.flip(0.5) ? undefined : chance.grants(APPS)
    this.oracle = new NextDoorOracle({ policy: chance.policy(), grants })
    this.#writes = new NextDoorWrites(chance, this.oracle)
    this.world.onSealed = (sender, plaintext) => {
      if (sender === 'host') this.oracle.sent(plaintext)
    }
  }

  /** Throws the first bug that showed anywhere. */
  check(): void {
    for (const guest of this.guests) {
      if (this.#current(guest)) this.#checkShown(guest, guest.shown)
    }
    for (const failure of this.#failures) throw failure
  }

  /** A host with records, and three guests that are connected if they may. */
  async begin(): Promise<void> {
    const { db, process } = await this.startHost()
    for (let id = 0; id < IDS; id++)
      for (const name of COLLECTIONS) this.#insert(db, process, `${name}/r${id}`)
    const bulk = this.#chance.flip(0.3) ? BULK : 0
    for (let id = 0; id < bulk; id++) this.#insert(db, process, `notes/bulk${id}`)
    for (const guest of this.guests) void this.connect(guest, guest.mode)
  }

  async startHost(): Promise<Host> {
    const { world, oracle } = this
    const process = world.process('host')
    const db = await process.open(DATABASE)
    const states = new Map<string, Shown>()
    let loaded = 0
    for (const collection of COLLECTIONS) {
      db.collection(collection)
        .query()
        .live((delta) => {
          this.#watch(() => {
            if (loaded >= COLLECTIONS.length) this.#committed(collection, delta)
            else for (const doc of delta.added) states.set(`${collection}/${doc.id}`, doc)
            loaded += loaded < COLLECTIONS.length ? 1 : 0
          })
        })
    }
    await world.simulation.run(() => loaded === COLLECTIONS.length, { virtualMs: 10_000 })
    oracle.hostUp(states)
    const share = await world.settle(
      db.enableCrossAppSync({
        appGroup: GROUP,
        app: 'host',
        exportPolicy: new ExportPolicy(optionsOf(oracle.policy)),
        ...grantsOf(oracle.terms),
      }),
    )
    this.host = { process, db, share }
    return this.host
  }

  /** One random thing. */
  async act(): Promise<void> {
    const { network } = this.world
    const guest = this.#chance.pick(this.guests)
    const kind = this.#chance.next()
    if (kind < 0.03) this.#crashHost()
    else if (kind < 0.06) this.#crashGuest(guest)
    else if (kind < 0.08) await this.closeGuest(guest)
    else if (kind < 0.14) this.changeTerms()
    else if (kind < 0.18) await this.#interrupt(guest)
    else if (kind < 0.2) network.cut(guest.name)
    else if (kind < 0.23) network.partition(guest.name, 'host')
    else if (kind < 0.28) network.heal()
    else {
      if (this.host === undefined && this.#chance.flip(0.5)) await this.startHost()
      if (guest.client?.shared?.status().state === 'refused' && this.#chance.flip(0.4))
        await this.closeGuest(guest)
      if (guest.process === undefined && this.#chance.flip(0.7)) void this.connect(guest, this.#wish(guest))
      for (let writes = Math.floor(this.#chance.next() * 6); writes >= 0; writes--) {
        this.#write(this.#chance.flip(0.4) ? this.host : guest)
        if (this.#chance.flip(0.3)) await this.world.simulation.pass(this.#chance.next() * 5)
      }
    }
  }

  changeTerms(): void {
    const { oracle, host } = this
    const chance = this.#chance
    const { grants } = oracle.terms
    oracle.setTerms({
      policy: chance.policy(),
      grants: chance.flip(0.4) ? chance.grants(APPS) : grants,
    })
    host?.share.setPolicy(new ExportPolicy(optionsOf(oracle.policy)), grantsOf(oracle.terms))
  }

  /** Boots the guest and lets it connect by itself. */
  connect(guest: NextDoorGuest, mode: Mode): Promise<void> {
    const process = this.world.process(guest.name)
    guest.process = process
    const { app } = guest
    const connecting = connectIn(process.world, {
      appGroup: GROUP,
      database: DATABASE,
      app,
      mode,
      timeoutMs: 20_000,
    })
    return this.#track(process, connecting, {
      done: (client) =>
        guest.follow(client, {
          told: (shown) =>
            this.#watch(() => {
              if (this.#current(guest)) this.#checkShown(guest, shown)
            }),
          failed: (error) => this.#failures.push(error),
        }),
      failed: () => {
        guest.process = undefined
      },
    })
  }

  /** As far as an app may go now; undefined: it may not come in. */
  allowed(app: string): Mode | undefined {
    return modeOf(this.oracle.terms, app)
  }

  /** Every call of a process that runs has an outcome. */
  async settleAll(): Promise<void> {
    await this.world.settle(Promise.all(this.#pending.keys()))
    this.check()
  }

  async contents(client: BlazeDBClient): Promise<Map<string, Shown>> {
    const found = new Map<string, Shown>()
    for (const collection of COLLECTIONS) {
      const docs = await this.world.settle(client.collection(collection).query().all())
      for (const doc of docs) found.set(`${collection}/${doc.id}`, doc)
    }
    return found
  }

  async closeGuest(guest: NextDoorGuest): Promise<void> {
    const { client } = guest
    if (client === undefined) return
    await this.world.settle(client.close())
    guest.gone()
  }

  /** A pass begins, and does not come to its end. */
  async #interrupt(guest: NextDoorGuest): Promise<void> {
    const chance = this.#chance
    if (this.host === undefined) return
    const away = guest.process === undefined
    if (away) void this.connect(guest, this.#wish(guest))
    else this.changeTerms()
    await this.world.simulation.pass(chance.next() * (away ? 100 : 50))
    const kind = chance.next()
    if (kind < 0.4) this.world.network.cut(guest.name)
    else if (kind < 0.8) this.#crashGuest(guest)
    else this.#crashHost()
  }

  /** The last storm, over slow links: what it breaks no later change of terms mends. */
  async finale(): Promise<void> {
    const chance = this.#chance
    const { network, simulation } = this.world
    const host = this.host ?? (await this.startHost())
    network.setFaults({ latencyMs: 1, jitterMs: 100 })
    if (chance.flip(0.6)) this.changeTerms()
    for (let writes = chance.below(12); writes > 0; writes--) this.#write(host)
    await simulation.pass(chance.next() * 250)
    for (const guest of this.guests) {
      if (chance.flip(0.4)) network.cut(guest.name)
      else if (chance.flip(0.6)) this.#crashGuest(guest)
    }
    if (chance.flip(0.2)) this.#crashHost()
  }

  #crashHost(): void {
    const { host } = this
    if (host === undefined) return
    this.oracle.hostDown()
    this.host = undefined
    this.#crash(host.process)
    if (this.#chance.flip(0.3)) this.changeTerms()
  }

  #crashGuest(guest: NextDoorGuest): void {
    if (guest.process !== undefined) this.#crash(guest.process)
    guest.gone()
  }

  #crash(process: AppProcess): void {
    process.powerCut()
    for (const [work, owner] of this.#pending) if (owner === process) this.#pending.delete(work)
  }

  /** It says that it has everything under the policy of now. */
  #current({ client }: NextDoorGuest): boolean {
    const report = client?.shared?.status()
    return report?.state === 'live' && report.policyVersion === this.host?.share.status().policyVersion
  }

  #checkShown({ name, app }: NextDoorGuest, shown: Iterable<readonly [string, Shown]>): void {
    for (const [key, doc] of shown) this.oracle.checkShown(name, app, key, doc)
  }

  #committed(collection: string, { added, changed, removed }: LiveDelta): void {
    for (const doc of [...added, ...changed]) this.oracle.committed(`${collection}/${doc.id}`, doc)
    for (const id of removed) this.oracle.committed(`${collection}/${id}`, undefined)
  }

  #write(writer: Host | NextDoorGuest | undefined): void {
    if (writer === undefined) return
    const client = 'db' in writer ? writer.db : writer.client
    const { process } = writer
    if (client === undefined || process === undefined) return
    const guest = 'app' in writer ? writer : undefined
    const by = guest && { app: guest.app, readOnly: client.shared?.mode === 'readOnly' }
    const { step, key, doc } = this.#writes.plan(guest)
    const [name = '', id = ''] = key.split('/')
    const collection = client.collection(name)
    const markers = Object.values(doc).filter((value) => typeof value === 'string')
    const asked = this.oracle.asks(
      { key, markers, by, fields: Object.keys(doc) },
      step === 'insert' || step === 'put',
    )
    const work: Promise<unknown> =
      step === 'delete'
        ? collection.delete(id)
        : step === 'insert'
          ? collection.insert({ ...doc, id })
          : collection[step](id, doc)
    void this.#track(process, work, {
      done: () => this.oracle.acknowledges(asked),
      failed: ({ code }) => {
        asked.settled = definite.has(code)
      },
    })
  }

  #insert(db: BlazeDBClient, process: AppProcess, key: string): void {
    const [name = '', id = ''] = key.split('/')
    const doc = this.#writes.doc(key, false)
    const asked = this.oracle.asks({ key, markers: [], fields: [], by: undefined }, true)
    void this.#track(process, db.collection(name).insert({ ...doc, id }), {
      done: () => this.oracle.acknowledges(asked),
      failed: () => {},
    })
  }

  /** Mostly what it may have, else what it would like. */
  #wish({ app, mode }: NextDoorGuest): Mode {
    return mode === 'readWrite' && this.#chance.flip(0.8) ? (this.allowed(app) ?? mode) : mode
  }

  /** Lets a call settle by itself: a crash may come first. Anything but a code is a bug. */
  #track<T>(
    process: AppProcess,
    work: Promise<T>,
    outcome: { done(value: T): void; failed(error: BlazeError): void },
  ): Promise<void> {
    const tracked = work.then(
      (value) => this.#watch(() => outcome.done(value)),
      (error: unknown) => {
        if (error instanceof BlazeError) outcome.failed(error)
        else this.#failures.push(error)
      },
    )
    this.#pending.set(tracked, process)
    void tracked.then(() => this.#pending.delete(tracked))
    return tracked
  }

  #watch(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#failures.push(error)
    }
  }
}

function grantsOf({ grants }: Terms): { grants?: Grants } {
  return grants === undefined ? {} : { grants }
}

function optionsOf({ collections, include, exclude, filter, readOnly }: OraclePolicy): ExportPolicyOptions {
  const fields = {
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
  }
  return { collections, fields, filter, readOnly }
}

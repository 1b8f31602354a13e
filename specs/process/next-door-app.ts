/** Handle on an app in a process of its own, and the street that some of them live in. Invariant: a stage ends all of them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { ExportPolicyOptions, Grants } from '../../actors/index.ts'
import type { Doc, DocInput } from '../../actors/database/index.ts'
import { Child } from '../../scripts/process/child.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { codeOf } from '../fixtures/device-process.ts'
import type { AppCalls, ConnectBody, Place } from './next-door-program.ts'

/** A call that takes longer has failed. */
const callMsMax = 60_000
/** A write of the host that an honest guest sees later than that is not seen. Much more than it takes: two cores do many things here. */
export const SEEN_MS_MAX = 10_000

export const DATABASE = 'Bugs'
export const collection = 'bugs'

/** All fields but one, of all records but those that are closed. */
export const openBugs: ExportPolicyOptions = {
  collections: [collection],
  fields: { exclude: ['secret'] },
  filter: { [collection]: { field: 'status', op: '=', value: 'open' } },
}

export class App {
  readonly name: string
  readonly #child: Child<AppCalls>

  constructor(stage: Stage, name: string) {
    this.name = name
    this.#child = new Child<AppCalls>(stage, { name, module: './next-door-program', base: import.meta.url })
  }

  get pid(): number {
    return this.#child.pid
  }

  /** Rejects with what the call of the API rejected with; `codeOf` reads the code. */
  call<K extends keyof AppCalls>(
    name: K,
    body: Parameters<AppCalls[K]>[0],
    progress?: (count: number) => void,
  ): Promise<Awaited<ReturnType<AppCalls[K]>>> {
    return this.#child.call(name, body, {
      timeoutMs: callMsMax,
      ...(progress === undefined ? {} : { progress }),
    })
  }

  async insert(doc: DocInput): Promise<string> {
    return await this.call('insert', { collection, doc })
  }

  async update(id: string, patch: DocInput): Promise<void> {
    await this.call('update', { collection, id, patch })
  }

  /** All records of a collection by id. */
  async rows(of: string = collection): Promise<Map<string, Doc>> {
    const docs = await this.call('all', { collection: of })
    return new Map(docs.map((doc) => [String(doc.id), doc]))
  }

  /** How long it took, ms. Fails when it takes too long. */
  async sees(id: string, there = true): Promise<number> {
    return await this.call('sees', { collection, id, there, timeoutMs: SEEN_MS_MAX })
  }

  /** Without any chance to finish. Resolves when the process is gone. */
  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL')
    await this.gone()
  }

  /** Resolves when it has ended by whatever hand. */
  async gone(timeoutMs: number = SEEN_MS_MAX): Promise<void> {
    for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 5) {
      if (!isAlive(this.pid)) return
      await sleep(5)
    }
    throw new Error(`${this.name} still lives`)
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}

/** One app group, a place for databases, and the apps that use them. */
export class Street {
  readonly stage: Stage
  readonly group: Place
  #pulses = 0

  constructor(name: string) {
    this.stage = new Stage(name)
    this.group = { id: 'street', directory: join(this.stage.directory, 'group') }
  }

  at(name: string): string {
    return join(this.stage.directory, name)
  }

  app(name: string): App {
    return new App(this.stage, name)
  }

  /** An app that shares the database in a directory of this street; the first one makes it. */
  async host(o: {
    policy?: ExportPolicyOptions
    grants?: Grants
    name?: string
    at?: string
    before?: (host: App) => Promise<unknown>
  }): Promise<App> {
    const host = this.app(o.name ?? 'host')
    await host.call('open', { at: this.at(o.at ?? 'tracker'), name: DATABASE })
    await o.before?.(host)
    const grants = o.grants === undefined ? {} : { grants: o.grants }
    await host.call('share', { group: this.group, app: 'tracker', policy: o.policy ?? openBugs, ...grants })
    return host
  }

  async guest(o: Partial<ConnectBody> & { name?: string } = {}): Promise<App> {
    const { name = 'guest', ...body } = o
    const guest = this.app(name)
    await this.connect(guest, body)
    return guest
  }

  connect(guest: App, o: Partial<ConnectBody> = {}): Promise<void> {
    return guest.call('connect', {
      group: this.group,
      database: DATABASE,
      mode: 'readWrite',
      app: 'dashboard',
      ...o,
    })
  }

  /** A fresh write of the host has to reach the guest. Returns after how many ms. */
  async pulse(host: App, guest: App): Promise<number> {
    this.#pulses += 1
    const id = `pulse-${this.#pulses}`
    await host.insert({ id, status: 'open', n: this.#pulses })
    return await guest.sees(id)
  }

  /** For hooks: the runner of specs is silent about what fails in one. */
  async check(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      console.log(error)
      throw error
    }
  }

  close(): Promise<void> {
    return this.stage.close()
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Fails unless the call is refused with this code. Returns the message. */
export async function expectCode(code: string, call: Promise<unknown>): Promise<string> {
  const refusal = await codeOf(call)
  assert.is(refusal.code, code, `${refusal.code}: ${refusal.message}`)
  return refusal.message
}

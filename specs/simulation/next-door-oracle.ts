/**
 * What must hold between a host and its guests, told from outside: what the host committed, which terms were in force when, what was
 * asked and acknowledged. Invariant: it knows records as applications see them, and imports nothing of the program.
 */
import { collectionOf, fieldVisible, mayWrite, project, shows } from './next-door-policy.ts'
import type { OraclePolicy, Shown, Terms } from './next-door-policy.ts'

/** A text that says where it belongs: `<field|collection/id|number>`. */
const MARKER = /<(\w+)\|(\w+\/[\w-]+)\|\d+>/g

export function markerOf(field: string, key: string, number: number): string {
  return `<${field}|${key}|${number}>`
}

/** A write that somebody asked for. */
export interface Asked {
  readonly key: string
  /** Of what it sets. */
  readonly fields: readonly string[]
  /** Of its texts; none for a delete. */
  readonly markers: readonly string[]
  /** The guest that asked, and how it was connected; undefined: the host itself. */
  readonly by: { readonly app: string; readonly readOnly: boolean } | undefined
  /** It has an outcome, and the asker knows which. */
  settled: boolean
  /** How many terms there had been before those in force when it was asked, and up to those when it was acknowledged. */
  readonly since: number
  until: number
  /** Writes of the same record that were under way at some time of this one. */
  readonly others: Asked[]
}

/** A guest as it is looked at: what it shows now, and what it ever showed in this life. */
export interface Looked {
  readonly name: string
  readonly app: string
  readonly shown: ReadonlyMap<string, Shown>
  readonly everShown: ReadonlySet<string>
}

export class NextDoorOracle {
  /** All there were; the last is in force, at a host that runs or that will. */
  readonly #terms: Terms[] = []
  /** By record: every state the host committed; undefined where it was deleted. */
  readonly #versions = new Map<string, (Shown | undefined)[]>()
  /** By record: apps that may have inserted it first. */
  readonly #homes = new Map<string, Set<string>>()
  /** By record: the app that alone may insert it. */
  readonly #born = new Map<string, string>()
  readonly #asked: Asked[] = []
  /** Acknowledged to a guest. */
  readonly #acknowledged: Asked[] = []
  /** Markers that the host put on the wire, once for each policy. */
  readonly #sent = new Map<OraclePolicy, Set<string>>()
  /** What guests show and under which policy it was found good. */
  readonly #good = new WeakMap<Shown, OraclePolicy>()
  /** What records were when the host lost its power, of those that nobody was writing. */
  #before: Map<string, Shown | undefined> | undefined

  constructor(terms: Terms) {
    this.#terms.push(terms)
  }

  get terms(): Terms {
    const terms = this.#terms.at(-1)
    if (terms === undefined) throw new Error('there are always terms')
    return terms
  }

  get policy(): OraclePolicy {
    return this.terms.policy
  }

  setTerms(terms: Terms): void {
    this.#terms.push(terms)
  }

  /** Somebody asks for a write, which may make the record when `makes`. */
  asks(write: Pick<Asked, 'key' | 'fields' | 'markers' | 'by'>, makes: boolean): Asked {
    const { key, by } = write
    const others = this.#asked.filter((other) => other.key === key && !other.settled)
    const asked: Asked = { ...write, settled: false, since: this.#terms.length - 1, until: 0, others }
    for (const other of others) other.others.push(asked)
    this.#asked.push(asked)
    if (makes && by !== undefined) this.#homes.set(key, (this.#homes.get(key) ?? new Set()).add(by.app))
    return asked
  }

  /** Nobody but this app inserts the record. */
  born(key: string, app: string): void {
    this.#born.set(key, app)
  }

  /** The write was acknowledged. */
  acknowledges(write: Asked): void {
    write.settled = true
    write.until = this.#terms.length
    const { by, key, fields } = write
    if (by === undefined) return
    this.#acknowledged.push(write)
    const allowed = this.#terms.slice(write.since).some((terms) => mayWrite(terms, by.app, key, fields))
    expect(allowed && !by.readOnly, `${by.app} wrote ${fields.join()} of ${key}, which no terms allowed`)
  }

  /** The host committed this, in this order. */
  committed(key: string, state: Shown | undefined): void {
    const known = this.#versions.get(key)
    if (known === undefined) this.#versions.set(key, [state])
    else known.push(state)
  }

  /** These bytes left the host. */
  sent(plaintext: Uint8Array): void {
    const found = new TextDecoder('latin1').decode(plaintext).match(MARKER) ?? []
    for (const marker of found) {
      this.#sent.set(this.policy, (this.#sent.get(this.policy) ?? new Set()).add(marker))
    }
  }

  /** The host lost its power. */
  hostDown(): void {
    this.#before = new Map()
    const busy = new Set(this.#asked.filter(({ settled }) => !settled).map(({ key }) => key))
    for (const [key, states] of this.#versions) if (!busy.has(key)) this.#before.set(key, states.at(-1))
  }

  /** What the host shows after its restart. */
  hostUp(states: ReadonlyMap<string, Shown>): void {
    for (const [key, state] of this.#before ?? []) {
      expect(same(states.get(key), state), `the host had ${text(state)} and has ${text(states.get(key))}`)
    }
    this.#before = undefined
    for (const [key, known] of this.#versions) {
      if (!states.has(key) && known.at(-1) !== undefined) known.push(undefined)
    }
    for (const [key, state] of states) this.committed(key, state)
  }

  /** A guest shows this while it says that it has everything under the terms of now. */
  checkShown(who: string, app: string, key: string, shown: Shown): void {
    const { policy } = this
    if (this.#good.get(shown) === policy) return
    this.#good.set(shown, policy)
    const versions = this.#versions.get(key) ?? []
    const fits = versions.some(
      (state) => state !== undefined && shows(policy, key, state) && same(project(policy, state), shown),
    )
    expect(fits || this.#mayBeHome(key, app), `${who} shows ${text(shown)}, which the policy lets nobody see`)
    for (const [field, value] of Object.entries(shown)) {
      const fitting = field === 'id' || typeof value !== 'string' || value.startsWith(`<${field}|${key}|`)
      expect(fitting, `${who} mixed up ${text(shown)}`)
    }
  }

  /** A guest at rest under the terms of now: exactly what the policy shows, and what is at home in it. */
  checkRest(guest: Looked, host: ReadonlyMap<string, Shown>): void {
    const { policy } = this
    const { name, app, shown } = guest
    for (const [key, state] of host) {
      if (!shows(policy, key, state)) continue
      const expected = project(policy, state)
      expect(same(shown.get(key), expected), `${name} shows ${text(shown.get(key))} of ${text(state)}`)
    }
    for (const [key, doc] of shown) {
      if (shows(policy, key, host.get(key))) continue
      expect(this.#mayBeHome(key, app), `${name} shows ${text(doc)}, which is hidden and not at home there`)
      const gone = !host.has(key) && policy.collections.includes(collectionOf(key))
      expect(!gone, `${name} shows ${text(doc)}, which is deleted`)
    }
    this.#checkHome(guest, host)
  }

  /** A guest that was put out holds what is at home in it and nothing else. */
  checkPutOut(guest: Looked, host: ReadonlyMap<string, Shown>): void {
    const { name, app, shown } = guest
    for (const key of shown.keys()) expect(this.#mayBeHome(key, app), `${name} was put out and shows ${key}`)
    this.#checkHome(guest, host)
  }

  /** At the end of everything. */
  checkHistory(): void {
    for (const [policy, markers] of this.#sent) {
      for (const marker of markers) {
        const [, field = '', key = ''] = /^<(\w+)\|([^|]+)/.exec(marker) ?? []
        const states = (this.#versions.get(key) ?? []).filter((state) => state?.[field] === marker)
        const allowed = fieldVisible(policy, field) && states.some((state) => shows(policy, key, state))
        expect(allowed, `the host sent ${marker} under ${text(policy)}`)
      }
    }
    for (const write of this.#acknowledged) {
      this.#checkSeen(write)
      const { key, markers, others } = write
      const values = [markers, ...others.map((other) => other.markers)].flat()
      const there = (this.#versions.get(key) ?? []).some(
        (state) =>
          state !== undefined && Object.values(state).some((value) => values.includes(String(value))),
      )
      const deleted = others.some((other) => other.markers.length === 0)
      expect(markers.length === 0 || there || deleted, `${markers.join()} was acknowledged and is lost`)
    }
  }

  /** A guest changes only records that it may see. */
  #checkSeen({ key, by, markers, others, since, until }: Asked): void {
    const versions = this.#versions.get(key) ?? []
    const made = versions.findIndex((state) =>
      Object.values(state ?? {}).some((value) => markers.includes(String(value))),
    )
    const before = versions[made - 1]
    if (by === undefined || before === undefined || others.length > 0 || this.#mayBeHome(key, by.app)) return
    const seen = this.#terms.slice(since, until).some(({ policy }) => shows(policy, key, before))
    expect(seen, `${by.app} changed ${text(before)} of ${key}, which it may not see`)
  }

  /** What was inserted by the guest's app, was shown, and was never deleted, is still shown. */
  #checkHome({ name, app, shown, everShown }: Looked, host: ReadonlyMap<string, Shown>): void {
    for (const key of everShown) {
      if (this.#born.get(key) !== app || !host.has(key)) continue
      const deleted = this.#versions.get(key)?.includes(undefined) === true
      expect(deleted || shown.has(key), `${name} does not show ${key} any more, which is at home there`)
    }
  }

  #mayBeHome(key: string, app: string): boolean {
    return this.#homes.get(key)?.has(app) === true
  }
}

/** Fields have no order. */
export function same(a: Shown | undefined, b: Shown | undefined): boolean {
  return text(a) === text(b)
}

function text(value: object | undefined): string {
  if (value === undefined) return 'nothing'
  return JSON.stringify(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
}

function expect(condition: boolean, problem: string): void {
  if (!condition) throw new Error(problem)
}

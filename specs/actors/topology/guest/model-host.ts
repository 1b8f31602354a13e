/**
 * An honest host as a table of records: passes in small pages, live changes, policies, new incarnations.
 * Invariant: `expected` is what a guest that has caught up shows, told from the table alone.
 */
import type { RecordState } from '../../../../actors/database/index.ts'
import type { MirrorCursor, MirrorItem } from '../../../../actors/topology/mirror/index.ts'
import { equalBytes } from '../../../../runtime/index.ts'
import { gone, HOME, shown, SPACE } from './bare-host.ts'
import type { HostLink } from './bare-host.ts'
import { recordOf } from './mirror-record.ts'
import type { GuestWorld } from './guest-world.ts'

const PAGE = 4

interface Entry {
  readonly id: string
  readonly arrival: number
  /** Undefined once it is deleted. */
  readonly n: number | undefined
  readonly home: boolean
}

export class ModelHost {
  readonly #world: GuestWorld
  readonly #entries = new Map<string, Entry>()
  /** Every value that was ever committed, as `id n`. */
  readonly #ever = new Set<string>()
  #arrival = 0
  #incarnation = 1
  /** Shows records whose n it does not divide, and those at home at the guest. */
  #policy = 97
  #serving: { readonly link: HostLink; position: number; live: boolean } | undefined

  constructor(world: GuestWorld) {
    this.#world = world
    world.host.onAttach = (link, { cursor }) => this.#attach(link, cursor)
  }

  /** Records that the guest is to show, with their n. */
  get expected(): Map<string, number> {
    const seen = new Map<string, number>()
    for (const entry of this.#entries.values()) {
      if (this.#visible(entry) && entry.n !== undefined) seen.set(entry.id, entry.n)
    }
    return seen
  }

  /** Whether the record ever had this value. */
  had(id: string, n: unknown): boolean {
    return this.#ever.has(`${id} ${String(n)}`)
  }

  put(id: string, n: number, home = false): void {
    // As on a real host, the home of an id outlives its lives.
    this.#commit({ id, n, home: this.#entries.get(id)?.home ?? home })
  }

  delete(id: string): void {
    const known = this.#entries.get(id)
    if (known?.n !== undefined) this.#commit({ id, n: undefined, home: known.home })
  }

  setPolicy(policy: number): void {
    this.#policy = policy
    this.#serving?.link.reset('CLOSED')
    this.#serving = undefined
  }

  /** The host was restarted. */
  reboot(): void {
    this.#incarnation += 1
    this.#world.network.cut('host')
    this.#serving = undefined
  }

  #commit(entry: Omit<Entry, 'arrival'>): void {
    this.#arrival += 1
    this.#ever.add(`${entry.id} ${entry.n}`)
    const committed = { ...entry, arrival: this.#arrival }
    this.#entries.delete(entry.id)
    this.#entries.set(entry.id, committed)
    const serving = this.#serving
    if (serving?.live !== true || serving.link.ended !== undefined) return
    serving.position = this.#arrival
    serving.link.changes([this.#item(committed)], { upTo: this.#arrival })
  }

  #attach(link: HostLink, cursor: MirrorCursor | undefined): void {
    const policy = new Uint8Array(16).fill(this.#policy)
    const incarnation = new Uint8Array(16).fill(this.#incarnation)
    const full =
      cursor === undefined || !equalBytes(cursor.policy, policy) || !equalBytes(cursor.space, SPACE)
    link.attached({ policy, incarnation, full, lastArrival: this.#arrival })
    const serving = { link, position: full ? 0 : cursor.arrival, live: false }
    this.#serving = serving
    const step = (): void => {
      if (this.#serving !== serving || link.ended !== undefined) return
      const page = [...this.#entries.values()]
        .filter(({ arrival }) => arrival > serving.position)
        .slice(0, PAGE)
      serving.position = page.at(-1)?.arrival ?? this.#arrival
      serving.live = serving.position === this.#arrival
      link.changes(
        page.map((entry) => this.#item(entry)),
        { upTo: serving.position, caughtUp: serving.live },
      )
      if (!serving.live) this.#world.host.env.after(1, step)
    }
    step()
  }

  #item(entry: Entry): MirrorItem {
    if (entry.n === undefined) return gone('deleted', entry.id)
    if (!this.#visible(entry)) return gone('retracted', entry.id)
    return shown(stateOf(entry, entry.n))
  }

  #visible({ n, home }: Entry): boolean {
    return n !== undefined && (home || n % this.#policy !== 0)
  }
}

function stateOf({ id, home }: Entry, n: number): RecordState {
  return recordOf('bugs', id, { n }, home ? HOME : null)
}

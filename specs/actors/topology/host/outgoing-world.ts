/** A host made of nothing but arrivals, and the sending half of one mirror of it. */
import type { MirrorEntry, MirrorPage, RecordChange, RecordState } from '../../../../actors/database/index.ts'
import { CommitChanges } from '../../../../actors/topology/host/commit-changes.ts'
import { MirrorOutgoing } from '../../../../actors/topology/host/mirror-outgoing.ts'
import { parseChanges } from '../../../../actors/topology/mirror/index.ts'
import type { Changes } from '../../../../actors/topology/mirror/index.ts'
import { compilePolicy, ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import type { CompiledPolicy } from '../../../../actors/topology/policy/index.ts'
import { nodeCrypto, toHex } from '../../../../runtime/index.ts'
import type { BlazeError } from '../../../../runtime/index.ts'

const policy: CompiledPolicy = compilePolicy(
  new ExportPolicy({
    collections: ['bugs'],
    fields: { exclude: ['secret'] },
    filter: { bugs: { field: 'open', op: '=', value: true } },
  }).rules,
  nodeCrypto,
)

const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

/** Of a record; also its mirror tag, here. */
function tagOf(id: string): Uint8Array {
  return nodeCrypto.sha256(new TextEncoder().encode(id)).slice(0, 16)
}

export interface Written {
  readonly collection?: string
  readonly open?: boolean
  readonly deleted?: boolean
  /** Not shown yet. */
  readonly held?: boolean
  /** Of a text. */
  readonly bytes?: number
}

export class OutgoingWorld {
  arrival = 0
  /** Newest arrival that was committed, as the share counts. */
  told = 0
  /** What was sent, and what the stream answers to it. */
  readonly sent: Changes[] = []
  readonly sentBytes: number[] = []
  answer: (message: Changes) => boolean = () => true
  /** Pages that were asked for: where, and how many entries were read. */
  readonly pages: { readonly after: number; readonly read: number }[] = []
  /** Called when a page was read, before it is handed over. */
  onPage: () => void = () => {}
  pageError: BlazeError | undefined
  readonly moves: boolean[] = []
  readonly failures: unknown[] = []
  readonly #rows = new Map<string, { arrival: number; held: boolean; state: RecordState }>()
  outgoing: MirrorOutgoing | undefined

  /** Starts the mirror: after a cursor, or a full pass. */
  start(after?: number): MirrorOutgoing {
    const outgoing = new MirrorOutgoing({
      showing: { policy, mirrorTag: (tag) => tag },
      after: after ?? 0,
      unnamedUpTo: after === undefined ? this.arrival : 0,
      port: {
        send: (body) => {
          const message = parseChanges(body)
          this.sent.push(message)
          this.sentBytes.push(body.length)
          return this.answer(message)
        },
        page: (from, limit) => this.#page(from, limit),
        arrival: () => this.told,
        heldFloor: () => this.heldFloor,
        moved: (live) => void this.moves.push(live),
        failed: (error) => void this.failures.push(error),
      },
    })
    this.outgoing = outgoing
    outgoing.pump()
    return outgoing
  }

  /** One commit with these records. */
  commit(records: Readonly<Record<string, Written>>): void {
    const after = this.told
    const changes: RecordChange[] = []
    for (const [id, written] of Object.entries(records)) {
      this.arrival += 1
      const held = written.held === true
      const known = this.#rows.get(id)
      const state = held && known !== undefined ? known.state : stateOf(id, written)
      this.#rows.set(id, { arrival: this.arrival, held, state })
      if (!held) changes.push({ tag: tagOf(id), collection: state.collection, id, state })
    }
    if (changes.length > 0) this.#tell(after, changes)
    this.told = this.arrival
    this.outgoing?.advanced(this.arrival)
  }

  /** The time of a held record has come. */
  show(id: string, written: Written = {}): void {
    const row = this.#rows.get(id)
    if (row === undefined) throw new Error(`no record ${id}`)
    row.held = false
    row.state = stateOf(id, written)
    this.#tell(this.told, [{ tag: tagOf(id), collection: row.state.collection, id, state: row.state }])
  }

  get heldFloor(): number {
    return Math.min(...[...this.#rows.values()].filter(({ held }) => held).map(({ arrival }) => arrival))
  }

  /** What a guest that took everything has, as `id: kind`, by its last word on each. */
  get view(): Record<string, string> {
    const names = new Map([...this.#rows.keys()].map((id) => [toHex(tagOf(id)), id]))
    const view: Record<string, string> = {}
    for (const { items } of this.sent) {
      for (const { tag, kind } of items) view[names.get(toHex(tag)) ?? '?'] = kind
    }
    return view
  }

  #tell(after: number, changes: readonly RecordChange[]): void {
    const showing = { policy, mirrorTag: (tag: Uint8Array) => tag }
    const cursor = Math.min(this.arrival, this.heldFloor - 1)
    this.outgoing?.changed(new CommitChanges({ showing, changes, after, upTo: this.arrival, cursor }))
  }

  async #page(after: number, limit: number): Promise<MirrorPage> {
    if (this.pageError !== undefined) throw this.pageError
    const rows = [...this.#rows].filter(([, row]) => row.arrival > after)
    rows.sort(([, a], [, b]) => a.arrival - b.arrival)
    const entries = rows.slice(0, limit).map(([id, { arrival, held, state }]): MirrorEntry => {
      return { arrival, tag: tagOf(id), state: held ? undefined : state }
    })
    this.pages.push({ after, read: entries.length })
    const last = rows.length <= limit
    const upTo = last ? this.arrival : (entries.at(-1)?.arrival ?? this.arrival)
    this.onPage()
    return { entries, upTo, last }
  }
}

/** Lets promises settle. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
}

function stateOf(
  id: string,
  { collection = 'bugs', open = true, deleted = false, bytes = 10 }: Written,
): RecordState {
  const fields = new Map([
    ['open', { value: open, stamp }],
    ['secret', { value: 'unseen', stamp }],
    ['text', { value: 'x'.repeat(bytes), stamp }],
  ])
  return {
    collection,
    id,
    home: null,
    life: 1,
    deleted: deleted ? stamp : undefined,
    fields: deleted ? new Map() : fields,
  }
}

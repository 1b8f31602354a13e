/**
 * What the specs of rebases share: whole directories copied and put back, and an oracle that knows which writes somebody else holds.
 * Invariant: the oracle imports nothing of the merging; it learns from acknowledgements and from `caughtUp` alone.
 */
import * as assert from 'uvu/assert'
import type { BlazeDBClient, StoreOperation } from '../../actors/index.ts'
import { partsOf } from '../../actors/client/client.ts'
import type { SimulatedVolume } from '../../actors/replica/index.ts'
import { BlazeError } from '../../runtime/index.ts'
import type { SimulatedWorld } from './world.ts'

type Rows = [Uint8Array, Uint8Array][]

/** A directory as it lay on the disk at one moment. */
export interface DirectoryCopy {
  readonly stores: ReadonlyMap<string, Rows>
  readonly files: ReadonlyMap<string, Uint8Array>
}

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255), limit: 1_000_000 }

/** Nothing may have the directory open. */
export async function copyDirectory(
  volume: SimulatedVolume,
  stores: readonly string[],
): Promise<DirectoryCopy> {
  const files = new Map<string, Uint8Array>()
  for (const name of ['header.0', 'header.1']) {
    const bytes = await volume.readFile(name)
    if (bytes !== undefined) files.set(name, bytes)
  }
  const rows = new Map<string, Rows>()
  for (const store of stores) rows.set(store, await volume.rows(store).range(everything))
  return { stores: rows, files }
}

export async function putBack(world: SimulatedWorld, node: string, copy: DirectoryCopy): Promise<void> {
  const volume = world.volume(node)
  for (const [store, rows] of copy.stores) {
    const now = await volume.rows(store).range(everything)
    const operations = now.map(([key]): StoreOperation => ({ type: 'del', key }))
    for (const [key, value] of rows) operations.push({ type: 'put', key, value })
    volume.damage(store, operations)
  }
  for (const [name, bytes] of copy.files) await world.settle(volume.writeFile(name, bytes))
}

interface Write {
  readonly step: number
  readonly device: string
  readonly check:
    | { readonly kind: 'insert'; readonly id: string }
    | { readonly kind: 'delete'; readonly id: string }
    | { readonly kind: 'field'; readonly value: number }
  /** The supervisor holds it durably. */
  confirmed: boolean
}

/** What the devices were told, and what must therefore hold at the end. */
export class RebaseOracle {
  /** Acknowledged and not known to be lost with a disk. */
  #writes: Write[] = []
  readonly inserted: Set<string> = new Set()
  /** Deletions that were asked for: they may have happened without an answer. */
  readonly deleting: Set<string> = new Set()
  /** By device: the last value that was attempted for its own field. */
  readonly attempted: Map<string, number> = new Map()

  acknowledged(device: string, step: number, check: Write['check']): void {
    if (check.kind === 'insert') this.inserted.add(check.id)
    this.#writes.push({ device, step, check, confirmed: false })
  }

  /** `caughtUp` resolved, which was asked for after those writes. */
  confirmed(writes: readonly Write[]): void {
    for (const write of writes) write.confirmed = true
  }

  /** Writes of a device until now. */
  of(device: string): Write[] {
    return this.#writes.filter((write) => write.device === device)
  }

  /** The disk of the device forgot what it had not given away since that step. */
  forgotten(device: string, since: number): void {
    this.#writes = this.#writes.filter(
      (write) => write.device !== device || write.confirmed || write.step <= since,
    )
  }

  check(name: string, docs: readonly { readonly id: string; readonly [field: string]: unknown }[]): void {
    const byId = new Map(docs.map((doc) => [doc.id, doc]))
    const shared = byId.get('shared')
    for (const { device, check, step } of this.#writes) {
      if (check.kind === 'insert') {
        if (!this.deleting.has(check.id))
          assert.ok(byId.has(check.id), `${name} lost ${check.id} of ${device}`)
      } else if (check.kind === 'delete') {
        assert.not.ok(
          byId.has(check.id),
          `${check.id}, deleted by ${device} in step ${step}, came back at ${name}`,
        )
      } else {
        const seen = shared?.[device]
        const upTo = this.attempted.get(device) ?? 0
        assert.ok(
          typeof seen === 'number' && seen >= check.value && seen <= upTo,
          `${name} shows ${String(seen)} of ${device}, acknowledged was ${check.value}`,
        )
      }
    }
  }
}

/** Begins a write that settles by itself: a crash may come first. */
export function writeBy(
  world: SimulatedWorld,
  client: BlazeDBClient,
  o: { readonly device: string; readonly step: number; readonly oracle: RebaseOracle },
): void {
  const { device, step, oracle } = o
  const notes = client.collection('notes')
  const kind = world.simulation.random()
  if (kind < 0.35) {
    const id = `${device}-${step}`
    settle(notes.insert({ id, step }), () => oracle.acknowledged(device, step, { kind: 'insert', id }))
  } else if (kind < 0.5) {
    const id = [...oracle.inserted].at(Math.floor(world.simulation.random() * oracle.inserted.size))
    if (id === undefined) return
    oracle.deleting.add(id)
    settle(notes.delete(id), (existed) => {
      if (existed) oracle.acknowledged(device, step, { kind: 'delete', id })
    })
  } else if (kind < 0.6) {
    const id = [...oracle.inserted].at(Math.floor(world.simulation.random() * oracle.inserted.size))
    if (id !== undefined) settle(notes.update(id, { touched: step }), () => {})
  } else {
    const value = step + 1
    oracle.attempted.set(device, value)
    settle(notes.update('shared', { [device]: value, last: device }), () =>
      oracle.acknowledged(device, step, { kind: 'field', value }),
    )
  }
}

/** Refused or unknown: nothing was promised. Anything else is a bug. */
function settle<T>(work: Promise<T>, acknowledged: (value: T) => void): void {
  work.then(acknowledged, (error: unknown) => {
    if (!(error instanceof BlazeError)) throw error
  })
}

export function caughtUp(client: BlazeDBClient, timeoutMs = 60_000): Promise<void> {
  const { sync } = client
  if (sync === undefined) throw new Error(`${client.name} does not sync`)
  return sync.caughtUp({ timeoutMs })
}

/** Problems that a whole pass over the store finds. */
export async function problemsOf(world: SimulatedWorld, client: BlazeDBClient): Promise<readonly string[]> {
  const { space } = partsOf(client).database
  if (space === undefined) throw new Error(`${client.name} is not open`)
  return (await world.settle(space.replica.verify())).problems
}

/** A record's fields have no order. */
export function sorted(doc: object): string {
  return JSON.stringify(Object.entries(doc).sort(([x], [y]) => (x < y ? -1 : 1)))
}

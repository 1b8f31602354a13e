/**
 * What devices are asked for: writes that fight over the same few records, each told to the oracle before it begins and when it was
 * acknowledged.
 * Invariant: every decision comes from the chance of the world; a refused write promises nothing, and what no fault explains fails the
 * seed.
 */
import { add, BlazeError, increment, max, min, remove } from '../../../actors/index.ts'
import type { BlazeDBClient, Transaction } from '../../../actors/index.ts'
import type { DeviceNode } from './device-node.ts'
import type { Effect } from './effect.ts'
import { accountIds, phoenixIds, sharedIds } from './first-records.ts'
import type { Attempt } from './oracle-attempts.ts'

export interface WorkTools {
  readonly random: () => number
  readonly large: number
  /** Something befalls a directory. */
  readonly hasMisfit: boolean
  /** A number that no other write has. */
  readonly next: () => number
  /** A write settles by itself: its device may lose its power first. */
  readonly failed: (error: unknown) => void
}

type Write = (device: DeviceNode, client: BlazeDBClient) => void

/** After these nothing was written. */
const refusedForSure: ReadonlySet<string> = new Set(['NOT_FOUND', 'RECORD_EXISTS', 'READ_ONLY', 'CLOCK_SKEW'])
/** After these it may have been, or comes with the next opening. */
const refusedByFaults: ReadonlySet<string> = new Set(['POISONED', 'DISK_FULL', 'CLOSED', 'REBASING'])
const refusedByMisfits: ReadonlySet<string> = new Set(['FORKED', 'DAMAGED'])
/** Bytes of a large value: just above what a record may hold. */
const largeBytes = 49_300

export class Workload {
  readonly #tools: WorkTools
  readonly #kinds: readonly (readonly [number, Write])[] = [
    [3, (device, client) => this.#insert(device, client)],
    [2, (device, client) => this.#insertMany(device, client)],
    [2, (device, client) => this.#touch(device, client)],
    [3, (device, client) => this.#delete(device, client)],
    [5, (device, client) => this.#own(device, client)],
    [3, (device, client) => this.#last(device, client)],
    [2, (device, client) => this.#count(device, client)],
    [2, (device, client) => this.#elements(device, client)],
    [1, (device, client) => this.#bounds(device, client)],
    [5, (device, client) => this.#life(device, client)],
    [3, (device, client) => this.#transfer(device, client)],
    [2, (device, client) => this.#pair(device, client)],
  ]

  constructor(tools: WorkTools) {
    this.#tools = tools
  }

  write(device: DeviceNode): void {
    const client = device.open
    if (client === undefined) return
    if (this.#tools.random() < this.#tools.large) return this.#large(device, client)
    let at = this.#tools.random() * this.#kinds.reduce((sum, [share]) => sum + share, 0)
    for (const [share, write] of this.#kinds) {
      at -= share
      if (at < 0) return write(device, client)
    }
  }

  #insert(device: DeviceNode, client: BlazeDBClient): void {
    const n = this.#tools.next()
    const note = { id: `${device.name}-${n}`, text: `text ${n}` }
    this.#told(
      device,
      [{ kind: 'insert', ...note }],
      () => client.collection('notes').insert(note),
      () => this.#mustShow(device, client, 'notes', note.id),
    )
  }

  #insertMany(device: DeviceNode, client: BlazeDBClient): void {
    const notes = Array.from({ length: 2 + Math.floor(this.#tools.random() * 4) }, () => {
      const n = this.#tools.next()
      return { id: `${device.name}-${n}`, text: `text ${n}` }
    })
    const effects = notes.map((note): Effect => ({ kind: 'insert', ...note }))
    this.#told(device, effects, () => client.collection('notes').insertMany(notes))
  }

  #touch(device: DeviceNode, client: BlazeDBClient): void {
    const id = this.#note(device)
    if (id === undefined) return
    this.#told(device, [{ kind: 'touch', id }], () =>
      client.collection('notes').update(id, { [`by-${device.name}`]: true }),
    )
  }

  #delete(device: DeviceNode, client: BlazeDBClient): void {
    const id = this.#note(device)
    if (id === undefined) return
    const attempt = device.team.oracle.begin(device.name, [{ kind: 'delete', id }])
    device.answer(client.collection('notes').delete(id)).then(
      (was) => {
        attempt.acknowledged = was
      },
      (error: unknown) => this.#refused(attempt, error),
    )
  }

  #own(device: DeviceNode, client: BlazeDBClient): void {
    const record = this.#pick(sharedIds)
    const value = this.#tools.next()
    const field = `own-${device.name}`
    this.#told(
      device,
      [{ kind: 'own', record, field, value }],
      () => client.collection('shared').update(record, { [field]: value }),
      async () => {
        const doc = await client.collection('shared').get(record)
        if (!(Number(doc?.[field]) >= value))
          throw new Error(
            `${device.name} does not see its own write ${value} of ${record}: ${JSON.stringify(doc?.[field])}`,
          )
      },
    )
  }

  #last(device: DeviceNode, client: BlazeDBClient): void {
    const record = this.#pick(sharedIds)
    const token = `${device.name}-${this.#tools.next()}`
    void this.#after(client.collection('shared').get(record), (doc) => {
      if (doc === undefined) return
      const over = tokenOf(doc['last'])
      this.#told(device, [{ kind: 'last', record, token, over }], () =>
        client.collection('shared').update(record, { last: token }),
      )
    })
  }

  #count(device: DeviceNode, client: BlazeDBClient): void {
    const record = this.#pick(sharedIds)
    const by = Math.floor(this.#tools.random() * 9) - 3
    if (by === 0) return
    this.#told(device, [{ kind: 'count', record, by }], () =>
      client.collection('shared').update(record, { count: increment(by) }),
    )
  }

  #elements(device: DeviceNode, client: BlazeDBClient): void {
    const record = this.#pick(sharedIds)
    const shared = client.collection('shared')
    if (this.#tools.random() < 0.6) {
      const element = `${device.name}-${this.#tools.next()}`
      this.#told(device, [{ kind: 'add', record, element }], () =>
        shared.update(record, { elements: add(element) }),
      )
      return
    }
    const chance = this.#tools.random()
    void this.#after(shared.get(record), (doc) => {
      const seen = Array.isArray(doc?.['elements']) ? doc['elements'] : []
      const element: unknown = seen[Math.floor(chance * seen.length)]
      if (typeof element !== 'string') return
      this.#told(device, [{ kind: 'remove', record, element }], () =>
        shared.update(record, { elements: remove(element) }),
      )
    })
  }

  #bounds(device: DeviceNode, client: BlazeDBClient): void {
    const record = this.#pick(sharedIds)
    const value = Math.floor(this.#tools.random() * 2_001) - 1_000
    this.#told(
      device,
      [
        { kind: 'max', record, value },
        { kind: 'min', record, value },
      ],
      () => client.collection('shared').update(record, { max: max(value), min: min(value) }),
    )
  }

  /** Reads what is there in the same transaction, and writes, deletes or brings back accordingly. */
  #life(device: DeviceNode, client: BlazeDBClient): void {
    const id = this.#pick(phoenixIds)
    const chance = this.#tools.random()
    this.#transact(device, client, async (tx, plan) => {
      const phoenix = tx.collection('phoenix')
      const doc = await phoenix.get(id)
      const over = doc === undefined ? 'none' : tokenOf(doc['token'])
      const token = `${device.name}-${this.#tools.next()}`
      const isDelete = doc !== undefined && chance < 0.4
      plan([
        { kind: 'life', id, action: isDelete ? 'delete' : 'write', token: isDelete ? 'none' : token, over },
      ])
      if (isDelete) await phoenix.delete(id)
      else if (doc === undefined && chance < 0.5) await phoenix.insert({ id, token })
      else if (doc === undefined && chance < 0.75) await bringBack(tx, id, token)
      else if (doc !== undefined && chance < 0.7) await phoenix.update(id, { token })
      else await phoenix.put(id, { token })
    })
  }

  #transfer(device: DeviceNode, client: BlazeDBClient): void {
    const from = this.#pick(accountIds)
    const to = this.#pick(accountIds)
    if (from === to) return
    const by = 1 + Math.floor(this.#tools.random() * 9)
    this.#transact(device, client, async (tx, plan) => {
      plan([{ kind: 'transfer', from, to, by }])
      const accounts = tx.collection('accounts')
      const before = sumOf(await accounts.query().all())
      await accounts.update(from, { count: increment(-by) })
      await accounts.update(to, { count: increment(by) })
      const after = sumOf(await accounts.query().all())
      if (after !== before)
        throw new Error(`${device.name} sees sums of ${before} and ${after} inside a transfer`)
    })
  }

  /** A copy of the directory goes on as another device, so the boot is no part of the name. */
  #pair(device: DeviceNode, client: BlazeDBClient): void {
    const pair = device.name
    const value = this.#tools.next()
    this.#transact(device, client, async (tx, plan) => {
      plan([{ kind: 'pair', pair, value }])
      for (const half of ['x', 'y']) await tx.collection('pairs').put(`${pair}-${half}`, { value })
    })
  }

  #large(device: DeviceNode, client: BlazeDBClient): void {
    const n = this.#tools.next()
    const id = `${device.name}-${n}`
    const length = largeBytes + (n % 97)
    const fill = 1 + (n % 255)
    const bytes = new Uint8Array(length).fill(fill)
    this.#told(device, [{ kind: 'bytes', id, length, fill }], () =>
      client.collection('files').insert({ id, bytes }),
    )
  }

  #note(device: DeviceNode): string | undefined {
    return this.#pick(device.team.oracle.idsOf('insert'))
  }

  #pick<T>(items: readonly [T, ...T[]]): T
  #pick<T>(items: readonly T[]): T | undefined
  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#tools.random() * items.length)]
  }

  #transact(
    device: DeviceNode,
    client: BlazeDBClient,
    work: (tx: Transaction, plan: (effects: readonly Effect[]) => void) => Promise<void>,
  ): void {
    const { oracle } = device.team
    const attempt = oracle.begin(device.name, [])
    const wasMisfit = isMisfit(client)
    device.answer(client.transaction((tx) => work(tx, (effects) => oracle.run(attempt, effects)))).then(
      () => this.#acknowledged(attempt, wasMisfit && isMisfit(client)),
      (error: unknown) => this.#refused(attempt, error),
    )
  }

  #told(
    device: DeviceNode,
    effects: readonly Effect[],
    write: () => Promise<unknown>,
    then: () => Promise<void> = async () => {},
  ): void {
    const attempt = device.team.oracle.begin(device.name, effects)
    const { client } = device
    const wasMisfit = isMisfit(client)
    device.answer(write()).then(
      () => {
        this.#acknowledged(attempt, wasMisfit && isMisfit(client))
        void this.#after(then(), () => {})
      },
      (error: unknown) => this.#refused(attempt, error),
    )
  }

  async #mustShow(device: DeviceNode, client: BlazeDBClient, collection: string, id: string): Promise<void> {
    const isThere = (await client.collection(collection).get(id)) !== undefined
    const isDeleted = device.team.oracle.all('delete').some(({ effect }) => effect.id === id)
    if (!isThere && !isDeleted) throw new Error(`${device.name} does not see its own record ${id}`)
  }

  #acknowledged(attempt: Attempt, byMisfit: boolean): void {
    attempt.acknowledged = true
    // A transaction that found nothing to do has written nothing.
    if (byMisfit && attempt.effects.length > 0)
      this.#tools.failed(new Error(`${attempt.device} wrote while it said that it rebases`))
  }

  #refused(attempt: Attempt, error: unknown): void {
    if (!(error instanceof BlazeError)) return this.#tools.failed(error)
    if (refusedForSure.has(error.code)) attempt.effects = []
    else if (!refusedByFaults.has(error.code) && !(this.#tools.hasMisfit && refusedByMisfits.has(error.code)))
      this.#tools.failed(new Error(`${attempt.device} refused a write: ${error.code}, ${error.message}`))
  }

  /** Reads too may be refused. */
  async #after<T>(work: Promise<T>, then: (value: T) => void): Promise<void> {
    try {
      then(await work)
    } catch (error) {
      if (!(error instanceof BlazeError)) this.#tools.failed(error)
    }
  }
}

function isMisfit(client: BlazeDBClient | undefined): boolean {
  return client?.status().state === 'rebasing'
}

function sumOf(accounts: readonly { readonly [field: string]: unknown }[]): number {
  return accounts.reduce((sum, { count }) => sum + Number(count), 0)
}

function tokenOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`a token that nobody wrote: ${JSON.stringify(value)}`)
  return value
}

/** `restore` is for ids that were there before; of others there is nothing to bring back. */
async function bringBack(tx: Transaction, id: string, token: string): Promise<void> {
  try {
    await tx.collection('phoenix').restore(id, { token })
  } catch (error) {
    if (!(error instanceof BlazeError) || error.code !== 'NOT_FOUND') throw error
    await tx.collection('phoenix').insert({ id, token })
  }
}

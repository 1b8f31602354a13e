/** Which values concurrent writes have cost each other: by example, and against histories in which it is known who saw what. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lostValues } from '../../../actors/database/inbox/lost-value.ts'
import type { Sibling } from '../../../actors/database/inbox/lost-value.ts'
import {
  createTick,
  deleteFrom,
  insertInto,
  putInto,
  updateInto,
} from '../../../actors/database/record/record-change.ts'
import type { Tick } from '../../../actors/database/record/record-change.ts'
import { compareStamps, joinRecords } from '../../../actors/database/record/record.ts'
import type { RecordState, Stamp } from '../../../actors/database/record/record.ts'
import { contextOf } from '../../../actors/replica/index.ts'
import type { ContextEntry } from '../../../actors/replica/index.ts'
import { bytesKey, equalBytes, nodeCrypto } from '../../../runtime/index.ts'

const name = { collection: 'c', id: 'x' }
const tag = new Uint8Array(16)

interface Envelope {
  readonly tag: Uint8Array
  readonly replicaId: Uint8Array
  readonly seq: number
  readonly context: readonly ContextEntry[]
}

interface Version {
  readonly envelope: Envelope
  readonly state: RecordState
  /** Every write that this one has merged, itself included: the truth that the envelopes only hint at. */
  readonly seen: ReadonlySet<string>
}

/** One device of a history. */
class Device {
  readonly replicaId: Uint8Array
  live: Version[] = []
  #seq = 0

  constructor(n: number) {
    this.replicaId = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, n)
  }

  get state(): RecordState | undefined {
    return joinOf(this.live)
  }

  write(ms: number, change: (found: RecordState | undefined, tick: Tick) => RecordState | undefined): void {
    const { state: found } = this
    const stamp = { ms, counter: 0, writer: this.replicaId }
    const state = change(
      found,
      createTick(new Uint8Array(16), () => stamp),
    )
    if (state === undefined || state === found) return
    this.#seq += 1
    const seen = new Set(this.live.flatMap((version) => [...version.seen]))
    seen.add(keyOf(stamp))
    const context = contextOf(this.live.map(({ envelope }) => envelope))
    this.live = [{ envelope: { tag, replicaId: this.replicaId, seq: this.#seq, context }, state, seen }]
  }

  /** Takes over what another device has. */
  receive(from: Device): void {
    for (const version of from.live) {
      const killed = this.live.some(
        ({ envelope }) => sameDot(envelope, version.envelope) || kills(envelope, version.envelope),
      )
      if (killed) continue
      this.live = [...this.live.filter(({ envelope }) => !kills(version.envelope, envelope)), version]
    }
  }
}

function sameDot(a: Envelope, b: Envelope): boolean {
  return a.seq === b.seq && equalBytes(a.replicaId, b.replicaId)
}

function kills(killer: Envelope, victim: Envelope): boolean {
  return killer.context.some(
    (entry) => victim.seq <= entry.seq && equalBytes(entry.replicaId, victim.replicaId),
  )
}

function keyOf({ ms, writer }: Stamp): string {
  return `${bytesKey(writer)} ${ms}`
}

function joinOf(live: readonly Version[]): RecordState | undefined {
  return live
    .map(({ state }) => state)
    .reduce<RecordState | undefined>(
      (joined, state) => (joined === undefined ? state : joinRecords(joined, state, nodeCrypto)),
      undefined,
    )
}

const values = (fields: Record<string, number | undefined>): Map<string, number | undefined> =>
  new Map(Object.entries(fields))

function lostOf(live: readonly Version[]): string[] {
  const joined = joinOf(live)
  if (joined === undefined) return []
  const siblings: Sibling[] = live.map(({ envelope, state }) => ({ envelope, state }))
  return lostValues(siblings, joined).map(({ field, value }) => `${field}=${value as number}`)
}

/** Two devices that have the record `{ f: 0, g: 0 }`. */
function pair(): [Device, Device] {
  const [a, b] = [new Device(1), new Device(2)]
  a.write(1, (found, tick) => insertInto(found, name, values({ f: 0, g: 0 }), tick))
  b.receive(a)
  return [a, b]
}

const update =
  (fields: Record<string, number | undefined>) =>
  (found: RecordState | undefined, tick: Tick): RecordState =>
    updateInto(found, name, values(fields), tick)

test('the earlier of two concurrent values is lost, and what nobody changed is not', () => {
  const [a, b] = pair()
  a.write(2, update({ f: 1 }))
  b.write(3, update({ f: 2 }))
  a.receive(b)

  assert.equal(lostOf(a.live), ['f=1'])
})

test('a value that the other had seen and overwrote is not lost, although its sibling still holds it', () => {
  const [a, b] = pair()
  a.write(2, update({ f: 1 }))
  b.receive(a)
  a.write(3, update({ g: 1 }))
  b.write(4, update({ f: 2 }))
  a.receive(b)

  assert.equal(lostOf(a.live), [])
})

test('a value that both had merged is not lost when one of them overwrites it', () => {
  const [a, b, c] = [new Device(1), new Device(2), new Device(3)]
  a.write(1, (found, tick) => insertInto(found, name, values({ f: 1 }), tick))
  b.receive(a)
  c.receive(a)
  b.write(2, update({ g: 1 }))
  c.write(3, update({ f: 2 }))
  b.receive(c)

  assert.equal(lostOf(b.live), [])
})

test('a concurrent delete costs what was written beside it, not what it ended knowingly', () => {
  const [a, b] = pair()
  a.write(2, update({ f: 1 }))
  b.write(3, (found, tick) => deleteFrom(found, tick))
  a.receive(b)

  assert.equal(lostOf(a.live), ['f=1'])
})

test('a later life costs what was written in the one before it', () => {
  const [a, b] = pair()
  b.write(2, (found, tick) => deleteFrom(found, tick))
  b.write(3, (found, tick) => insertInto(found, name, values({ g: 9 }), tick))
  a.write(4, update({ f: 1 }))
  a.receive(b)

  assert.equal(lostOf(a.live), ['f=1'])
})

test('a removed field, an equal value and a lone envelope lose nothing', () => {
  const [a, b] = pair()
  assert.equal(lostOf(a.live), [])
  a.write(2, update({ f: undefined, g: 5 }))
  b.write(3, update({ f: 2, g: 5 }))
  a.receive(b)

  assert.equal(lostOf(a.live), [])
})

type Step =
  | {
      readonly kind: 'write'
      readonly by: number
      readonly fields: Record<string, number | undefined>
      readonly put: boolean
    }
  | { readonly kind: 'delete'; readonly by: number }
  | { readonly kind: 'send'; readonly by: number; readonly to: number }

const DEVICES = 3
const device = fc.nat(DEVICES - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      by: device,
      put: fc.boolean(),
      fields: fc.dictionary(fc.constantFrom('f', 'g', 'h'), fc.integer({ min: 1, max: 4 }), { minKeys: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), by: device }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), by: device, to: device }) },
)

/** Runs a history; `check` sees each device after each step. */
function run(steps: readonly Step[], check: (live: readonly Version[]) => void): void {
  const devices = Array.from({ length: DEVICES }, (_, n) => new Device(n + 1))
  for (const [at, one] of steps.entries()) {
    const by = devices[one.by] as Device
    if (one.kind === 'send') (devices[one.to] as Device).receive(by)
    else if (one.kind === 'delete') by.write(at + 1, (found, tick) => deleteFrom(found, tick))
    else {
      const change =
        one.put || by.state === undefined || by.state.deleted !== undefined ? putInto : updateInto
      by.write(at + 1, (found, tick) => change(found, name, values(one.fields), tick))
    }
    for (const { live } of devices) check(live)
  }
}

/** Values of a sibling that the join does not show, and that the writer of what it shows had not seen. */
function trulyLost(live: readonly Version[]): Set<string> {
  const joined = joinOf(live)
  const lost = new Set<string>()
  if (joined === undefined) return lost
  for (const { state } of live) {
    for (const [field, { value, stamp }] of state.fields) {
      const shown = joined.fields.get(field)
      if (value === undefined || shown?.value === value) continue
      const winners = live.filter(({ state: other }) => {
        if (other === state || other.life !== joined.life) return false
        if (joined.deleted !== undefined) return other.deleted !== undefined
        const mine = other.fields.get(field)
        return mine === undefined || shown === undefined
          ? mine === shown
          : compareStamps(mine.stamp, shown.stamp) === 0
      })
      if (winners.length > 0 && winners.every(({ seen }) => !seen.has(keyOf(stamp))))
        lost.add(`${field}=${value as number}`)
    }
  }
  return lost
}

/** Whether each sibling's writer has written once since what the others have seen of it: then envelopes tell everything. */
function isExact(live: readonly Version[]): boolean {
  return live.every((version) =>
    live.every(
      (other) => other === version || [...version.seen].filter((write) => !other.seen.has(write)).length <= 1,
    ),
  )
}

test('every value that was lost unseen is told, in any history', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), (steps) => {
      run(steps, (live) => {
        const told = new Set(lostOf(live))
        for (const value of trulyLost(live)) assert.ok(told.has(value), `${value} of ${[...told].join()}`)
      })
    }),
    { numRuns: 1_500 },
  )
})

test('where each side wrote once, nothing else is told', () => {
  let exact = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), (steps) => {
      run(steps, (live) => {
        if (live.length < 2 || !isExact(live)) return
        exact += 1
        assert.equal(new Set(lostOf(live)), trulyLost(live))
      })
    }),
    { numRuns: 1_500 },
  )
  assert.ok(exact > 100, `only ${exact}`)
})

test('nothing is told that the join shows, and all agree whatever the order of the siblings', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), (steps) => {
      run(steps, (live) => {
        const joined = joinOf(live)
        const told = lostOf(live)
        for (const [field, { value }] of joined?.fields ?? [])
          assert.not.ok(told.includes(`${field}=${value as number}`))
        assert.equal(new Set(lostOf([...live].reverse())), new Set(told))
      })
    }),
    { numRuns: 500 },
  )
})

test.run()

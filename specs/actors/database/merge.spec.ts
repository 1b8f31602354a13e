/** Counters, sets, maxima and minima: nothing that devices do to them at once is lost, in whatever order they hear of each other. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, counter, increment, max, min, remove, set } from '../../../actors/client/merge-operation.ts'
import { createTick, insertInto, putInto, updateInto } from '../../../actors/database/record/record-change.ts'
import type { FieldInput } from '../../../actors/database/record/record-change.ts'
import { decodeRecord, encodeRecord } from '../../../actors/database/record/record-body.ts'
import { joinRecords } from '../../../actors/database/record/record.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { compareValues } from '../../../actors/database/record/value-order.ts'
import { limits, nodeCrypto, toHex } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { codeOf } from '../../fixtures/code-of.ts'

const name = { collection: 'c', id: 'x' }

/** One opening of one replica. */
class Device {
  readonly #writer: Uint8Array
  readonly #boot: Uint8Array
  #ms: number
  state: RecordState | undefined

  constructor(replica: number, o: { boot?: number; ms?: number } = {}) {
    this.#writer = new Uint8Array(8).fill(replica)
    this.#boot = new Uint8Array(16).fill(o.boot ?? 1)
    this.#ms = o.ms ?? 1
  }

  update(inputs: Record<string, FieldInput>): this {
    const step = this.state === undefined ? insertInto : updateInto
    this.state = step(this.state, name, new Map(Object.entries(inputs)), this.#tick())
    return this
  }

  put(inputs: Record<string, FieldInput>): this {
    this.state = putInto(this.state, name, new Map(Object.entries(inputs)), this.#tick())
    return this
  }

  hear(...others: readonly (Device | RecordState)[]): this {
    for (const other of others) {
      const state = other instanceof Device ? other.state : other
      if (state === undefined) continue
      this.state = this.state === undefined ? state : joinRecords(this.state, state, nodeCrypto)
    }
    return this
  }

  get(field: string): Value | undefined {
    return this.state?.fields.get(field)?.value
  }

  get bytes(): number {
    return encodeRecord(this.state as RecordState).length
  }

  #tick() {
    this.#ms += 1
    const stamp = { ms: this.#ms, counter: 0, writer: this.#writer }
    return createTick(this.#boot, () => stamp)
  }
}

test('concurrent increments add up, also where several devices begin the counter', () => {
  const [a, b] = [new Device(1), new Device(2)]

  a.update({ n: counter(10) }).update({ n: increment(2) })
  b.update({ n: increment(-5) })
  a.hear(b)
  b.hear(a)

  assert.is(a.get('n'), 7)
  assert.is(b.get('n'), 7)
})

test('a copy that comes again, and one that was made anew for another replica, count once', () => {
  const a = new Device(1).update({ n: increment(3) })
  const early = a.state as RecordState
  a.update({ n: increment(4) })
  const reissued = decodeRecord(encodeRecord(a.state as RecordState), { life: 1, deleted: false })

  const b = new Device(2).hear(early, a, reissued, early).update({ n: increment() }).hear(a, reissued)

  assert.is(b.get('n'), 8)
})

test('what one replica counts in two openings adds up, when neither has seen the other', () => {
  const first = new Device(1, { boot: 1 }).update({ n: increment(3) })
  const second = new Device(1, { boot: 2 }).update({ n: increment(4) })

  assert.is(first.hear(second).get('n'), 7)
})

test('an add wins over a concurrent remove, and a remove over all adds that it has seen', () => {
  const a = new Device(1).update({ tags: set(['x', 'y']) })
  const b = new Device(2).hear(a)

  a.update({ tags: remove('x', 'y') })
  b.update({ tags: add('x') })
  const c = new Device(3).hear(b, a)

  assert.equal(c.get('tags'), ['x'])
  assert.equal(
    b
      .update({ tags: remove('x') })
      .hear(a, c)
      .get('tags'),
    [],
  )
})

test('a set that loses and gains elements for ever keeps one number for each opening, not the elements', () => {
  const a = new Device(1).update({ tags: set(['always']) })
  const b = new Device(2).hear(a).update({ tags: add('first') })
  a.hear(b)
  const bytes = a.bytes
  for (let round = 0; round < 300; round += 1) {
    a.update({ tags: add(`element ${round}`) }).update({ tags: remove(`element ${round}`) })
    b.hear(a)
  }

  assert.equal(b.get('tags'), ['always', 'first'])
  assert.ok(b.bytes - bytes <= 4, `${b.bytes - bytes} bytes more`)
})

test('constructors bring what is there to what they say, and lose nothing of others', () => {
  const a = new Device(1).update({ n: counter(5), tags: set([1, 2]), top: max(3) })
  const b = new Device(2).hear(a).update({ n: increment(), tags: add(3), top: max(9) })

  a.put({ n: counter(7), tags: set([2, 4]), top: max(8) }).hear(b)

  assert.is(a.get('n'), 8)
  assert.equal(a.get('tags'), [2, 3, 4])
  assert.is(a.get('top'), 9)
})

test('a write that shows the same changes nothing and keeps the kind', () => {
  const a = new Device(1).update({ n: counter(5), tags: set(['b', 'a']), low: min(3) })
  const before = a.state

  a.put({ n: 5, tags: ['a', 'b'], low: 3 })
  a.update({ n: counter(5), tags: set(['a', 'b']), low: min(4) })
  a.update({ n: increment(0), tags: remove('c') })

  assert.is(a.state, before)
})

test('another value replaces the field; who has not seen it counts in vain', () => {
  const a = new Device(1).update({ n: counter(5) })
  const b = new Device(2, { ms: 50 }).hear(a).update({ n: 'text' })
  a.update({ n: increment() })

  assert.is(a.hear(b).get('n'), 'text')
  assert.is(
    codeOf(() => a.update({ n: increment() })),
    'BAD_VALUE',
  )
  assert.is(a.update({ n: counter(1) }).get('n'), 1)
})

test('after a removal devices begin again together', () => {
  const a = new Device(1).update({ n: counter(5) }).update({ n: undefined })
  const b = new Device(2).hear(a)

  a.update({ n: increment(1) })
  b.update({ n: increment(2) })

  assert.is(a.hear(b).get('n'), 3)
})

test('a field that two devices make two kinds at once becomes the same one everywhere', () => {
  const make = (): Device[] => [
    new Device(1).update({ f: increment() }),
    new Device(2).update({ f: add('x') }),
    new Device(3).update({ f: max(1) }),
  ]
  const [a, b, c] = make() as [Device, Device, Device]
  const [x, y, z] = make() as [Device, Device, Device]

  assert.equal(a.hear(b, c).get('f'), z.hear(x, y).get('f'))
})

test('counters refuse what does not fit, and show large sums exactly', () => {
  const most = limits.counterSumMax
  const a = new Device(1).update({ n: counter(most) })

  assert.is(
    codeOf(() => a.update({ n: increment() })),
    'BAD_VALUE',
  )
  for (const wrong of [most + 1, -most - 1, 0.5, Number.NaN, Infinity, '1', 1n << 60n]) {
    assert.throws(
      () => increment(wrong as number),
      (error: unknown) => error instanceof TypeError,
      `${typeof wrong}`,
    )
  }
  for (let boot = 2; boot <= 20; boot += 1) a.hear(new Device(1, { boot }).update({ n: increment(most) }))
  assert.is(a.get('n'), BigInt(most) * 20n)
})

test('maxima and minima take what has an order', () => {
  const a = new Device(1).update({ top: max(-0), low: min(new Date(5)) })

  a.update({ top: max(0), low: min(new Date(4)) })

  assert.ok(Object.is(a.get('top'), 0))
  assert.equal(a.get('low'), new Date(4))
  for (const wrong of [Number.NaN, null, true, [1], { a: 1 }, new Uint8Array(1)]) {
    assert.throws(
      () => max(wrong as number),
      (error: unknown) => error instanceof TypeError,
      JSON.stringify(wrong),
    )
  }
})

/** What a set has to show, told by unique tokens instead of numbers. */
class TokenSet {
  readonly added = new Map<string, string>()
  readonly removed = new Set<string>()

  hear(other: TokenSet): void {
    for (const [token, value] of other.added) this.added.set(token, value)
    for (const token of other.removed) this.removed.add(token)
  }

  get values(): Value[] {
    const shown = [...this.added].flatMap(([token, value]) => (this.removed.has(token) ? [] : [value]))
    return [...new Set(shown)].sort(compareValues)
  }
}

const arbitraryAct = fc.record({
  device: fc.integer({ min: 0, max: 3 }),
  from: fc.integer({ min: 0, max: 3 }),
  act: fc.constantFrom('hear', 'hear', 'increment', 'add', 'add', 'remove', 'max', 'min'),
  by: fc.integer({ min: -3, max: 3 }),
  element: fc.constantFrom('x', 'y', 'z'),
})

test('in any history of devices every merge shows what was done, and all agree to the byte', () => {
  fc.assert(
    fc.property(fc.array(arbitraryAct, { maxLength: 40 }), (acts) => {
      const devices = [0, 1, 2, 3].map((n) => new Device(n >> 1, { boot: n & 1 }).update({ begun: true }))
      const tokens = devices.map(() => new TokenSet())
      let total = 0
      const extremes: number[] = []
      acts.forEach(({ device, from, act, by, element }, at) => {
        const [one, mine] = [devices[device] as Device, tokens[device] as TokenSet]
        if (act === 'hear') {
          one.hear(devices[from] as Device)
          mine.hear(tokens[from] as TokenSet)
          assert.equal(one.get('tags') ?? [], mine.values)
        } else if (act === 'increment') {
          total += by
          one.update({ n: increment(by) })
        } else if (act === 'add') {
          mine.added.set(`${at}`, element)
          one.update({ tags: add(element) })
        } else if (act === 'remove') {
          for (const [token, value] of mine.added) if (value === element) mine.removed.add(token)
          one.update({ tags: remove(element) })
        } else {
          extremes.push(by)
          one.update({ top: max(by), low: min(by) })
        }
      })
      const forth = new Device(8).hear(...devices)
      const back = new Device(9).hear(...devices.toReversed(), ...devices)
      const all = tokens.reduce((sum, next) => (sum.hear(next), sum), new TokenSet())

      assert.is(
        toHex(encodeRecord(forth.state as RecordState)),
        toHex(encodeRecord(back.state as RecordState)),
      )
      assert.equal(forth.get('n') ?? 0, total)
      assert.equal(forth.get('tags') ?? [], all.values)
      assert.is(forth.get('top'), extremes.length === 0 ? undefined : Math.max(...extremes) + 0)
      assert.is(forth.get('low'), extremes.length === 0 ? undefined : Math.min(...extremes) + 0)
    }),
    { numRuns: 500 },
  )
})

test.run()

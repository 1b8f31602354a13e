/** Property specs of live sets over causal histories (REPLICATION rules 2, 8, 9). */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contextOf, kills, offer } from '../../../actors/replica/live-set.ts'
import type { Dotted } from '../../../actors/replica/live-set.ts'

interface Write {
  readonly envelope: Dotted
}
type Live = readonly Write[]

const oneTag = new Uint8Array(16)
const replica = (n: number): Uint8Array => new Uint8Array(8).fill(n + 1)

function merge(a: Live, b: Live): Live {
  return b.reduce<Live>((live, write) => offer(live, write), a)
}

function dots(live: Live): string {
  return live
    .map(({ envelope }) => `${envelope.replicaId[0]}:${envelope.seq}`)
    .sort()
    .join(' ')
}

/** What three to five replicas do to one tag: write (merging what they hold), or take the live set of another. */
const history = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('write' as const), at: fc.nat(4), from: fc.constant(0) }),
    fc.record({ kind: fc.constant('take' as const), at: fc.nat(4), from: fc.nat(4) }),
  ),
  { maxLength: 40 },
)
type Step = { readonly kind: 'write' | 'take'; readonly at: number; readonly from: number }

function play(steps: readonly Step[]): { states: Live[]; all: Write[] } {
  const states: Live[] = [[], [], [], [], []]
  const seqs = [0, 0, 0, 0, 0]
  const all: Write[] = []
  for (const { kind, at, from } of steps) {
    const held = states[at] ?? []
    if (kind === 'take') states[at] = merge(held, states[from] ?? [])
    else {
      const seq = (seqs[at] ?? 0) + 1
      seqs[at] = seq
      const context = contextOf(held.map(({ envelope }) => envelope))
      const write = { envelope: { tag: oneTag, replicaId: replica(at), seq, context } }
      all.push(write)
      states[at] = offer(held, write)
      assert.is((states[at] ?? []).length, 1, 'a write that merges everything is alone')
    }
  }
  return { states, all }
}

test('merging is commutative, associative and idempotent', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { states } = play(steps)
      const [a = [], b = [], c = []] = states

      assert.is(dots(merge(a, b)), dots(merge(b, a)))
      assert.is(dots(merge(merge(a, b), c)), dots(merge(a, merge(b, c))))
      assert.is(dots(merge(a, a)), dots(a))
      assert.is(merge(a, a), a, 'nothing changed, so it is the same array')
    }),
  )
})

test('late arrivals in any order end in the writes that nothing killed, and never resurrect', () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.nat()), (steps, order) => {
      const { all } = play(steps)
      const unkilled = all.filter((write) => !all.some((other) => kills(other.envelope, write.envelope)))
      const keys = new Map(all.map((write) => [write, order.next().value ?? 0]))
      const shuffled = [...all].sort((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))

      const live = merge([], shuffled)

      assert.is(dots(live), dots(unkilled))
      assert.is(dots(merge(live, shuffled)), dots(unkilled), 'all of it again')
    }),
  )
})

test('a live set never becomes empty, whatever liars put into their contexts', () => {
  const entry = fc.record({ replicaId: fc.nat(3).map(replica), seq: fc.integer({ min: 1, max: 5 }) })
  const envelope = fc.record({
    tag: fc.constant(oneTag),
    replicaId: fc.nat(3).map(replica),
    seq: fc.integer({ min: 1, max: 5 }),
    context: fc.array(entry, { maxLength: 4 }),
  })
  fc.assert(
    fc.property(fc.array(envelope, { minLength: 1, maxLength: 12 }), (envelopes) => {
      const live = envelopes.reduce<Live>((held, one) => offer(held, { envelope: one }), [])

      assert.ok(live.length > 0)
    }),
  )
})

test('a context keeps the 64 highest seqs, sorted by replica id', () => {
  const held: Dotted[] = Array.from({ length: 70 }, (_, n) => {
    return { tag: oneTag, replicaId: replica(100 - n), seq: 1000 + n, context: [] }
  })

  const context = contextOf(held)

  assert.is(context.length, 64)
  assert.is(Math.min(...context.map(({ seq }) => seq)), 1006)
  const ids = context.map(({ replicaId }) => replicaId[0] ?? 0)
  assert.equal(
    ids,
    [...ids].sort((a, b) => a - b),
  )
})

test('a context entry speaks of all earlier writes of that replica, and of no later one', () => {
  const killer: Dotted = {
    tag: oneTag,
    replicaId: replica(1),
    seq: 1,
    context: [{ replicaId: replica(2), seq: 5 }],
  }
  const victim = (n: number, seq: number): Dotted => ({
    tag: oneTag,
    replicaId: replica(n),
    seq,
    context: [],
  })

  assert.ok(kills(killer, victim(2, 1)))
  assert.ok(kills(killer, victim(2, 5)))
  assert.not.ok(kills(killer, victim(2, 6)))
  assert.not.ok(kills(killer, victim(3, 1)))
})

test.run()

/**
 * Property specs of rebased branches over causal histories (REPLICATION rules 8, 22, 23): whatever was written on two branches of one
 * replica id is there after any merging, once one branch has made its writes again. Each write carries what it has merged.
 */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contextOf, offer } from '../../../actors/replica/live-set.ts'
import type { Dotted } from '../../../actors/replica/live-set.ts'
import { contextOfCopy, isAbandoned } from '../../../actors/replica/rebase/rebase.ts'
import type { LeftReplica } from '../../../actors/replica/rebase/rebase.ts'

interface Write {
  readonly envelope: Dotted
  /** Names of all writes that are in it, its own included: the state that a join of live writes adds up to. */
  readonly holds: ReadonlySet<string>
}
type Live = readonly Write[]

const oneTag = new Uint8Array(16)
const CLONED = 0
const CLONE = 4
const NEW = 9
const idOf = (n: number): Uint8Array => new Uint8Array(8).fill(n + 1)

/** A replica, what it holds, and the next seq under its id. */
interface Member {
  live: Live
  /** The highest seq of the cloned id that it, or what it merged, has seen: what its vector says. */
  seen: number
  seq: number
  readonly id: number
}

type Step = { readonly kind: 'write' | 'take'; readonly at: number; readonly from: number }

const steps = (members: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('write' as const, 'take' as const),
      at: fc.nat(members),
      from: fc.nat(members),
    }),
    { maxLength: 25 },
  )

function merge(a: Live, b: Live): Live {
  return b.reduce<Live>((live, write) => offer(live, write), a)
}

function write(member: Member, name: string): void {
  member.seq += 1
  const holds = new Set(member.live.flatMap((held) => [...held.holds]))
  holds.add(name)
  const context = contextOf(member.live.map(({ envelope }) => envelope))
  const envelope = { tag: oneTag, replicaId: idOf(member.id), seq: member.seq, context }
  member.live = offer(member.live, { envelope, holds })
  if (member.id === CLONED) member.seen = member.seq
}

function take(member: Member, other: Member): void {
  member.live = merge(member.live, other.live)
  member.seen = Math.max(member.seen, other.seen)
}

/** What two branches of replica 0 and three others do; nobody takes from the branch of the clone before it has rebased. */
function play(
  shared: readonly Step[],
  apart: readonly Step[],
): { members: Member[]; forkPoint: number; names: string[] } {
  const members: Member[] = [0, 1, 2, 3].map((id) => ({ live: [], seen: 0, seq: 0, id }))
  const names: string[] = []
  const act = ({ kind, at, from }: Step, of: readonly Member[], prefix: string): void => {
    const [member, other] = [of[at], of[from]]
    if (member === undefined || other === undefined) return
    if (kind === 'take') take(member, other)
    else {
      names.push(`${prefix}${names.length}`)
      write(member, names.at(-1) ?? '')
    }
  }
  for (const step of shared) act(step, members, 's')
  const cloned = members[CLONED]
  assert.ok(cloned)
  const forkPoint = cloned.seq
  members.push({ ...cloned })
  for (const step of apart) {
    if (step.kind === 'take' && step.from === CLONE) continue
    // Whoever shows more of the own id than the clone knows is recognized before anything of it is taken (rule 23).
    if (step.kind === 'take' && step.at === CLONE && (members[step.from]?.seen ?? 0) > forkPoint) continue
    act(step, members, 'a')
  }
  return { members, forkPoint, names }
}

/** What the rebase makes of the live set of the clone. */
function rebased(live: Live, left: LeftReplica): Live {
  let seq = 0
  let next: Live = live
  for (const old of live) {
    if (!isAbandoned(left, old.envelope)) continue
    seq += 1
    const context = contextOfCopy(old.envelope.context, left)
    const envelope = { tag: oneTag, replicaId: idOf(NEW), seq, context }
    next = offer(
      next.filter((held) => held !== old),
      { envelope, holds: old.holds },
    )
  }
  return next
}

function held(live: Live): string {
  return [...new Set(live.flatMap(({ holds }) => [...holds]))].sort().join(' ')
}

const world = fc.record({
  shared: steps(3),
  apart: steps(CLONE),
  /** Added to nothing: how much lower than the true one the fork point is taken. */
  lower: fc.nat(3),
  order: fc.shuffledSubarray([0, 1, 2, 3, CLONE], { minLength: 5 }),
  again: fc.array(fc.constantFrom(0, 1, 2, 3, CLONE), { maxLength: 5 }),
})

/** Everybody's live sets merged in an order, some of them twice. `forkPoint` moves the true one. */
function merged(
  { members, forkPoint: truth }: ReturnType<typeof play>,
  order: readonly number[],
  moved: number,
): Live {
  const forkPoint = Math.max(0, truth + moved)
  const left = { replicaId: idOf(CLONED), forkPoint }
  let all: Live = []
  for (const at of order) {
    const live = members[at]?.live ?? []
    all = merge(all, at === CLONE ? rebased(live, left) : live)
  }
  return all
}

test('both branches of a clone are there after any merging, in any order and however often, once one has rebased', () => {
  fc.assert(
    fc.property(world, ({ shared, apart, lower, order, again }) => {
      const played = play(shared, apart)
      const all = merged(played, [...order, ...again], -lower)

      assert.is(held(all), [...played.names].sort().join(' '))
      assert.is(held(merged(played, [...order].reverse(), -lower)), held(all))
    }),
    { numRuns: 2_000 },
  )
})

test('a fork point that is too high loses writes: that is why it is never guessed', () => {
  let lost = 0
  fc.assert(
    fc.property(world, ({ shared, apart, order }) => {
      const played = play(shared, apart)
      if (held(merged(played, order, 3)) !== [...played.names].sort().join(' ')) lost += 1
    }),
    { numRuns: 2_000 },
  )

  assert.ok(lost > 0)
})

test('a rebased branch goes on under its new id like any other', () => {
  fc.assert(
    fc.property(world, steps(3), ({ shared, apart, order }, later) => {
      const { members, forkPoint, names } = play(shared, apart)
      const branch = members[CLONE]
      assert.ok(branch)
      const live = rebased(branch.live, { replicaId: idOf(CLONED), forkPoint })
      const ids = new Set(live.map(({ envelope }) => envelope.replicaId[0]))
      const clone: Member = { live, seen: 0, seq: ids.has(NEW + 1) ? branch.live.length : 0, id: NEW }
      for (const { kind, at } of later) {
        const other = members[at]
        assert.ok(other)
        take(clone, other)
        if (kind === 'take') take(other, clone)
        else {
          names.push(`l${names.length}`)
          write(clone, names.at(-1) ?? '')
        }
      }
      let all: Live = []
      for (const at of order) all = merge(all, at === CLONE ? clone.live : (members[at]?.live ?? []))

      assert.is(held(all), names.sort().join(' '))
    }),
    { numRuns: 1_000 },
  )
})

test.run()

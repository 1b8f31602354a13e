/** Replicas of a team that hold the same entries say the same, however the entries came. REPLICATION rule 27. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createTeam, parseEntry } from '../../../actors/team/index.ts'
import type { Team } from '../../../actors/team/index.ts'
import { nodeCrypto, toHex } from '../../../runtime/index.ts'
import { addBody, create, device, entry, hashOf, inviteBody, joinBody, roleOf, teamOf } from './roster.ts'

const names = ['owner', 'b', 'c', 'd', 'e', 'f'] as const
const roles = ['owner', 'admin', 'writer', 'reader', 'relay'] as const
const places = 3
/** Known everywhere from the start, so that joins on it are often concurrent. */
const firstInvite = entry('owner', inviteBody('i0'), [hashOf(create)])

interface Step {
  readonly kind: 'add' | 'invite' | 'join' | 'exchange'
  /** Which of the replicas acts, and which other one an exchange takes from. */
  readonly at: number
  readonly from: number
  readonly author: number
  readonly subject: number
  readonly role: number
  readonly invite: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('add', 'add', 'invite', 'join', 'join', 'exchange'),
  at: fc.nat(places - 1),
  from: fc.nat(places - 1),
  // Mostly the owner, so that many entries have the right.
  author: fc.oneof(fc.constant(0), fc.nat(names.length - 1)),
  subject: fc.nat(names.length - 1),
  role: fc.nat(roles.length - 1),
  invite: fc.nat(20),
})

/** Plays the steps on replicas that talk now and then; returns all entries, some of them void. */
function play(steps: readonly Step[]): Uint8Array[] {
  const teams = Array.from({ length: places }, () => teamOf(create, firstInvite))
  steps.forEach((it, i) => {
    const team = teams[it.at]
    const other = teams[it.from]
    if (team === undefined || other === undefined) return
    if (it.kind === 'exchange') team.add({ entries: other.entries() })
    else tryEntry(team, it, i + 1)
  })
  const all = createTeam({ spaceId: teams[0]?.spaceId ?? new Uint8Array(16), crypto: nodeCrypto })
  for (const team of teams) all.add({ entries: team.entries() })
  return all.entries()
}

function tryEntry(team: Team, it: Step, serial: number): void {
  const subject = names[it.subject] ?? 'owner'
  const author = names[it.author] ?? 'owner'
  const parents = team.heads.slice(0, 16)
  // A device that stands nowhere in the log cannot sign anything but a join.
  const signs = team.entries().some((bytes) => {
    const { body } = parseEntry(bytes)
    return body.type !== 'invite' && toHex(body.keys.signKey) === toHex(device(author).keys.signKey)
  })
  if (it.kind === 'add' && signs)
    team.add({ entries: [entry(author, addBody(subject, roles[it.role] ?? 'reader'), parents)] })
  if (it.kind === 'invite' && signs)
    team.add({ entries: [entry(author, inviteBody(`i${serial}`, roles[it.role] ?? 'reader'), parents)] })
  if (it.kind === 'join') {
    const invites = team.entries().filter((bytes) => parseEntry(bytes).body.type === 'invite')
    const chosen = invites[it.invite % Math.max(1, invites.length)]
    if (chosen === undefined) return
    const label = labelOf(chosen)
    if (label === undefined) return
    // A newcomer names the invite alone, or all it has seen since.
    const seen = it.from === 0 ? [hashOf(chosen)] : parents
    team.add({ entries: [entry(subject, joinBody(label, hashOf(chosen), subject), seen)] })
  }
}

/** The label that the invite's keys were made from. */
function labelOf(bytes: Uint8Array): string | undefined {
  const { body } = parseEntry(bytes)
  if (body.type !== 'invite') return undefined
  return Array.from({ length: 40 }, (_, i) => `i${i}`).find((label) => {
    const made = inviteBody(label)
    return made.type === 'invite' && toHex(made.joinKey) === toHex(body.joinKey)
  })
}

function describe(team: Team): unknown {
  return {
    digest: toHex(team.digest),
    entries: team.entries().map((bytes) => [toHex(hashOf(bytes)), team.voidReason(hashOf(bytes))]),
    roles: names.map((name) => roleOf(team, name)),
    heads: team.heads.map(toHex),
    members: team.members(),
  }
}

/** One at a time as they become possible, in this order of preference. */
function dripFeed(entries: readonly Uint8Array[]): Team {
  const team = createTeam({ spaceId: teamOf(create).spaceId, crypto: nodeCrypto })
  const waiting = [...entries]
  while (waiting.length > 0) {
    const at = waiting.findIndex((bytes) => parseEntry(bytes).parents.every((parent) => team.has(parent)))
    const [next] = waiting.splice(at, 1)
    assert.ok(at >= 0 && next !== undefined, 'some entry is possible')
    team.add({ entries: [next] })
    // Asked in between, so that nothing computed early survives a change.
    assert.ok(team.members().length >= 1)
  }
  return team
}

test('members, roles, void entries, order and digest do not depend on how the entries came', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  console.log(`seed ${seed}`)
  let voids = 0
  let suspended = 0
  const check = fc.property(
    fc.array(step, { minLength: 5, maxLength: 24 }).chain((steps) => {
      const entries = play(steps)
      const shuffle = fc.shuffledSubarray(entries, { minLength: entries.length })
      return fc.tuple(shuffle, shuffle, fc.constant(entries))
    }),
    ([one, two, entries]) => {
      const expected = describe(teamOf(...entries))

      assert.equal(describe(teamOf(...one)), expected)
      assert.equal(describe(dripFeed(one)), expected)
      assert.equal(describe(dripFeed(two)), expected)

      const team = teamOf(...entries)
      if (entries.some((bytes) => team.voidReason(hashOf(bytes)) !== undefined)) voids += 1
      if (team.members().some((member) => member.suspended)) suspended += 1
    },
  )
  fc.assert(check, { numRuns: 100, seed, endOnFailure: true })

  console.log(`${voids} runs with void entries, ${suspended} with suspended members`)
  assert.ok(voids > 10, `void entries in ${voids} runs`)
  assert.ok(suspended > 10, `suspended members in ${suspended} runs`)
})

test.run()

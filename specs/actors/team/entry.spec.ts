/** Bytes of log entries and announcements: nothing forged, cut, extended or of another space gets in. PROTOCOL §4, §5. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createTeam, encodeAnnouncement, parseAnnouncement, parseEntry } from '../../../actors/team/index.ts'
import type { Team } from '../../../actors/team/index.ts'
import { BlazeError, compareBytes, concatBytes, limits, nodeCrypto } from '../../../runtime/index.ts'
import {
  addBody,
  announcement,
  create,
  derive,
  device,
  entry,
  hashOf,
  inviteBody,
  joinBody,
  replicaId,
  spaceId,
  teamOf,
} from './roster.ts'

const invite = entry('owner', inviteBody('i'), [hashOf(create)])
const samples: Readonly<Record<string, { readonly before: Uint8Array[]; readonly bytes: Uint8Array }>> = {
  create: { before: [], bytes: create },
  add: { before: [create], bytes: entry('owner', addBody('writer', 'writer'), [hashOf(create)]) },
  invite: { before: [create], bytes: invite },
  join: {
    before: [create, invite],
    bytes: entry('newcomer', joinBody('i', hashOf(invite), 'newcomer'), [hashOf(invite)]),
  },
}
const refusals = new Set(['PROTOCOL_VIOLATION', 'BAD_SIGNATURE', 'NOT_SUPPORTED'])

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof BlazeError ? error.code : `not a BlazeError: ${String(error)}`
  }
  return 'accepted'
}

/** Every variant of the bytes is refused and leaves the team as it was. */
function refusesAll(
  team: Team,
  variants: Iterable<[string, Uint8Array]>,
  add: (bytes: Uint8Array) => unknown,
): void {
  const digest = team.digest
  for (const [what, bytes] of variants) assert.ok(refusals.has(codeOf(() => add(bytes))), what)
  assert.equal(team.digest, digest)
}

function* damaged(bytes: Uint8Array): Generator<[string, Uint8Array]> {
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice()
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    yield [`bit ${at % 8} of byte ${at}`, flipped]
    yield [`cut to ${at} bytes`, bytes.slice(0, at)]
  }
  yield ['one byte more', concatBytes([bytes, Uint8Array.of(0)])]
}

/** These bytes with the owner's signature over them. */
function signedAnew(bytes: Uint8Array, domain: string, space: Uint8Array = new Uint8Array(0)): Uint8Array {
  const { signer } = device('owner')
  return concatBytes([bytes, signer.sign(concatBytes([new TextEncoder().encode(domain), space, bytes]))])
}

for (const [name, { before, bytes }] of Object.entries(samples)) {
  test(`${name}: every flipped bit, cut and extension is refused`, () => {
    const team = teamOf(...before)

    refusesAll(team, damaged(bytes), (variant) => team.add({ entries: [variant] }))

    assert.is(team.add({ entries: [bytes] }).added.entries, 1)
  })

  test(`${name}: signed for another space it is refused`, () => {
    const elsewhere = createTeam({ spaceId: derive('elsewhere', 16), crypto: nodeCrypto })

    assert.ok(refusals.has(codeOf(() => elsewhere.add({ entries: [...before, bytes] }))))
    assert.is(elsewhere.entries().length, 0)
  })
}

test('an announcement: every flipped bit, cut and extension is refused', () => {
  const team = teamOf(create)
  const bytes = announcement('owner')

  refusesAll(team, damaged(bytes), (variant) => team.add({ announcements: [variant] }))

  assert.is(team.add({ announcements: [bytes] }).added.announcements, 1)
})

test('a well-signed announcement without a number, or with a fork point of nothing, is refused', () => {
  const bytes = announcement('owner')
  const without = (from: number, to: number, value: number): Uint8Array =>
    signedAnew(bytes.slice(0, -64).fill(value, from, to), 'blazedb/announce/1')

  for (const bad of [without(57, 61, 0), without(69, 75, 1)])
    assert.is(
      codeOf(() => teamOf(create).add({ announcements: [bad] })),
      'PROTOCOL_VIOLATION',
    )
})

test('a well-signed entry that names a parent twice is refused', () => {
  const twice = entry('owner', addBody('writer', 'writer'), [hashOf(create), hashOf(create)])

  assert.is(
    codeOf(() => teamOf(create).add({ entries: [twice] })),
    'PROTOCOL_VIOLATION',
  )
})

test('a well-signed entry whose hint names somebody else is refused', () => {
  const misled = create.slice(0, -64)
  misled.fill(0, 8, 16)

  const bytes = signedAnew(misled, 'blazedb/entry/1', spaceId)

  assert.is(
    codeOf(() => teamOf(bytes)),
    'BAD_SIGNATURE',
  )
})

test('an announcement for another space is refused', () => {
  const { signer } = device('owner')
  const bytes = encodeAnnouncement({
    spaceId: derive('elsewhere', 16),
    replicaId: replicaId('owner'),
    n: 1,
    signer,
  })

  assert.is(
    codeOf(() => teamOf(create).add({ announcements: [bytes] })),
    'PROTOCOL_VIOLATION',
  )
})

test('an announcement keeps its predecessor and fork point', () => {
  const predecessor = { replicaId: replicaId('old'), forkPoint: 77 }
  const draft = { spaceId, replicaId: replicaId('new'), n: 2, predecessor, signer: device('owner').signer }

  const parsed = parseAnnouncement(encodeAnnouncement(draft))

  assert.equal(parsed.predecessor, predecessor)
  assert.is(parsed.n, 2)
  assert.is(parseAnnouncement(announcement('owner')).predecessor, undefined)
})

test('what was encoded parses to the same fields', () => {
  const body = addBody('writer', 'writer')
  const parents = [derive('p2'), derive('p1'), derive('p3')]

  const parsed = parseEntry(entry('owner', body, parents))

  assert.equal(parsed.body, body)
  assert.equal(parsed.parents, parents.toSorted(compareBytes))
})

test('the reserved types are NOT_SUPPORTED, unknown ones a violation', () => {
  for (let type = 0; type <= 20; type++) {
    const bytes = create.slice()
    bytes[1] = type
    const expected =
      type === 1 ? 'accepted' : type >= 5 && type <= 11 ? 'NOT_SUPPORTED' : 'PROTOCOL_VIOLATION'
    assert.is(
      codeOf(() => parseEntry(bytes)),
      expected,
      `type ${type}`,
    )
  }
})

test('an entry longer than its limit is refused before anything is read', () => {
  const bytes = new Uint8Array(limits.teamEntryBytesMax + 1)

  assert.throws(() => parseEntry(bytes), /expected at most 4096 bytes, got 4097/)
})

test('a join that another key than the join key of its invite signed is refused', () => {
  const other = entry('owner', inviteBody('other'), [hashOf(create)])
  const stolen = entry('thief', joinBody('other', hashOf(invite), 'thief'), [hashOf(invite)])

  assert.is(
    codeOf(() => teamOf(create, invite, other).add({ entries: [stolen] })),
    'BAD_SIGNATURE',
  )
})

test('a join whose join signature is for another device is refused', () => {
  const joined = joinBody('i', hashOf(invite), 'newcomer')
  const swapped = entry('thief', { ...joined, keys: device('thief').keys } as typeof joined, [hashOf(invite)])

  assert.is(
    codeOf(() => teamOf(create, invite).add({ entries: [swapped] })),
    'BAD_SIGNATURE',
  )
})

test('an entry that a stranger signed under the hint of a member is refused', () => {
  const forged = entry('stranger', addBody('stranger', 'admin'), [hashOf(create)])
  forged.set(nodeCrypto.sha256(device('owner').keys.signKey).subarray(0, 8), 8)

  assert.is(
    codeOf(() => teamOf(create).add({ entries: [forged] })),
    'BAD_SIGNATURE',
  )
})

test.run()

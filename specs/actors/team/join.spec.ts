/** How a device comes in by an invite, and what becomes of rivals. REPLICATION rule 29. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { Role, Team } from '../../../actors/team/index.ts'
import { BlazeError } from '../../../runtime/index.ts'
import {
  act,
  addBody,
  create,
  derive,
  entry,
  hashOf,
  inviteBody,
  joinBody,
  roleOf,
  startMs,
  teamOf,
} from './roster.ts'

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BlazeError && error.code === code
}

/** A team with one open invite `i`, and the hash of its entry. */
function invited(role: Role = 'writer'): { team: Team; invite: Uint8Array; hash: Uint8Array } {
  const team = teamOf(create)
  const invite = act(team, 'owner', inviteBody('i', role))
  return { team, invite, hash: hashOf(invite) }
}

test('a device joins by an invite with the role of the invite', () => {
  for (const role of ['writer', 'reader'] as const) {
    const { team, hash } = invited(role)
    const id = derive('i id', 16)
    assert.is(team.invite(id)?.state, 'open')

    act(team, 'newcomer', joinBody('i', hash, 'newcomer'))

    assert.is(roleOf(team, 'newcomer'), role)
    assert.is(team.invite(id)?.state, 'used')
    assert.equal(team.invite(id)?.entryHash, hash)
    assert.is(team.invite(id)?.expiresMs, startMs + 900_000)
  }
})

test('a newcomer may sign its join knowing only the hash of the invite entry', () => {
  const { team, hash } = invited()
  act(team, 'owner', addBody('other', 'reader'))

  team.add({ entries: [entry('newcomer', joinBody('i', hash, 'newcomer'), [hash])] })

  assert.is(roleOf(team, 'newcomer'), 'writer')
})

test('a later join on an invite is void', () => {
  const { team, hash } = invited()
  act(team, 'first', joinBody('i', hash, 'first'))

  const late = act(team, 'late', joinBody('i', hash, 'late'))

  assert.is(team.voidReason(hashOf(late)), 'the invite was already used')
  assert.is(roleOf(team, 'first'), 'writer')
  assert.is(roleOf(team, 'late'), undefined)
})

test('of two concurrent joins on one invite both are suspended, and a third joins them', () => {
  const { team, hash } = invited()
  const joins = ['a', 'b', 'c'].map((name) => entry(name, joinBody('i', hash, name), [hash]))

  for (const join of joins.slice(0, 2)) team.add({ entries: [join] })
  assert.equal(
    ['a', 'b', 'c'].map((name) => roleOf(team, name)),
    ['suspended', 'suspended', undefined],
  )

  team.add({ entries: joins })
  assert.equal(
    ['a', 'b', 'c'].map((name) => roleOf(team, name)),
    ['suspended', 'suspended', 'suspended'],
  )
  assert.is(team.invite(derive('i id', 16))?.state, 'contested')
  assert.equal(
    team.members().map(({ suspended }) => suspended),
    [false, true, true, true],
  )
})

test('an admin confirms a suspended device by adding it, for good', () => {
  const { team, hash } = invited()
  for (const name of ['a', 'b']) team.add({ entries: [entry(name, joinBody('i', hash, name), [hash])] })

  act(team, 'owner', addBody('a', 'writer'))
  team.add({ entries: [entry('c', joinBody('i', hash, 'c'), [hash])] })

  assert.equal(
    ['a', 'b', 'c'].map((name) => roleOf(team, name)),
    ['writer', 'suspended', 'suspended'],
  )
})

test('a suspended device cannot confirm itself', () => {
  const { team, hash } = invited()
  for (const name of ['a', 'b']) team.add({ entries: [entry(name, joinBody('i', hash, name), [hash])] })

  const bytes = entry('a', addBody('a', 'admin'), team.heads)
  team.add({ entries: [bytes] })

  assert.ok(team.voidReason(hashOf(bytes)))
  assert.is(roleOf(team, 'a'), 'suspended')
})

test('a member that joins again keeps its role, and the invite stays open', () => {
  const { team, hash } = invited('reader')

  const again = act(team, 'owner', joinBody('i', hash, 'owner'))

  assert.is(team.voidReason(hashOf(again)), 'the device is already in the team')
  assert.is(roleOf(team, 'owner'), 'owner')
  assert.is(team.invite(derive('i id', 16))?.state, 'open')
})

test('a second invite under the id of another is void', () => {
  const { team, hash } = invited('reader')

  const double = act(team, 'owner', inviteBody('i', 'writer'))

  assert.is(team.voidReason(hashOf(double)), 'the invite id is taken')
  assert.equal(team.invite(derive('i id', 16))?.entryHash, hash)
})

test('a join by an invite that does not precede it is refused', () => {
  const { team, invite, hash } = invited()
  const aside = entry('newcomer', joinBody('i', hash, 'newcomer'), [hashOf(create)])
  const noInvite = entry('newcomer', joinBody('i', hashOf(create), 'newcomer'), [hash])

  assert.throws(() => team.add({ entries: [aside] }), isCode('PROTOCOL_VIOLATION'))
  assert.throws(() => team.add({ entries: [noInvite] }), isCode('PROTOCOL_VIOLATION'))
  assert.equal(team.entries(), [create, invite])
})

test.run()

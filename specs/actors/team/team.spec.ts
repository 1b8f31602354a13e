/** Who is in a team and who may change it. DESIGN §10, REPLICATION §7. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { Role, Team } from '../../../actors/team/index.ts'
import { BlazeError } from '../../../runtime/index.ts'
import {
  act,
  addBody,
  announcement,
  create,
  derive,
  device,
  entry,
  hashOf,
  inviteBody,
  joinBody,
  roleOf,
  spaceId,
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

test('a new team has its creator as owner', () => {
  const team = teamOf(create)

  assert.equal(team.members(), [{ keys: device('owner').keys, role: 'owner', suspended: false }])
  assert.equal(team.heads, [hashOf(create)])
  assert.is(roleOf(team, 'stranger'), undefined)
})

test('a second create, or one of another space, is refused', () => {
  const rival = entry('rival', { type: 'create', spaceId, keys: device('rival').keys }, [])
  const elsewhere = entry(
    'rival',
    { type: 'create', spaceId: derive('x', 16), keys: device('rival').keys },
    [],
  )
  const team = teamOf(create)

  assert.throws(() => team.add({ entries: [rival] }), isCode('PROTOCOL_VIOLATION'))
  assert.throws(() => teamOf(elsewhere), isCode('PROTOCOL_VIOLATION'))
  assert.is(team.members().length, 1)
})

test('owner and admin add devices of every role', () => {
  const team = teamOf(create)

  act(team, 'owner', addBody('admin', 'admin'))
  for (const role of ['writer', 'reader', 'relay'] as const) act(team, 'admin', addBody(role, role))
  act(team, 'owner', addBody('second', 'owner'))

  for (const name of ['admin', 'writer', 'reader', 'relay']) assert.is(roleOf(team, name), name)
  assert.is(roleOf(team, 'second'), 'owner')
})

test('an entry of an author without the right is kept, void, and changes nothing', () => {
  const base = teamOf(create)
  for (const role of ['writer', 'reader', 'relay'] as const) act(base, 'owner', addBody(role, role))
  for (const author of ['writer', 'reader', 'relay']) {
    const team = teamOf(...base.entries())
    const add = entry(author, addBody('friend', 'reader'), team.heads)
    const invite = entry(author, inviteBody('sly'), team.heads)
    const join = entry('friend', joinBody('sly', hashOf(invite), 'friend'), [hashOf(invite)])

    assert.is(team.add({ entries: [join, invite, add] }).added.entries, 3)

    assert.ok(team.has(hashOf(add)))
    assert.is(team.voidReason(hashOf(add)), 'its author may not give this role')
    assert.is(team.voidReason(hashOf(invite)), 'its author may not invite')
    assert.is(team.voidReason(hashOf(join)), 'its invite is void')
    assert.is(roleOf(team, 'friend'), undefined)
    assert.is(team.invite(derive('sly id', 16)), undefined)
    assert.is(team.members().length, base.members().length)
  }
})

test('an admin cannot make an owner', () => {
  const team = teamOf(create)
  act(team, 'owner', addBody('admin', 'admin'))

  const bytes = act(team, 'admin', addBody('puppet', 'owner'))

  assert.is(team.voidReason(hashOf(bytes)), 'its author may not give this role')
  assert.is(roleOf(team, 'puppet'), undefined)
})

test('adding a member again changes nothing', () => {
  const team = teamOf(create)
  act(team, 'owner', addBody('reader', 'reader'))

  const again = act(team, 'owner', addBody('reader', 'admin'))

  assert.is(team.voidReason(hashOf(again)), 'the device is already a member')
  assert.is(roleOf(team, 'reader'), 'reader')
})

test('an invite gives writer or reader only', () => {
  for (const role of ['owner', 'admin', 'relay'] as const) {
    const { team, invite } = invited(role)
    assert.is(team.voidReason(hashOf(invite)), 'an invite gives writer or reader only')
  }
})

test('an entry with an unknown parent is refused, and nothing of the call is added', () => {
  const { team, hash } = invited()
  const good = entry('owner', addBody('friend', 'reader'), [hash])
  const orphan = entry('owner', addBody('orphan', 'reader'), [derive('nowhere')])

  assert.throws(
    () => team.add({ entries: [good, orphan], announcements: [announcement('owner')] }),
    isCode('PROTOCOL_VIOLATION'),
  )

  assert.is(team.entries().length, 2)
  assert.not.ok(team.has(hashOf(good)))
  assert.is(team.announcements().length, 0)
  assert.is(team.add({ entries: [good] }).added.entries, 1)
})

test('a device that a refused call named is forgotten', () => {
  const { team, hash } = invited()
  const friend = entry('owner', addBody('friend', 'admin'), [hash])
  const orphan = entry('owner', addBody('orphan', 'reader'), [derive('nowhere')])
  assert.throws(() => team.add({ entries: [friend, orphan] }), isCode('PROTOCOL_VIOLATION'))
  act(team, 'owner', addBody('other', 'reader'))

  const byFriend = entry('friend', addBody('puppet', 'reader'), team.heads)

  assert.throws(() => team.add({ entries: [byFriend] }), isCode('BAD_SIGNATURE'))
})

test('entries of one call may come in any order, and known ones again', () => {
  const { team, hash } = invited()
  const first = entry('owner', addBody('friend', 'reader'), [hash])
  const second = entry('owner', addBody('other', 'reader'), [hashOf(first)])

  assert.is(team.add({ entries: [second, create, first, second] }).added.entries, 2)

  assert.equal(team.entries().slice(2), [first, second])
})

test('an author that had not seen itself in the team signs in vain', () => {
  const { team, hash } = invited()
  act(team, 'owner', addBody('admin', 'admin'))
  const early = entry('admin', addBody('friend', 'reader'), [hash])

  assert.throws(() => team.add({ entries: [early] }), isCode('BAD_SIGNATURE'))
})

test('an author refuses to sign what its role does not allow', () => {
  const team = teamOf(create)
  act(team, 'owner', addBody('writer', 'writer'))
  for (const name of ['writer', 'stranger']) {
    const { signer } = device(name)
    for (const body of [addBody('friend', 'reader'), inviteBody('i')])
      assert.throws(() => team.authorEntry({ body, signer, nowMs: startMs }), isCode('FORBIDDEN'))
  }
})

test('an author names all heads, sixteen at most', () => {
  const team = teamOf(create)
  for (let i = 0; i < 20; i++)
    team.add({ entries: [entry('owner', addBody(`d${i}`, 'reader'), [hashOf(create)])] })
  assert.is(team.heads.length, 20)

  act(team, 'owner', addBody('last', 'reader'))
  assert.is(team.heads.length, 5)

  act(team, 'owner', addBody('very last', 'reader'))
  assert.is(team.heads.length, 1)
})

test.run()

/** What a device signs into the team's log, how often, and what it says when that had no effect. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Membership } from '../../../actors/client/membership.ts'
import type { Database } from '../../../actors/database/index.ts'
import { formatCode } from '../../../actors/team/index.ts'
import type { Space, Team } from '../../../actors/team/index.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import {
  create,
  derive,
  device,
  entry,
  hashOf,
  inviteBody,
  joinBody,
  spaceId,
  teamOf,
} from '../team/roster.ts'

const pi = device('pi').keys
const remote = { host: 'pi', port: 1, serverKey: pi.dhKey, serverDevice: pi.signKey, database: 'notes' }
const invite = entry('owner', inviteBody('x'), [hashOf(create)])
const url = formatCode({
  kind: 'invite',
  host: 'pi',
  port: 1,
  serverKey: pi.dhKey,
  spaceId,
  inviteId: derive('x id', 16),
  secret: derive('x secret'),
  inviteHash: hashOf(invite),
})

function membership(name: string, join?: string): Membership {
  const identity = {
    space: spaceId,
    replica: derive(`${name} replica`, 8),
    replicaN: 1,
    signSeed: derive(`${name} sign seed`),
    dhScalar: derive(`${name} dh scalar`),
    ...(join === undefined ? {} : { join }),
  }
  const database = { identity, crypto: nodeCrypto, env: { now: () => 5 } }
  return new Membership(database as unknown as Database, remote)
}

function spaceOf(team: Team): Space {
  return { team, spaceId } as Partial<Space> as Space
}

test('a newcomer waits for its invite, joins once, and is a member when the supervisor is one too', () => {
  const newcomer = membership('newcomer', url)
  const empty = spaceOf(teamOf(create))
  assert.is(newcomer.owed(empty, true), undefined)
  assert.is(newcomer.problem(empty)?.code, 'CODE_INVALID')

  const team = teamOf(create, invite)
  const space = spaceOf(team)
  assert.is(newcomer.problem(space), undefined)
  const news = newcomer.owed(space, true)
  assert.ok(news)
  team.add(news)

  assert.is(newcomer.owed(space, true), undefined)
  assert.is(newcomer.problem(space), undefined)
  assert.is(team.role(device('newcomer').keys.signKey), 'writer')
  assert.ok(team.device(derive('newcomer replica', 8)))
  assert.not.ok(newcomer.holds(space))
  team.add({ entries: [entry('owner', { type: 'add', role: 'relay', keys: pi }, team.heads)] })
  assert.ok(newcomer.holds(space))
})

test('a join without effect is not signed again, and the reason is said', () => {
  const rival = entry('rival', joinBody('x', hashOf(invite), 'rival'), [hashOf(invite)])
  const team = teamOf(create, invite, rival)
  const space = spaceOf(team)
  const late = membership('late', url)
  team.add(late.owed(space, true) ?? {})
  const entries = team.entries().length

  for (let report = 0; report < 5; report++) team.add(late.owed(space, true) ?? {})

  assert.is(team.entries().length, entries)
  assert.is(late.problem(space)?.code, 'CODE_USED')
  assert.match(late.problem(space)?.message ?? '', /already used/)
})

test('of two joins at once both wait for an admin, and both say so', () => {
  const team = teamOf(create, invite)
  const space = spaceOf(team)
  const newcomer = membership('newcomer', url)
  team.add(newcomer.owed(space, true) ?? {})
  team.add({ entries: [entry('rival', joinBody('x', hashOf(invite), 'rival'), [hashOf(invite)])] })

  assert.is(newcomer.problem(space)?.code, 'NOT_A_MEMBER')
  assert.not.ok(newcomer.holds(space))
})

test('the owner adds the supervisor once it is registered, once, and again when that was lost', () => {
  const team = teamOf(create)
  const space = spaceOf(team)
  const owner = membership('owner')
  team.add(owner.owed(space, true) ?? {})
  assert.ok(
    team.device(derive('owner replica', 8)),
    'a replica id whose announcement was lost is announced first',
  )

  assert.is(owner.owed(space, false), undefined)
  assert.ok(owner.owed(space, true))
  assert.is(owner.owed(space, true), undefined)
  owner.withdraw()
  assert.ok(owner.owed(space, true))
  assert.is(owner.problem(space), undefined)
})

test('a device without an invite that is in no team says that', () => {
  const stranger = membership('stranger')
  const space = spaceOf(teamOf(create))

  assert.is(stranger.owed(space, true), undefined)
  assert.is(stranger.problem(space)?.code, 'NOT_A_MEMBER')
})

test.run()

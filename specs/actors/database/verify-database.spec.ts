/** What `verify` says of envelopes that are signed and yet not shown: a key that is missing is no fault, a wrong body is one. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { verifyDatabase } from '../../../actors/database/index.ts'
import type { DatabaseVerifyReport } from '../../../actors/database/index.ts'
import { forge } from './forged-write.ts'
import { createMembers } from './member.ts'
import type { Member, Members } from './member.ts'

function verified(members: Members, { database }: Member): Promise<DatabaseVerifyReport> {
  return members.settle(
    verifyDatabase(database, { signal: new AbortController().signal, onProgress: undefined }),
  )
}

test('an envelope whose body is wrong is a problem that names its writer, and damages nothing', async () => {
  const members = createMembers()
  const a = await members.add('a')
  const b = await members.add('b')
  await a.write('put', 'good', { n: 1 })
  const bad = { collection: 'c', id: 'bad', home: null, life: 1, deleted: undefined, fields: new Map() }
  await members.settle(forge(a, bad, { plain: new TextEncoder().encode('no body at all') }))
  await members.send(a, b)

  const report = await verified(members, b)

  assert.not.ok(report.ok)
  assert.is(report.held.bad, 1)
  assert.is(report.records, 1)
  assert.is(report.problemCount, 1)
  assert.match(report.problems[0] ?? '', new RegExp(`write 2 of replica ${a.database.status().replicaId}`))
  assert.is(b.database.status().state, 'ready')
})

test('an envelope whose key has not come is held, and no problem', async () => {
  const members = createMembers()
  const a = await members.add('a')
  const b = await members.add('b', { epochs: [{ epoch: 2, key: new Uint8Array(32).fill(5) }] })
  await a.write('put', 'x', { n: 1 })
  await members.send(a, b)

  const report = await verified(members, b)

  assert.ok(report.ok)
  assert.is(report.held.key, 1)
  assert.is(report.records, 0)
  assert.is(report.envelopes, 1)
})

test.run()

/** The host's side of sharing in a simulated world: grants, handles, several groups, what is refused and what is left running. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeTopology, ExportPolicy } from '../../../actors/index.ts'
import { cells, contents, DATABASE, GROUP, neighbours, sourceOf } from './neighbours.ts'

const POLICY = { collections: ['bugs'] }

test('grants: an app without one is FORBIDDEN; one that is withdrawn takes what was imported, and leaves what is at home', async () => {
  const near = await neighbours(POLICY, { board: 'readWrite' })
  const { world, connect, settle, code, share, quiet } = near
  await settle(near.db.collection('bugs').insert({ id: 'theirs' }))
  const stranger = world.process('stranger')
  const options = { appGroup: GROUP, database: DATABASE, mode: 'readOnly' as const, app: 'stranger' }
  const began = world.simulation.now()
  let refusal: unknown
  await stranger.connect(options).catch((error: unknown) => (refusal = error))
  assert.is(await code(() => Promise.reject(refusal)), 'FORBIDDEN')
  assert.match(String(refusal), "grants: { 'stranger': 'readOnly' }")
  assert.ok(world.simulation.now() - began < 1_000)
  assert.equal(cells(stranger), [])

  const guest = await connect('board', 'readWrite')
  await settle(guest.collection('bugs').insert({ id: 'mine' }))
  share.setPolicy(new ExportPolicy(POLICY))
  assert.is(await code(() => stranger.connect(options)), 'FORBIDDEN')
  share.setPolicy(share.policy, { grants: { stranger: 'readOnly' } })
  await quiet()
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'mine' }])
  assert.is(sourceOf(guest).status().state, 'refused')
  assert.match(sourceOf(guest).why(), 'grants')
  assert.is(await code(() => guest.collection('bugs').insert({ id: 'more' })), 'OFFLINE')
  assert.is(await code(() => sourceOf(guest).caughtUp()), 'FORBIDDEN')

  const welcome = await connect('stranger', 'readOnly', stranger)
  assert.equal(await contents(near, welcome, 'bugs'), [{ id: 'mine' }, { id: 'theirs' }])
})

test('app ids that every object has as a property are let in by a grant only', async () => {
  const { connect, code } = await neighbours(POLICY, { __proto__x: 'readOnly' })

  for (const app of ['constructor', '__proto__', 'hasownproperty']) {
    assert.is(await code(() => connect(app)), 'FORBIDDEN', app)
  }
})

test('enabling again changes policy and grants of the same share; another group is another share', async () => {
  const near = await neighbours(POLICY)
  const { db, share, settle, connect, code, world } = near
  const exportPolicy = new ExportPolicy({ collections: ['people'] })
  await settle(db.collection('people').insert({ id: 'p' }))

  const again = await settle(db.enableCrossAppSync({ appGroup: GROUP, app: 'host', exportPolicy }))
  assert.is(again, share)
  assert.is(share.policy, exportPolicy)
  const guest = await connect('board')
  assert.equal(await contents(near, guest, 'people'), [{ id: 'p' }])
  assert.is(
    await code(() => db.enableCrossAppSync({ appGroup: GROUP, app: 'other', exportPolicy })),
    'REFUSED',
  )

  const place = { id: 'elsewhere', directory: '/elsewhere' }
  const second = await settle(
    db.enableCrossAppSync({ appGroup: place, exportPolicy: new ExportPolicy(POLICY) }),
  )
  assert.is.not(second, share)
  const far = await world.process('far').connect({ appGroup: place, database: DATABASE, mode: 'readOnly' })
  assert.equal(far.shared?.status().collections, ['bugs'])
  assert.equal(guest.shared?.status().collections, ['people'])
})

test('calls of enableCrossAppSync that overlap take effect in order', async () => {
  const near = await neighbours(POLICY)
  const { db, settle } = near
  const policies = ['a', 'b', 'c'].map((name) => new ExportPolicy({ collections: [name] }))

  const shares = await settle(
    Promise.all(policies.map((exportPolicy) => db.enableCrossAppSync({ appGroup: 'new', exportPolicy }))),
  )

  assert.is(new Set(shares).size, 1)
  assert.is(shares[0]?.policy, policies[2])
})

test('a name that another process shares in the group is ALREADY_OPEN, and nothing is left running', async () => {
  const near = await neighbours(POLICY)
  const { world, settle, code } = near
  const rival = world.process('rival')
  const db = await rival.open(DATABASE)
  const before = cells(rival)
  const exportPolicy = new ExportPolicy(POLICY)

  assert.is(await code(() => db.enableCrossAppSync({ appGroup: GROUP, exportPolicy })), 'ALREADY_OPEN')
  assert.equal(cells(rival), before)
  await settle(near.share.stop())
  assert.is(await code(() => db.enableCrossAppSync({ appGroup: GROUP, exportPolicy })), 'ok')
})

test('a share that is stopped lets its guests go, and the database can be shared again', async () => {
  const near = await neighbours(POLICY)
  const { db, share, settle, connect, code, quiet } = near
  const guest = await connect('board')
  assert.match(share.why(), '1 connected')

  await settle(share.stop())
  await settle(share.stop())
  await quiet()
  assert.is(share.status().state, 'stopped')
  assert.match(share.why(), 'enableCrossAppSync')
  assert.is(sourceOf(guest).status().state, 'failover')
  assert.is(await code(() => share.setPolicy(share.policy)), 'CLOSED')
  await settle(db.collection('bugs').insert({ id: 'a' }))
  assert.equal(await contents(near, guest, 'bugs'), [])

  const exportPolicy = new ExportPolicy(POLICY)
  const again = await settle(db.enableCrossAppSync({ appGroup: GROUP, app: 'host', exportPolicy }))
  assert.is.not(again, share)
  await settle(sourceOf(guest).caughtUp())
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a' }])
})

test('closing the database stops its shares first, also one that is only beginning', async () => {
  const near = await neighbours(POLICY)
  const { db, share, settle, connect, code, quiet, host } = near
  const guest = await connect('board')
  const beginning = code(() =>
    db.enableCrossAppSync({ appGroup: 'second', exportPolicy: new ExportPolicy(POLICY) }),
  )

  await settle(db.close())
  await quiet()

  assert.is(await beginning, 'CLOSED')
  assert.is(share.status().state, 'stopped')
  assert.is(sourceOf(guest).status().state, 'failover')
  assert.equal(cells(host), [])
  const exportPolicy = new ExportPolicy(POLICY)
  assert.is(await code(() => db.enableCrossAppSync({ appGroup: GROUP, app: 'host', exportPolicy })), 'CLOSED')
})

test('what needs a database of its own is NOT_SUPPORTED for a guest', async () => {
  const { db, connect, code } = await neighbours(POLICY)
  const guest = await connect('board', 'readWrite')
  const any = {} as never

  assert.is(guest.sync, undefined)
  assert.is(db.shared, undefined)
  assert.is(await code(() => guest.enableSync(any)), 'NOT_SUPPORTED')
  assert.is(await code(() => guest.invite({ role: 'writer' })), 'NOT_SUPPORTED')
  assert.is(
    await code(() => guest.enableCrossAppSync({ appGroup: GROUP, exportPolicy: new ExportPolicy(POLICY) })),
    'NOT_SUPPORTED',
  )
  assert.is(await code(() => guest.transaction(() => 0)), 'NOT_SUPPORTED')
  for (const [from, to] of [
    [guest, db],
    [db, guest],
  ] as const) {
    assert.is(await code(() => BlazeTopology.connectLocal({ from, to, mode: 'readOnly' })), 'NOT_SUPPORTED')
  }
})

test('bad arguments of sharing are a TypeError before anything happens', async () => {
  const { db, share, world, code } = await neighbours(POLICY)
  const exportPolicy = new ExportPolicy(POLICY)
  const board = world.process('board')
  const sharing = { appGroup: GROUP, exportPolicy }
  const connecting = { appGroup: GROUP, database: DATABASE, mode: 'readOnly' }
  const groups: unknown[] = [
    undefined,
    '',
    '.hidden',
    'UPPER',
    'a/b',
    'x'.repeat(65),
    {},
    { id: 'a' },
    { id: 'a', directory: 'relative' },
    { id: 'a', directory: '' },
    { id: '../a', directory: '/a' },
    ['a'],
  ]
  const hosting: unknown[] = [
    undefined,
    { ...sharing, exportPolicy: POLICY },
    { appGroup: GROUP },
    { ...sharing, app: 'A b' },
    { ...sharing, grants: ['board'] },
    { ...sharing, grants: { board: 'all' } },
    { ...sharing, grants: { 'No App': 'readOnly' } },
    { ...sharing, timeoutMs: -1 },
    { ...sharing, signal: 5 },
    { ...sharing, grant: { board: 'readOnly' } },
    { ...sharing, appGroup: { id: 'a', directory: '/a', mode: 1 } },
    ...groups.map((appGroup) => ({ ...sharing, appGroup })),
  ]
  const visiting: unknown[] = [
    undefined,
    { ...connecting, mode: undefined },
    { ...connecting, mode: 'writeOnly' },
    { ...connecting, database: undefined },
    { ...connecting, database: '' },
    { ...connecting, database: 'é'.repeat(128) },
    { ...connecting, database: '\ud800' },
    { ...connecting, app: '' },
    { ...connecting, timeoutMs: 'soon' },
    { ...connecting, signal: {} },
    { ...connecting, modes: 'readOnly' },
    ...groups.map((appGroup) => ({ ...connecting, appGroup })),
  ]
  const paths = world.paths
  for (const [at, row] of hosting.entries()) {
    assert.is(await code(() => db.enableCrossAppSync(row as never)), 'TypeError', `enableCrossAppSync ${at}`)
  }
  for (const [at, row] of visiting.entries()) {
    assert.is(await code(() => board.connect(row as never)), 'TypeError', `connectToShared ${at}`)
  }
  assert.is(await code(() => share.setPolicy(POLICY as never)), 'TypeError')
  assert.is(await code(() => share.setPolicy(exportPolicy, { grants: { board: 'x' } as never })), 'TypeError')
  assert.is(await code(() => share.setPolicy(exportPolicy, null as never)), 'TypeError')
  assert.equal(world.paths, paths)
  assert.equal(cells(board), [])
})

test.run()
test.run()

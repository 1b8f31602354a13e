/** Bounds of what an application may ask for, each at its limit and one over it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openIn } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import { ExportPolicy } from '../../../actors/index.ts'
import type { Grants } from '../../../actors/index.ts'
import { parseCode } from '../../../actors/team/index.ts'
import { limits } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import { createClientWorld, KEY } from './simulated-client.ts'

const fields = (count: number): string[] => Array.from({ length: count }, (_, n) => `f${n}`)

test('a database name has 128 characters, one more is a TypeError', async () => {
  const { world, code } = createClientWorld()
  const open = (chars: number): Promise<string> =>
    code(() => openIn(world, { name: 'x'.repeat(chars), at: `/db${chars}`, key: KEY }))

  assert.is(await open(limits.openNameCharsMax), 'ok')
  assert.is(await open(limits.openNameCharsMax + 1), 'TypeError')
})

test('a selection, an order and a group have 64 fields, an aggregate 64 results, one more is a TypeError', async () => {
  const world = createClientWorld()
  const query = (await world.open()).collection('c').query()
  const asks: Record<string, (count: number) => unknown> = {
    select: (count) => query.select(...fields(count)).all(),
    orderBy: (count) =>
      fields(count)
        .reduce((ordered, field) => ordered.orderBy(field), query)
        .all(),
    groupBy: (count) => query.groupBy(...fields(count)).aggregate({ n: { op: 'count' } }),
    aggregate: (count) =>
      query
        .groupBy('f')
        .aggregate(Object.fromEntries(fields(count).map((field) => [field, { op: 'sum', field }]))),
  }
  for (const [name, ask] of Object.entries(asks)) {
    assert.is(await world.code(() => ask(limits.queryFieldsMax)), 'ok', name)
    assert.is(await world.code(() => ask(limits.queryFieldsMax + 1)), 'TypeError', name)
  }
})

test('an index has 8 fields, one more is a TypeError', async () => {
  const { open, code } = createClientWorld()
  const collection = (await open()).collection('c')

  assert.is(await code(() => collection.createIndex(...fields(limits.indexFieldsMax))), 'ok')
  assert.is(await code(() => collection.createIndex(...fields(limits.indexFieldsMax + 1))), 'TypeError')
})

test('one call lists 1,000 values that lost, one more is a TypeError', async () => {
  const { open, code } = createClientWorld()
  const db = await open()

  assert.is(await code(() => db.conflicts({ limit: limits.inboxListedMax })), 'ok')
  assert.is(await code(() => db.conflicts({ limit: limits.inboxListedMax + 1 })), 'TypeError')
})

test('256 apps have a grant, one more is a TypeError', async () => {
  const { open, code } = createClientWorld()
  const db = await open()
  const share = (count: number): Promise<unknown> => {
    const grants: Grants = Object.fromEntries(fields(count).map((app) => [app, 'readOnly']))
    const exportPolicy = new ExportPolicy({ collections: ['c'] })
    return db.enableCrossAppSync({ appGroup: 'group', app: 'host', exportPolicy, grants })
  }

  assert.is(await code(() => share(limits.grantsMax + 1)), 'TypeError')
  assert.is(await code(() => share(limits.grantsMax)), 'ok')
})

test('an invite is good for 15 minutes unless told otherwise, and for 30 days at most', async () => {
  const world = new SimulatedWorld(6)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const join = async (node: string, invite: string): Promise<string> => {
    try {
      await world.settle((await world.join(node, invite)).close())
      return 'ok'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  const invite = (expiresInMs?: number): Promise<string> =>
    world.settle(a.invite({ role: 'writer', ...(expiresInMs === undefined ? {} : { expiresInMs }) }))

  const [used, late] = [await invite(), await invite()]
  await world.simulation.pass(limits.inviteExpiryMs - 10_000)
  assert.is(await join('b', used), 'ok')
  await world.simulation.pass(20_000)
  assert.is(await join('c', late), 'CODE_EXPIRED')

  assert.is(parseCode(await invite(limits.inviteExpiryMsMax)).kind, 'invite')
  assert.is(await refusal(a, limits.inviteExpiryMsMax + 1), 'TypeError')
  assert.is(await refusal(a, 0), 'TypeError')
})

function refusal(client: BlazeDBClient, expiresInMs: number): Promise<string> {
  return client.invite({ role: 'writer', expiresInMs }).then(
    () => 'ok',
    (error: Error) => error.name,
  )
}

test.run()

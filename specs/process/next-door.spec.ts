// time limit: 120 s
/**
 * Two apps in processes of their own share a database: what a guest sees, what it may write and what is left when the host is killed,
 * whose a record is, and which of two hosts has the name.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ExportPolicyOptions } from '../../actors/index.ts'
import { collection, DATABASE, expectCode, openBugs, SEEN_MS_MAX, Street } from './next-door-app.ts'
import type { App } from './next-door-app.ts'

const streets: Street[] = []

function createStreet(): Street {
  const street = new Street('next-door-spec')
  streets.push(street)
  return street
}

test.after.each(async () => {
  for (const street of streets.splice(0)) await street.close()
})

/** Waits until what is asked for is as it should be; fails with the last answer otherwise. */
async function eventually<T>(ask: () => Promise<T>, expected: T): Promise<void> {
  const sinceMs = performance.now()
  for (;;) {
    const answer = await ask()
    try {
      assert.equal(answer, expected)
      return
    } catch (error) {
      if (performance.now() - sinceMs > SEEN_MS_MAX) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('a guest reads what it may, follows it live, and writes through the host', async () => {
  const street = createStreet()
  const [reader, writer] = [street.app('reader'), street.app('writer')]
  const host = await street.host({
    before: (app) =>
      app.call('insertMany', {
        collection,
        docs: [
          { id: 'one', status: 'open', title: 'first', secret: 'of the host' },
          { id: 'two', status: 'closed', title: 'second' },
        ],
      }),
  })
  await street.connect(reader, { mode: 'readOnly', app: 'reader' })
  await street.connect(writer)

  assert.equal(await reader.call('all', { collection }), [{ id: 'one', status: 'open', title: 'first' }])
  await reader.call('live', { collection })
  await reader.call('watch', { collection, id: 'one' })
  const id = await writer.insert({ status: 'open', title: 'third' })
  await writer.update('one', { title: 'changed' })
  await host.update('two', { status: 'open' })
  await host.call('remove', { collection, id })

  const shown = new Map([
    ['one', { id: 'one', status: 'open', title: 'changed' }],
    ['two', { id: 'two', status: 'open', title: 'second' }],
  ])
  await eventually(() => reader.call('told', null), shown)
  assert.equal(await reader.rows(), shown)
  assert.equal(await host.call('get', { collection, id: 'one' }), {
    id: 'one',
    status: 'open',
    title: 'changed',
    secret: 'of the host',
  })
  await eventually(
    () => reader.call('watched', null),
    [
      { id: 'one', status: 'open', title: 'first' },
      { id: 'one', status: 'open', title: 'changed' },
    ],
  )

  await expectCode('READ_ONLY', reader.update('one', { title: 'no' }))
  await expectCode('FORBIDDEN', writer.update('one', { secret: 'no' }))
  await expectCode('RECORD_EXISTS', writer.insert({ id: 'one', title: 'no' }))
  await host.update('two', { status: 'closed' })
  await writer.sees('two', false)
  await expectCode('NOT_FOUND', writer.update('two', { title: 'no' }))
  await expectCode('FORBIDDEN', writer.call('put', { collection, id: 'two', doc: { title: 'no' } }))
  assert.is(await writer.call('remove', { collection, id: 'two' }), false)
  await expectCode('FORBIDDEN', writer.call('insert', { collection: 'other', doc: { title: 'no' } }))
  assert.equal(await host.call('get', { collection, id: 'two' }), {
    id: 'two',
    status: 'closed',
    title: 'second',
  })
  await host.call('setPolicy', { policy: { ...openBugs, readOnly: true } })
  await expectCode('READ_ONLY', writer.update('one', { title: 'no' }))
})

test('what a guest inserted is there when the host is killed as soon as the insert was acknowledged', async () => {
  const street = createStreet()
  let host = await street.host({})
  const guest = await street.guest()

  for (let kill = 1; kill <= 3; kill++) {
    const next = street.app(`host-${kill}`)
    const doc = { id: `kept-${kill}`, status: 'open', kill }
    const id = await guest.call('insertAndKill', { collection, doc, pid: host.pid })
    await host.gone()
    assert.equal(await guest.call('get', { collection, id }), doc, 'the copy goes on without its host')
    await expectCode('OFFLINE', guest.insert({ id: `lost-${kill}`, status: 'open' }))
    await next.call('open', { at: street.at('tracker'), name: DATABASE })
    assert.equal(await next.call('get', { collection, id }), doc)
    assert.is(await next.call('get', { collection, id: `lost-${kill}` }), undefined)
    await next.call('share', { group: street.group, app: 'tracker', policy: openBugs })
    await guest.call('caughtUp', { timeoutMs: 20_000 })
    host = next
  }
  await street.pulse(host, guest)
})

test('a record that a guest edits out of its filter goes there and stays at home; one that it inserted stays there', async () => {
  const street = createStreet()
  const dashboard = { app: 'dashboard' }
  let host = await street.host({
    before: (app) => app.insert({ id: 'of-host', status: 'open', title: 'at home at the host', secret: 'x' }),
  })
  let guest = await street.guest(dashboard)
  await guest.call('live', { collection })
  await guest.insert({ id: 'of-guest', status: 'open', title: 'at home at the guest' })
  await guest.insert({ id: 'out', status: 'closed', title: 'outside from its first moment' })

  await guest.update('of-host', { status: 'closed', title: 'edited out' })
  assert.is(await guest.call('get', { collection, id: 'of-host' }), undefined)
  await eventually(async () => (await guest.call('told', null)).has('of-host'), false)
  await host.update('of-host', { status: 'open' })
  await guest.sees('of-host')
  await guest.update('of-host', { status: 'closed' })
  const atHome = { id: 'of-host', status: 'closed', title: 'edited out', secret: 'x' }
  assert.equal(await host.call('get', { collection, id: 'of-host' }), atHome)
  await guest.update('of-guest', { status: 'closed' })

  const own = new Map([
    ['of-guest', { id: 'of-guest', status: 'closed', title: 'at home at the guest' }],
    ['out', { id: 'out', status: 'closed', title: 'outside from its first moment' }],
  ])
  const stays = async (when: string): Promise<void> => assert.equal(await guest.rows(), own, when)
  await stays('after it left the filter')
  await host.update('of-guest', { title: 'changed out of its sight', status: 'done' })
  await street.guest({ name: 'witness', app: 'witness' }).then((witness) => street.pulse(host, witness))
  await host.call('remove', { collection, id: 'pulse-1' })
  await guest.sees('pulse-1', false)
  await stays('after the host changed it out of sight')
  await host.call('setPolicy', { policy: { ...openBugs, filter: { [collection]: never } } })
  await passed(guest, host)
  await stays('after a policy that lets nothing through')
  await host.call('setPolicy', { policy: { collections: ['other'] } })
  await passed(guest, host)
  await stays('after its collection is not shared any more')
  await guest.kill()
  guest = await street.guest({ ...dashboard, name: 'guest-2' })
  await stays('after the guest was killed')
  await host.kill()
  host = await street.host({ name: 'host-2' })
  await passed(guest, host)
  await stays('after the host was killed')
  await host.call('setPolicy', { policy: openBugs, grants: { someone: 'readOnly' } })
  await eventually(async () => (await guest.call('report', null)).code, 'FORBIDDEN')
  await stays('after its grant was revoked')
  await guest.stop()
  await host.call('setPolicy', { policy: openBugs, grants: { dashboard: 'readWrite' } })
  guest = await street.guest({ ...dashboard, name: 'guest-3' })
  await stays('after it was granted again')
  assert.equal(await host.call('get', { collection, id: 'of-guest' }), {
    id: 'of-guest',
    status: 'done',
    title: 'changed out of its sight',
  })

  await host.call('remove', { collection, id: 'of-guest' })
  await guest.sees('of-guest', false)
  own.delete('of-guest')
  await stays('after a delete, which is no retraction')
})

const never = {
  field: 'status',
  op: '=',
  value: 'such a status does not exist',
} as const satisfies NonNullable<ExportPolicyOptions['filter']>[string]

/** Resolves when the guest has had a whole pass under the terms of now. */
async function passed(guest: App, host: App): Promise<void> {
  const { policyVersion } = await host.call('shareStatus', null)
  await eventually(async () => (await guest.call('report', null)).policyVersion, policyVersion)
  await guest.call('caughtUp', { timeoutMs: 20_000 })
}

test('of two processes that share one name exactly one does, the other is told its pid, and takes over when it is killed', async () => {
  const street = createStreet()
  const apps = [street.app('first'), street.app('second')] as const
  await Promise.all(apps.map((app) => app.call('open', { at: street.at(app.name), name: DATABASE })))
  for (const app of apps) await app.insert({ id: app.name, status: 'open' })
  const share = (app: App): Promise<void> => app.call('share', { group: street.group, policy: openBugs })

  const results = await Promise.allSettled(apps.map(share))
  assert.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
  const [winner, loser] = results[0]?.status === 'fulfilled' ? apps : ([apps[1], apps[0]] as const)
  const refused = results.find((result) => result.status === 'rejected')
  assert.match(String(refused?.reason), 'ALREADY_OPEN')
  assert.ok([winner.pid, undefined].includes(pidOf(refused?.reason)))
  const message = await expectCode('ALREADY_OPEN', share(loser))
  assert.match(message, `pid ${winner.pid}`)
  const guest = await street.guest()
  assert.equal([...(await guest.rows()).keys()], [winner.name])

  await winner.kill()
  await share(loser)
  await guest.call('caughtUp', { timeoutMs: 20_000 })
  assert.equal([...(await guest.rows()).keys()], [loser.name], 'nothing is left of another database')
  await street.pulse(loser, guest)
  const again = street.app('third')
  await again.call('open', { at: street.at('third'), name: DATABASE })
  assert.match(await expectCode('ALREADY_OPEN', share(again)), `pid ${loser.pid}`)

  await loser.kill()
  const fourth = street.app('fourth')
  await fourth.call('open', { at: street.at('fourth'), name: DATABASE })
  const heirs = await Promise.allSettled([share(again), share(fourth)])
  const told = heirs.flatMap((result) => (result.status === 'rejected' ? [pidOf(result.reason)] : []))
  assert.is(told.length, 1)
  assert.ok([again.pid, fourth.pid, undefined].includes(told[0]), 'no dead process is named')
})

/** Of the process that an `ALREADY_OPEN` names. */
function pidOf(refusal: unknown): number | undefined {
  const pid = /\(pid (\d+)\)/.exec(String(refusal))?.[1]
  return pid === undefined ? undefined : Number(pid)
}

test.run()

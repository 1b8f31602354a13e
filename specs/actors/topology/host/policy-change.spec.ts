/** A policy or a grant that changes takes effect at once and fully, whoever is connected, behind or away. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import { mirrorFrame } from '../../../../actors/topology/mirror/index.ts'
import { limits, toHex } from '../../../../runtime/index.ts'
import { frameType } from '../../../../transports/index.ts'
import { everything, fieldsOf, limited, sharing } from './host-world.ts'

test('a narrower policy takes the stream back, and the next pass removes what is not shared any more', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', {
    a: { open: true, secret: 's', n: 1 },
    b: { open: false, n: 1 },
  })
  await world.write('insert', 'notes', { x: { n: 1 } })
  const guest = await world.attach()
  guest.persistent = true
  const version = world.share.status().policyVersion

  world.share.setPolicy(limited, undefined)
  assert.is.not(world.share.status().policyVersion, version)
  await world.until(() => guest.attachments.length === 2 && guest.caughtUp, 'the second pass')
  assert.equal(guest.resets, ['CLOSED'])
  assert.ok(guest.attachments[1]?.full)
  assert.is(toHex(guest.attachments[1]?.policy ?? new Uint8Array(0)), world.share.status().policyVersion)
  assert.equal(guest.ids(), ['bugs/a'])
  assert.equal(fieldsOf(guest.rows.get('bugs/a')), { open: true, n: 1 })

  world.share.setPolicy(everything, undefined)
  await world.until(() => guest.attachments.length === 3 && guest.caughtUp, 'the third pass')
  assert.equal(guest.ids(), ['bugs/a', 'bugs/b', 'notes/x'])
})

test('what is queued under the policy of before is dropped', async () => {
  const world = await sharing()
  const guest = await world.attach()
  guest.reading = false
  for (let n = 0; n < 40; n += 1) {
    await world.write('insert', 'bugs', { [`r${n}`]: { secret: `${n} `.repeat(20_000) } })
  }
  const queued = queuedBytes(world)
  assert.ok(queued > 0)

  world.share.setPolicy(limited, undefined)
  const stream = guest.stream
  assert.is(queuedBytes(world), 0)
  await world.pass()
  const at = guest.seen.findIndex(({ type }) => type === frameType.reset)
  assert.ok(at > 0)
  assert.equal(
    guest.seen.slice(at + 1).filter((message) => message.stream === stream),
    [],
  )
  const bytes = guest.seen
    .filter(({ type }) => type === mirrorFrame.changes)
    .reduce((sum, { body }) => sum + body.length, 0)
  assert.ok(bytes <= limits.streamCreditBytes)
})

test('the same policy and grants again disturb nobody', async () => {
  const world = await sharing({ grants: { dash: 'readWrite' } })
  const guest = await world.attach()
  world.share.setPolicy(new ExportPolicy({ collections: ['notes', 'bugs'] }), {
    dash: 'readWrite',
    tool: 'readOnly',
  })
  await world.pass()
  assert.equal([guest.resets, guest.closed, guest.attachments.length], [[], undefined, 1])
})

test('a policy that changed while the guest was away leads to a full pass', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', { a: { open: true, secret: 's' }, b: { open: false } })
  const first = await world.attach()
  first.hangUp()
  world.share.setPolicy(limited, undefined)

  const guest = await world.attach({ from: first })
  assert.ok(guest.attachments[0]?.full)
  assert.equal(guest.ids(), ['bugs/a'])
  assert.equal(fieldsOf(guest.rows.get('bugs/a')), { open: true })
})

test('an app whose grant is withdrawn is out at once and stays out, others stay in', async () => {
  const world = await sharing({ grants: { dash: 'readWrite', tool: 'readOnly' } })
  const dash = await world.attach()
  const tool = await world.attach({ app: await world.settle(world.group.app('tool')), mode: 'readOnly' })
  const write = world.code(dash.write('insert', 'bugs', { late: {} }))

  world.share.setPolicy(everything, { tool: 'readOnly' })
  assert.is(await write, 'FORBIDDEN')
  await world.until(() => dash.closed !== undefined, 'the end of the guest')
  assert.is(dash.closed, 'FORBIDDEN')
  assert.is(await world.code(world.dial()), 'FORBIDDEN')
  await world.write('insert', 'bugs', { a: {} })
  await world.pass()
  assert.equal(tool.ids(), ['bugs/a'])
  assert.equal(tool.resets, [])
  assert.equal(
    world.guests().map(({ app }) => app),
    ['tool'],
  )
})

test('a grant that is narrowed takes the stream of a writing guest back, and lets it read', async () => {
  const world = await sharing({ grants: { dash: 'readWrite', tool: 'readWrite' } })
  const writer = await world.attach()
  const reader = await world.attach({ mode: 'readOnly' })
  const tool = await world.attach({ app: await world.settle(world.group.app('tool')) })

  world.share.setPolicy(everything, { dash: 'readOnly', tool: 'readWrite' })
  assert.is(await world.code(writer.write('insert', 'bugs', { a: {} })), 'READ_ONLY')
  await world.pass()
  assert.equal([writer.resets, reader.resets, tool.resets], [['CLOSED'], [], []])
  writer.attach()
  await world.pass()
  assert.equal(writer.resets, ['CLOSED', 'READ_ONLY'])
  writer.attach({ mode: 'readOnly' })
  await world.until(() => writer.caughtUp, 'the pass')
  assert.not(writer.attachments.at(-1)?.full)
})

test('a read-only policy refuses to attach for writing', async () => {
  const policy = new ExportPolicy({ collections: ['bugs'], readOnly: true })
  for (const grants of [{}, { grants: { dash: 'readWrite' } }] as const) {
    const world = await sharing({ policy, ...grants })
    const guest = await world.connect()
    guest.attach()
    await world.pass()
    assert.equal(guest.resets, ['READ_ONLY'])
    assert.is(guest.attachments.length, 0)
    guest.attach({ mode: 'readOnly' })
    await world.until(() => guest.caughtUp, 'the pass')
  }
})

test('a grant that goes during the handshake keeps the guest out', async () => {
  for (let offsetMs = 0; offsetMs < 4; offsetMs += 0.1) {
    const world = await sharing({ seed: 1 + Math.round(offsetMs * 10), grants: { dash: 'readWrite' } })
    await world.settle(world.group.app('dash'))
    const connected = world.dial().then(
      (guest) => guest,
      () => undefined,
    )
    await world.simulation.pass(offsetMs)
    world.share.setPolicy(everything, {})
    const guest = await world.settle(connected)
    await world.pass()
    assert.ok(guest === undefined || guest.closed === 'FORBIDDEN', `offset ${offsetMs}`)
    assert.equal(world.guests(), [])
  }
})

function queuedBytes({ system }: { system: { tree(): { kind: string; detail?: object }[] } }): number {
  const guest = system.tree().find(({ kind }) => kind === 'guest')
  return Object.entries(guest?.detail ?? {}).reduce(
    (sum, [name, value]) => (name === 'queuedBytes' ? sum + Number(value) : sum),
    0,
  )
}

test.run()

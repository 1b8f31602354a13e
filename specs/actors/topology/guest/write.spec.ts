/** Writes of a guest: decided by the host, settled in every state of the link, and shown before they resolve. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { FieldValues } from '../../../../actors/database/index.ts'
import type { GuestDatabase } from '../../../../actors/topology/guest/index.ts'
import { MIRROR_MARK, MIRROR_WRITE, parseMirrorWrite } from '../../../../actors/topology/mirror/index.ts'
import { BlazeError, limits } from '../../../../runtime/index.ts'
import { shown } from './bare-host.ts'
import { ask, get, GuestWorld, ids, insert } from './guest-world.ts'
import { recordOf } from './mirror-record.ts'

async function live(seed = 1): Promise<{ world: GuestWorld; guest: GuestDatabase }> {
  const world = await GuestWorld.create(seed)
  world.host.onAttach = (link, { cursor }) => {
    link.attached({ full: cursor === undefined })
    link.changes([], { upTo: cursor?.arrival ?? 1 })
  }
  const guest = await world.guest()
  await world.state(guest, 'live')
  return { world, guest }
}

/** Whether it has settled by now. */
function watch(work: Promise<unknown>): { settled: boolean } {
  const seen = { settled: false }
  const settle = (): void => {
    seen.settled = true
  }
  work.then(settle, settle)
  return seen
}

function insertMany(
  guest: GuestDatabase,
  records: readonly (readonly [string, FieldValues])[],
): Promise<void> {
  const inputs = records.map(([id, values]) => ({ id, values }))
  return ask(guest, (reply) => ({ type: 'record.write', step: 'insert', collection: 'bugs', inputs, reply }))
}

test('a write resolves once the host has answered and what it wrote is shown here', async () => {
  const { world, guest } = await live()
  const write = insert(guest, 'a', { n: 1 })
  const seen = watch(write)
  const { link } = world.host
  await world.until(() => link.requests.length === 1)
  const request = link.requests[0]
  assert.ok(request !== undefined && request.operation === MIRROR_WRITE)
  assert.equal(parseMirrorWrite(request.body), {
    step: 'insert',
    collection: 'bugs',
    inputs: [{ id: 'a', values: new Map([['n', 1]]) }],
  })

  link.answer(request.id, { arrival: 2 })
  await world.quiet()
  assert.not.ok(seen.settled)
  link.changes([shown(recordOf('bugs', 'a', { n: 1 }))], { upTo: 2 })
  await world.settle(write)

  assert.equal(await world.settle(get(guest, 'a')), { id: 'a', n: 1 })
  await world.settle(guest.close())
})

test('it may be shown before it is answered, and in an attachment after the one that answered', async () => {
  const { world, guest } = await live()
  const early = insert(guest, 'a')
  await world.until(() => world.host.link.requests.length === 1)
  world.host.link.changes([], { upTo: 2 })
  await world.quiet()
  world.host.link.answer(1, { arrival: 2 })
  await world.settle(early)

  const late = insert(guest, 'b')
  const seen = watch(late)
  await world.until(() => world.host.link.requests.length === 2)
  world.host.link.answer(2, { arrival: 5 })
  await world.quiet()
  world.network.cut('app')
  await world.state(guest, 'failover')
  await world.state(guest, 'live')
  assert.not.ok(seen.settled)
  world.host.link.changes([], { upTo: 5 })
  await world.settle(late)

  await world.settle(guest.close())
})

test('a write that was answered by a host whose place another space took is not waited for', async () => {
  const { world, guest } = await live()
  world.host.link.changes([shown(recordOf('bugs', 'x', {}))], { upTo: 1 })
  world.host.onRequest = (link, { id }) => link.answer(id, { arrival: 9 })
  const write = world.code(insert(guest, 'a'))
  await world.until(() => world.host.link.requests.length === 1)
  await world.quiet()
  const before = world.simulation.now()
  world.host.onAttach = (link) => link.attached({ space: new Uint8Array(16).fill(9) })
  world.network.cut('app')

  assert.is(await write, 'LINK_CLOSED')
  assert.ok(world.simulation.now() - before < 1_000)
  await world.settle(guest.close())
})

test('a delete answers whether there was one', async () => {
  const { world, guest } = await live()
  for (const existed of [true, false]) {
    world.host.onRequest = (link, { id }) => link.answer(id, { arrival: 1, existed })
    const answer = ask<boolean>(guest, (reply) => ({
      type: 'record.delete',
      collection: 'bugs',
      id: 'a',
      reply,
    }))
    assert.is(await world.settle(answer), existed)
  }
  await world.settle(guest.close())
})

test('a refusal of the host comes through with its code', async () => {
  const { world, guest } = await live()
  for (const code of [
    'RECORD_EXISTS',
    'NOT_FOUND',
    'FORBIDDEN',
    'READ_ONLY',
    'DISK_FULL',
    'BAD_VALUE',
  ] as const) {
    world.host.onRequest = (link, { id }) => link.session.answerError(id, new BlazeError(code, 'no'))
    assert.is(await world.code(insert(guest, 'a')), code)
  }
  assert.is(guest.report().state, 'live')
  await world.settle(guest.close())
})

test('without a link a write is refused at once', async () => {
  const world = await GuestWorld.create()
  await world.host.deaf()
  const guest = await world.guest()

  assert.is(await world.code(insert(guest, 'a')), 'OFFLINE')
  assert.is(await world.code(guest.mark(1_000)), 'OFFLINE')
  await world.settle(guest.close())
})

test('a write waits for the attach of the same link, and is not sent when that does not come', async () => {
  const { world, guest } = await live()
  world.host.onAttach = () => {}
  world.host.link.reset('CLOSED')
  await world.state(guest, 'attaching')
  const first = insert(guest, 'a')
  await world.until(() => world.host.attaches.length === 2)
  await world.quiet()
  assert.is(world.host.link.requests.length, 0)

  world.host.onRequest = (link, { id }) => link.answer(id, { arrival: 2 })
  world.host.link.attached({ full: false })
  world.host.link.changes([], { upTo: 2 })
  await world.settle(first)
  world.host.link.reset('CLOSED')
  await world.state(guest, 'attaching')
  const second = world.code(insert(guest, 'b'))
  world.network.cut('app')

  assert.is(await second, 'OFFLINE')
  assert.is(world.host.links[0]?.requests.length, 1)
  await world.settle(guest.close())
})

test('a link that ends with a write in flight says so, however it ended', async () => {
  for (const end of ['cut', 'CLOSED', 'FORBIDDEN', 'PROTOCOL_VIOLATION'] as const) {
    const { world, guest } = await live()
    const write = world.code(insert(guest, 'a'))
    await world.until(() => world.host.link.requests.length === 1)
    if (end === 'cut') world.network.cut('app')
    else world.host.link.close(end)

    assert.is(await write, 'LINK_CLOSED', end)
    await world.settle(guest.close())
  }
})

test('a host that takes too long to answer, or to show what it answered, is not waited for', async () => {
  const { world, guest } = await live()
  const before = world.simulation.now()
  const silent = world.code(insert(guest, 'a'))
  assert.is(await silent, 'TIMEOUT')
  assert.ok(world.simulation.now() - before < limits.requestTimeoutMs + 100)

  world.host.onRequest = (link, { id }) => link.answer(id, { arrival: 7 })
  const hidden = insert(guest, 'b')
  const seen = watch(hidden)
  // A copy that moves is waited for.
  for (const upTo of [2, 3, 4]) {
    await world.simulation.pass(limits.requestTimeoutMs * 0.8)
    world.host.link.changes([], { upTo })
  }
  assert.not.ok(seen.settled)
  assert.is(await world.code(hidden), 'TIMEOUT')
  await world.settle(guest.close())
})

test('what a guest may only read it does not ask to write', async () => {
  const world = await GuestWorld.create()
  world.host.onAttach = (link) => {
    link.attached({ readOnly: true })
    link.changes([], { upTo: 1 })
  }
  const reader = await world.guest({ mode: 'readOnly' })
  const writer = await world.guest()
  await world.state(writer, 'live')

  for (const guest of [reader, writer]) {
    assert.ok(guest.report().readOnly)
    assert.is(await world.code(insert(guest, 'a')), 'READ_ONLY')
  }
  assert.ok(world.host.links.every(({ requests }) => requests.length === 0))
  await world.settle(Promise.all([reader.close(), writer.close()]))
})

test('what is wrong with a call is said before anything is sent', async () => {
  const { world, guest } = await live()
  const large = new Map([['text', 'x'.repeat(limits.recordCborBytesMax)]])

  assert.is(await world.code(insertMany(guest, [['a', large]])), 'TOO_LARGE')
  const many = Array.from({ length: 200 }, (_, n) => [`m${n}`, new Map([['n', n]])] as const)
  assert.is(await world.code(insertMany(guest, [...many, ['a', large]])), 'TOO_LARGE')
  assert.is(await world.code(insertMany(guest, [many[0] as never, many[0] as never])), 'RECORD_EXISTS')
  assert.is(await world.code(insertMany(guest, [])), 'ok')
  assert.is(world.host.link.requests.length, 0)
  await world.settle(guest.close())
})

test('a bulk write is cut into requests that are not long, in order, and stops at the first that is refused', async () => {
  const { world, guest } = await live()
  const records = Array.from(
    { length: 250 },
    (_, n) => [`m${n}`, new Map([['t', 'x'.repeat(30_000)]])] as const,
  )
  world.host.onRequest = (link, { id }) => link.answer(id, { arrival: 1 })
  await world.settle(insertMany(guest, records))

  const { requests } = world.host.link
  const sent = requests.flatMap(({ body }) => parseMirrorWrite(body).inputs.map(({ id }) => id))
  assert.equal(
    sent,
    records.map(([id]) => id),
  )
  assert.ok(requests.every(({ body }) => body.length <= limits.guestWriteBytesMax))
  const whole = requests.length
  assert.ok(whole > 10)
  world.host.onRequest = (link, { id }) => {
    if (requests.length < whole + 3) link.answer(id, { arrival: 1 })
    else link.session.answerError(id, new BlazeError('RECORD_EXISTS', 'no'))
  }
  assert.is(await world.code(insertMany(guest, records)), 'RECORD_EXISTS')
  assert.is(requests.length, whole + 3)
  await world.settle(guest.close())
})

test('a burst of writes is sent at the pace of the answers, each settles, and what is beyond the bound is refused', async () => {
  const { world, guest } = await live()
  let open = 0
  let openMax = 0
  world.host.onRequest = (link, { id }) => {
    open += 1
    openMax = Math.max(openMax, open)
    world.host.env.after(1, () => {
      open -= 1
      link.answer(id, { arrival: 1 })
    })
  }
  const writes = Array.from({ length: 1_000 }, (_, n) => insert(guest, `a${n}`))
  await world.settle(Promise.all(writes))
  assert.is(openMax, limits.requestsMax)
  assert.is(world.host.link.requests.length, 1_000)

  // Bytes are bounded too: the channel would be closed for what is not read.
  world.host.onRequest = () => {}
  const text = 'x'.repeat(60_000)
  const codes: string[] = []
  for (let n = 0; n < 1_300; n += 1) {
    insert(guest, `b${n}`, { text }).then(
      () => codes.push('ok'),
      (error: unknown) => codes.push(error instanceof BlazeError ? error.code : 'bug'),
    )
  }
  await world.until(() => codes.length > 0)
  assert.equal([...new Set(codes)], ['OVERLOADED'])
  assert.is(guest.report().state, 'live')
  await world.until(() => codes.length === 1_300)
  assert.ok(codes.includes('TIMEOUT') && !codes.includes('bug') && !codes.includes('ok'))
  assert.is(guest.report().state, 'live')
  await world.settle(guest.close())
})

test('long writes at once are sent a few at a time, far below what would end the channel', async () => {
  const { world, guest } = await live()
  let openBytes = 0
  let openBytesMax = 0
  world.host.onRequest = (link, { id, body }) => {
    openBytes += body.length
    openBytesMax = Math.max(openBytesMax, openBytes)
    world.host.env.after(50, () => {
      openBytes -= body.length
      link.answer(id, { arrival: 1 })
    })
  }
  const text = new Map([['t', 'x'.repeat(60_000)]])
  const writes = Array.from({ length: 40 }, (_, at) =>
    insertMany(
      guest,
      Array.from({ length: 8 }, (__, n) => [`${at}-${n}`, text] as const),
    ),
  )
  await world.settle(Promise.all(writes))

  assert.ok(openBytesMax > 1_000_000 && openBytesMax <= limits.guestFlightBytesMax)
  assert.is(world.host.links.length, 1)
  await world.settle(guest.close())
})

test('writes that wait when the guest is closed, or its copy fails, settle', async () => {
  const { world, guest } = await live()
  const closed = [world.code(insert(guest, 'a')), world.code(guest.mark(5_000))]
  await world.until(() => world.host.link.requests.length === 2)
  await world.settle(guest.close())
  assert.equal(await Promise.all(closed), ['CLOSED', 'CLOSED'])

  const next = await live(2)
  const lost = next.world.code(insert(next.guest, 'a'))
  await next.world.until(() => next.world.host.link.requests.length === 1)
  next.world.copy().failNextBatch()
  next.world.host.link.changes([shown(recordOf('bugs', 'x', {}))], { upTo: 2 })
  assert.is(await lost, 'LINK_CLOSED')
  await next.world.state(next.guest, 'live')
  await next.world.settle(next.guest.close())
})

test('a mark resolves when all that the host had is shown, and what it withdrew is gone', async () => {
  const { world, guest } = await live()
  world.host.onRequest = (link, { id, operation, body }) => {
    assert.equal([operation, body.length], [MIRROR_MARK, 0])
    link.answer(id, { arrival: 4 })
  }
  const mark = guest.mark(60_000)
  const seen = watch(mark)
  await world.quiet()
  world.host.link.changes([shown(recordOf('bugs', 'a', {}))], { upTo: 4 })
  await world.settle(mark)

  world.host.onAttach = (link) => link.attached({ policy: new Uint8Array(16) })
  world.host.link.reset('CLOSED')
  await world.until(() => world.host.attaches.length === 2)
  const narrow = guest.mark(60_000)
  const narrowed = watch(narrow)
  world.host.link.changes([], { upTo: 5, caughtUp: false })
  await world.quiet()
  assert.ok(seen.settled && !narrowed.settled)
  world.host.link.changes([], { upTo: 5 })
  await world.settle(narrow)
  assert.equal(await ids(world, guest), [])

  world.host.onRequest = () => {}
  assert.is(await world.code(guest.mark(100)), 'TIMEOUT')
  await world.settle(guest.close())
})

test.run()

/** What a guest asks of its host: writes, judged at the moment they are made, and marks. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeRequest } from '../../../../actors/connection/request.ts'
import { encodeMirrorWrite, MIRROR_WRITE } from '../../../../actors/topology/mirror/index.ts'
import { ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import { equalBytes, limits } from '../../../../runtime/index.ts'
import { frameType } from '../../../../transports/index.ts'
import { everything, fieldsOf, limited, sharing } from './host-world.ts'

test('writes of a guest are made by the host, and are with the guest once changes reach the answer', async () => {
  const world = await sharing()
  const guest = await world.attach()
  const reached = async (work: ReturnType<typeof guest.write>): Promise<boolean> => {
    const { arrival, existed } = await world.settle(work)
    await world.until(() => guest.upTo >= arrival, 'what was written')
    return existed
  }

  assert.ok(await reached(guest.write('insert', 'bugs', { a: { n: 1 }, b: { n: 1 } })))
  assert.equal(await world.get('bugs', 'a'), { id: 'a', n: 1 })
  assert.equal(guest.ids(), ['bugs/a', 'bugs/b'])
  await reached(guest.write('update', 'bugs', { a: { n: undefined, m: 2 } }))
  assert.equal(await world.get('bugs', 'a'), { id: 'a', m: 2 })
  await reached(guest.write('put', 'bugs', { a: { k: 3 } }))
  assert.equal(await world.get('bugs', 'a'), { id: 'a', k: 3 })
  assert.ok(await reached(guest.write('delete', 'bugs', { a: {} })))
  assert.not(await reached(guest.write('delete', 'bugs', { a: {} })))
  assert.equal(guest.ids(), ['bugs/b'])
  await reached(guest.write('restore', 'bugs', { a: { again: true } }))
  assert.equal(fieldsOf(guest.rows.get('bugs/a')), { again: true })
  // Nothing changes, and it is answered and reached all the same.
  await reached(guest.write('update', 'bugs', { a: { again: true } }))
})

test('a write is answered after its sync, never before', async () => {
  const world = await sharing()
  const guest = await world.attach()
  const { replica } = world.database.space ?? {}
  for (let n = 0; n < 20; n += 1) {
    let synced = Infinity
    const answer = guest.write('insert', 'bugs', { [`r${n}`]: { n } }).then(({ arrival }) => {
      synced = replica?.lastArrival ?? 0
      return arrival
    })
    assert.ok((await world.settle(answer)) <= synced)
    assert.ok(await world.get('bugs', `r${n}`))
  }
})

test('a mark is reached also when nothing that concerns the guest was written', async () => {
  const world = await sharing({ policy: limited })
  const guest = await world.attach()
  await world.write('insert', 'notes', { x: { n: 1 } })
  await world.pass()
  assert.is(guest.upTo, 0)

  const { arrival } = await world.settle(guest.mark())
  await world.until(() => guest.upTo >= arrival, 'the mark')
  assert.is(arrival, 1)
  assert.equal(guest.changes.at(-1), { caughtUp: true, upTo: 1, cursor: 1, items: [] })
})

test('a mark that comes in the middle of a pass is reached by the pass', async () => {
  const world = await sharing()
  for (let n = 0; n < 5; n += 1) {
    const docs = Object.fromEntries(Array.from({ length: 256 }, (_, k) => [`r${n}.${k}`, { k }]))
    await world.write('insert', 'bugs', docs)
  }
  const guest = await world.connect()
  guest.attach()
  await world.until(() => guest.changes.length > 0, 'the first page')
  const { arrival } = await world.settle(guest.mark())
  await world.until(() => guest.upTo >= arrival, 'the mark')
  assert.is(guest.ids().length, 1_280)
})

test('what a guest may not do is refused with its code, and the connection goes on', async () => {
  const world = await sharing({ policy: limited })
  await world.write('insert', 'bugs', {
    shown: { open: true, n: 1, secret: 's' },
    hidden: { open: false, n: 1 },
  })
  const guest = await world.attach()
  const refused = [
    ['FORBIDDEN', () => guest.write('insert', 'notes', { a: {} })],
    ['FORBIDDEN', () => guest.write('update', 'bugs', { shown: { secret: 'mine' } })],
    ['FORBIDDEN', () => guest.write('insert', 'bugs', { hidden: { open: true } })],
    ['FORBIDDEN', () => guest.write('put', 'bugs', { hidden: { open: true } })],
    ['NOT_FOUND', () => guest.write('update', 'bugs', { hidden: { n: 2 } })],
    ['NOT_FOUND', () => guest.write('update', 'bugs', { absent: { n: 2 } })],
    ['NOT_FOUND', () => guest.write('restore', 'bugs', { absent: { n: 2 } })],
    ['RECORD_EXISTS', () => guest.write('insert', 'bugs', { shown: { n: 2 } })],
  ] as const
  for (const [code, work] of refused) assert.is(await world.code(work()), code)
  assert.not((await world.settle(guest.write('delete', 'bugs', { hidden: {} }))).existed)

  await world.settle(guest.write('put', 'bugs', { shown: { open: true, n: 3 } }))
  assert.equal(await world.get('bugs', 'shown'), { id: 'shown', open: true, n: 3, secret: 's' })
  assert.equal(await world.get('bugs', 'hidden'), { id: 'hidden', open: false, n: 1 })
  assert.is(guest.closed, undefined)
})

test('a guest that may only read, and one that said it would, is refused every write', async () => {
  const world = await sharing({ grants: { dash: 'readOnly', tool: 'readWrite' } })
  const dash = await world.attach({ mode: 'readOnly' })
  const tool = await world.attach({ mode: 'readOnly', app: await world.settle(world.group.app('tool')) })
  for (const guest of [dash, tool]) {
    assert.ok(guest.attachments[0]?.readOnly)
    assert.is(await world.code(guest.write('insert', 'bugs', { a: {} })), 'READ_ONLY')
    assert.is(await world.code(guest.write('delete', 'bugs', { a: {} })), 'READ_ONLY')
  }
  assert.is(world.database.status().records, 0)
})

test('a record stays with the guest that is its home when it leaves the filter, and goes from others', async () => {
  const world = await sharing({ policy: limited })
  const home = await world.attach()
  const other = await world.attach({ app: await world.settle(world.group.app('other')) })
  await world.settle(home.write('insert', 'bugs', { mine: { open: true, n: 1 } }))
  await world.pass()
  const state = other.rows.get('bugs/mine')
  assert.ok(state?.home !== null && equalBytes(state?.home ?? new Uint8Array(0), home.home))
  assert.not(equalBytes(home.home, other.home))

  await world.settle(home.write('update', 'bugs', { mine: { open: false, title: 'kept back' } }))
  await world.pass()
  assert.equal([home.ids(), other.ids()], [['bugs/mine'], []])
  assert.not(other.saw('kept back'))
  // At home it may still be written, and content outside of the filter is not sent, also not there.
  await world.write('update', 'bugs', { mine: { title: 'kept back by the host' } })
  assert.is(await world.code(home.write('update', 'bugs', { mine: { n: 2 } })), 'ok')
  assert.is(await world.code(other.write('update', 'bugs', { mine: { n: 3 } })), 'NOT_FOUND')
  assert.not(home.saw('kept back by the host'))
  await world.settle(home.write('delete', 'bugs', { mine: {} }))
  await world.pass()
  assert.equal(home.ids(), [])
})

test('what policy or grants forbid from one moment on is not written after it', async () => {
  const readOnly = new ExportPolicy({ collections: ['bugs'], readOnly: true })
  const changes = [
    { code: 'READ_ONLY', policy: readOnly, grants: undefined },
    { code: 'FORBIDDEN', policy: everything, grants: {} },
  ] as const
  for (const { code, policy, grants } of changes) {
    let before = 0
    let after = 0
    for (let offsetMs = 0; offsetMs < 1.2; offsetMs += 0.02) {
      const world = await sharing({ seed: 1 + Math.round(offsetMs * 50) })
      const guest = await world.attach()
      const tag = world.database.keyring.tag('bugs', 'a')
      const isThere = (): boolean => (world.database.space?.replica.live(tag) ?? []).length > 0
      const answer = world.code(guest.write('insert', 'bugs', { a: {} }))
      await world.simulation.pass(offsetMs)
      const made = isThere()
      world.share.setPolicy(policy, grants)
      const got = await answer
      await world.pass()
      // With its grant the guest loses the link, and so perhaps the answer to what was made.
      assert.ok(got === code || (made && (got === 'ok' || got === 'LINK_CLOSED')), `${offsetMs} ms: ${got}`)
      assert.is(isThere(), made, `${offsetMs} ms`)
      if (made) before += 1
      else after += 1
    }
    assert.ok(before > 0 && after > 0, `${before} writes before, ${after} after`)
  }
})

test('above so many at once requests are refused, and those before are answered', async () => {
  const world = await sharing()
  const guest = await world.attach()
  const count = limits.requestsMax + 20
  for (let id = 1; id <= count; id += 1) {
    const inputs = [{ id: `r${id}`, values: new Map() }]
    const body = encodeMirrorWrite({ step: 'insert', collection: 'bugs', inputs })
    guest.channel.send(0, frameType.request, encodeRequest({ id, operation: MIRROR_WRITE, body }))
  }
  const answers = (): typeof guest.seen => guest.seen.filter(({ type }) => type === frameType.response)
  await world.until(() => answers().length === count, 'all answers')

  const refused = answers().filter(({ body }) => Buffer.from(body).includes('are being answered already'))
  assert.is(refused.length, 20)
  assert.is(world.database.status().records, limits.requestsMax)
  assert.is(await world.code(guest.mark()), 'ok')
})

test('a write in flight while the store fails is refused, and the guest comes back', async () => {
  const world = await sharing({ policy: everything })
  const guest = await world.attach()
  guest.persistent = true
  world.volume.failNextBatch()
  assert.is(await world.code(guest.write('insert', 'bugs', { a: {} })), 'POISONED')
  await world.until(() => guest.caughtUp, 'the guest again')
  assert.ok(guest.resets.length > 0)
  assert.is(await world.code(guest.write('insert', 'bugs', { b: {} })), 'ok')
})

test.run()

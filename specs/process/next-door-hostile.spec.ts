// time limit: 240 s
/**
 * A modified guest, which has the group's key and keeps to no rule: what it may not do is refused with a code, what breaks the protocol
 * ends its link, and nothing it floods, hoards or leaves lying costs the host more than a bounded amount of memory.
 * One host and one honest guest live through the whole file; while it all goes on the guest sees fresh writes over its only link.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/index.ts'
import { Child } from '../../scripts/process/child.ts'
import { readMemory } from '../../scripts/process/memory.ts'
import { collection, DATABASE, expectCode, openBugs, Street } from './next-door-app.ts'
import type { App } from './next-door-app.ts'
import type { RawCalls } from './next-door-raw.ts'

const MEBIBYTE = 1_048_576
/** What a flood may cost the host for good: garbage that is not collected yet, caches, pages of the store. */
const GROWTH_BYTES_MAX = 160 * MEBIBYTE
/** Of what is in use, with garbage collected: two pages of rows and a window of credit for each guest, and what varies anyway. */
const KEPT_BYTES_MAX = 24 * MEBIBYTE
const BURST = 10_000
const HIDDEN = { id: 'hidden-row', title: 'title-that-is-hidden', secret: 'secret-that-is-excluded' }
const PAGE = { id: 'page-of-the-diary', text: 'text-of-the-diary' }
const secrets = [HIDDEN.id, HIDDEN.title, HIDDEN.secret, PAGE.id, PAGE.text, 'diary']

const street = new Street('next-door-hostile-spec')
const raw = new Child<RawCalls>(street.stage, {
  name: 'raw',
  module: './next-door-raw',
  base: import.meta.url,
})
const at = { group: street.group, app: 'raw', database: DATABASE }
let host: App
let honest: App
let pulsing = { longestMs: 0, pulses: 0 }

test.before(() =>
  street.check(async () => {
    host = await street.host({
      grants: { dashboard: 'readWrite', raw: 'readWrite', newcomer: 'readOnly' },
      before: async (app) => {
        await app.insert({ id: 'one', status: 'open', secret: HIDDEN.secret })
        await app.insert({ ...HIDDEN, status: 'closed' })
        await app.call('insert', { collection: 'diary', doc: PAGE })
      },
    })
    honest = await street.guest({ name: 'honest', mode: 'readOnly', tap: 'count' })
  }),
)
test.after.each(() =>
  street.check(async () => {
    await call('leaveAll', null)
    await street.pulse(host, honest)
    assert.is((await honest.call('counts', null)).links, 1, 'the honest guest has its only link')
    const { state, guests } = await host.call('shareStatus', null)
    assert.is(state, 'listening')
    assert.ok(guests.some(({ app, pid }) => app === 'dashboard' && pid === honest.pid))
    assert.equal(await host.call('get', { collection, id: HIDDEN.id }), { ...HIDDEN, status: 'closed' })
    assert.equal(await host.call('all', { collection: 'diary' }), [PAGE])
  }),
)
test.after(() => street.close())

function call<K extends keyof RawCalls>(
  name: K,
  body: Parameters<RawCalls[K]>[0],
): Promise<Awaited<ReturnType<RawCalls[K]>>> {
  return raw.call(name, body, { timeoutMs: 60_000 })
}

async function attach(name: string, mode: 'readOnly' | 'readWrite' = 'readWrite'): Promise<{ name: string }> {
  await call('enter', { ...at, name })
  await call('attach', { name, mode, database: DATABASE })
  return { name }
}

/** Fresh writes of the host reach the honest guest all the time. */
async function meanwhile<T>(work: Promise<T>): Promise<T> {
  const done = work.then(
    () => true,
    () => true,
  )
  pulsing = { longestMs: 0, pulses: 0 }
  for (let over = false; !over;) {
    const sinceMs = performance.now()
    await street.pulse(host, honest)
    pulsing = {
      longestMs: Math.max(pulsing.longestMs, performance.now() - sinceMs),
      pulses: pulsing.pulses + 1,
    }
    over = await Promise.race([done, new Promise<boolean>((resolve) => setTimeout(resolve, 20, false))])
  }
  return await work
}

/** How much more memory the host has after the work, once. */
async function growth<T>(what: string, work: () => Promise<T>): Promise<T> {
  const before = readMemory(host.pid)
  const result = await work()
  const after = readMemory(host.pid)
  if (before === undefined || after === undefined) throw new Error('the memory of the host is not known')
  const grown = after.rssBytes - before.rssBytes
  const { longestMs, pulses } = pulsing
  console.log(
    `${what}: host ${mebibytes(before.rssBytes)} -> ${mebibytes(after.rssBytes)} MiB (peak ${mebibytes(after.peakBytes ?? 0)}), ` +
      `${pulses} pulses, slowest ${longestMs.toFixed(0)} ms`,
  )
  assert.ok(grown < GROWTH_BYTES_MAX, `${what}: ${mebibytes(grown)} MiB more`)
  return result
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(0)
}

test('under a policy for reading, or attached for reading, every write is READ_ONLY', async () => {
  const reader = await attach('reader', 'readOnly')
  const write = (): Promise<unknown> =>
    call('write', { ...reader, step: 'update', collection, id: 'one', doc: { title: 'by a reader' } })
  await expectCode('READ_ONLY', write())

  const writer = await attach('writer')
  await host.call('setPolicy', { policy: { ...openBugs, readOnly: true } })
  await expectCode(
    'READ_ONLY',
    call('write', { ...writer, step: 'put', collection, id: 'mine', doc: { n: 1 } }),
  )
  await call('enter', { ...at, name: 'late' })
  await expectCode('READ_ONLY', call('attach', { name: 'late', mode: 'readWrite', database: DATABASE }))
  await host.call('setPolicy', { policy: openBugs })
  assert.equal(await host.call('get', { collection, id: 'one' }), {
    id: 'one',
    status: 'open',
    secret: HIDDEN.secret,
  })
})

test('what it may not see it cannot write, guess or take, whatever it says it has', async () => {
  const guest = await attach('guest')
  const write = (
    step: 'insert' | 'put' | 'update' | 'restore' | 'delete',
    id: string,
    doc: Record<string, string>,
    into = collection,
  ): Promise<{ existed: boolean }> => call('write', { ...guest, step, collection: into, id, doc })
  for (const step of ['insert', 'put', 'update'] as const)
    await expectCode('FORBIDDEN', write(step, 'one', { secret: 'x' }))
  for (const step of ['insert', 'put', 'restore'] as const)
    await expectCode('FORBIDDEN', write(step, HIDDEN.id, { title: 'x' }))
  await expectCode('NOT_FOUND', write('update', HIDDEN.id, { status: 'open' }))
  assert.equal(await write('delete', HIDDEN.id, {}), { existed: false })
  for (const step of ['insert', 'put', 'update', 'restore'] as const)
    await expectCode('FORBIDDEN', write(step, PAGE.id, { text: 'x' }, 'diary'))
  await expectCode('FORBIDDEN', write('delete', PAGE.id, {}, 'diary'))

  const { policyVersion } = await host.call('shareStatus', null)
  const policies = [new Uint8Array(16), new Uint8Array(Buffer.from(policyVersion, 'hex'))]
  for (const [n, policy] of policies.entries()) {
    for (const arrival of [0, 1, 2 ** 40]) {
      const name = `liar-${n}-${arrival}`
      await call('enter', { ...at, name })
      const attached = await call('attach', {
        name,
        mode: 'readOnly',
        database: DATABASE,
        cursor: { policy, arrival },
      })
      assert.is(attached.full, true)
      assert.equal(attached.collections, [collection])
      assert.ok(attached.ids.includes(`${collection}/one`))
      assert.equal(await call('saw', { name, texts: secrets }), [])
    }
  }
  // Texts of its own requests do not come back either.
  assert.equal(await call('saw', { ...guest, texts: [HIDDEN.title, HIDDEN.secret, PAGE.text] }), [])
  assert.equal(await call('saw', { ...guest, texts: ['one'] }), ['one'])
})

test('each message that breaks the protocol ends its link with PROTOCOL_VIOLATION, and no other', async () => {
  const witness = await attach('witness')
  await meanwhile(
    (async () => {
      for (const offence of await call('offences', null)) {
        const guest = await attach('offender')
        assert.is(await call('offend', { ...guest, offence }), 'PROTOCOL_VIOLATION', offence)
      }
    })(),
  )
  const babbler = await attach('babbler')
  assert.is(await call('babble', babbler), 'TRUNCATED')
  const hoarder = await attach('hoarder')
  assert.is(await call('openStreams', { ...hoarder, count: 1_000 }), 'PROTOCOL_VIOLATION')
  assert.equal(await call('write', { ...witness, step: 'update', collection, id: 'one', doc: { n: 1 } }), {
    existed: true,
  })
})

test('noise before the handshake is hung up on', async () => {
  const socket = readdirSync(street.group.directory).find((name) => name.endsWith('.sock')) ?? ''
  const path = join(street.group.directory, socket)
  await growth('noise', () => meanwhile(call('shout', { path, connections: 60 })))
  await call('loiter', { path, connections: 300 })
  await street.pulse(host, honest)
  const { guests } = await host.call('shareStatus', null)
  assert.ok(guests.length <= limits.handshakesPerAddressMax + 1, `${guests.length} links are kept`)
  await call('leaveAll', null)
  const newcomer = await street.guest({ name: 'newcomer', app: 'newcomer', mode: 'readOnly' })
  assert.equal(await newcomer.rows(), await honest.rows())
  await newcomer.stop()
})

test(`of 200 links at once no more than ${limits.guestsMax} are taken, the others are told that it is busy`, async () => {
  const ends = await growth('200 links', () => meanwhile(call('crowd', { ...at, name: 'crowd', links: 200 })))
  console.log(`200 links: ${JSON.stringify(ends)}`)
  assert.equal(Object.keys(ends).sort(), ['BUSY', 'attached'])
  const { guests } = await host.call('shareStatus', null)
  assert.ok(guests.length <= limits.guestsMax)
  assert.ok((ends['attached'] ?? 0) >= limits.handshakesPerAddressMax / 2)
  const more = await call('crowd', { ...at, name: 'more', links: limits.guestsMax - guests.length })
  const full = await call('crowd', { ...at, name: 'too-many', links: 20 })
  console.log(`then ${JSON.stringify(more)}, then ${JSON.stringify(full)}`)
  assert.equal(full, { BUSY: 20 })
  await call('leaveAll', null)
  const newcomer = await street.guest({ name: 'newcomer-2', app: 'newcomer', mode: 'readOnly' })
  await newcomer.stop()
})

test('10,000 requests at once are answered or refused, and large ones too', async () => {
  const small = await attach('small')
  const answers = await growth('10,000 writes', () =>
    meanwhile(call('flood', { ...small, collection, count: 10_000, records: 1, bytes: 10 })),
  )
  console.log(`10,000 writes: ${JSON.stringify(answers)}`)
  assert.ok((answers['ok'] ?? 0) > 0 && (answers['OVERLOADED'] ?? 0) > 0)
  assert.is((answers['ok'] ?? 0) + (answers['OVERLOADED'] ?? 0), 10_000)
  const large = await attach('large')
  const larger = await growth('large writes', () =>
    meanwhile(call('flood', { ...large, collection, count: 100, records: 9, bytes: 60_000 })),
  )
  console.log(`100 writes of 540 kB: ${JSON.stringify(larger)}`)
})

test('who asks and reads no answer is let go', async () => {
  const deaf = await attach('deaf')
  await growth('answers that nobody reads', () =>
    meanwhile(call('floodBlindly', { ...deaf, count: 260_000 })),
  )
  for (let tries = 0; ; tries++) {
    const { guests } = await host.call('shareStatus', null)
    if (guests.every(({ app }) => app !== 'raw')) break
    assert.ok(tries < 500, 'it is still connected')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
})

test('guests that stop reading cost a cursor during thousands of writes, and catch up afterwards or were cut off', async () => {
  const last = { collection, id: `burst-${BURST - 1}` }
  // Once before, so that all there is to be known of the records is known.
  await host.call('burst', { collection, count: BURST, round: 1 })
  await honest.sees(last.id)
  const stalled = await Promise.all(['s1', 's2', 's3', 's4'].map((name) => attach(name)))
  for (const [n, guest] of stalled.entries())
    await call('stall', { ...guest, how: n % 2 === 0 ? 'credit' : 'socket' })

  const before = await host.call('memory', null)
  await growth(`${BURST} writes that four do not read`, () =>
    meanwhile(host.call('burst', { collection, count: BURST, round: 2 })),
  )
  const kept = (await host.call('memory', null)) - before
  console.log(`kept for four guests that do not read: ${mebibytes(kept)} MiB`)
  assert.ok(kept < KEPT_BYTES_MAX, `${mebibytes(kept)} MiB are kept`)
  const { guests } = await host.call('shareStatus', null)
  const raw = guests.filter(({ app }) => app === 'raw')
  assert.ok(raw.every(({ lag }) => lag > BURST / 2))
  // Whose socket stands still for long is silent too, and may have been cut off on a slow machine.
  assert.ok(raw.length >= stalled.length / 2, `${raw.length} are left`)

  const caughtUp: (typeof stalled)[number][] = []
  for (const guest of stalled) {
    const end = await call('goOn', { ...guest, ...last, round: 2 })
    if (end === 'has it') caughtUp.push(guest)
    else assert.ok(['LINK_CLOSED', 'TRUNCATED'].includes(end), end)
  }
  assert.ok(caughtUp.length >= stalled.length / 2, `${caughtUp.length} caught up`)
  const expected = [...(await honest.rows()).keys()].map((id) => `${collection}/${id}`).sort()
  for (const guest of caughtUp) assert.equal(await call('ids', guest), expected)
})

test('after all that the honest guest shows what the host has', async () => {
  await honest.call('caughtUp', { timeoutMs: 20_000 })
  const expected = await host.rows()
  for (const [id, doc] of expected) {
    const { secret: _, ...shown } = doc
    if (doc['status'] === 'open') expected.set(id, shown)
    else expected.delete(id)
  }
  assert.equal(await honest.rows(), expected)
})

test.run()

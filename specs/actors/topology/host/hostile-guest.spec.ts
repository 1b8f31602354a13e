/** Guests that break the protocol, flood, or do not read: each ends alone, and the host and the other guests do not notice. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeRequest } from '../../../../actors/connection/request.ts'
import {
  encodeAttach,
  encodeMirrorWrite,
  MIRROR_MARK,
  MIRROR_WRITE,
  mirrorFrame,
} from '../../../../actors/topology/mirror/index.ts'
import { BlazeError, createChance, limits } from '../../../../runtime/index.ts'
import { frameType } from '../../../../transports/index.ts'
import type { BareGuest } from './bare-guest.ts'
import { sharing } from './host-world.ts'
import type { HostWorld } from './host-world.ts'

const none = new Uint8Array(0)
const attachBody = encodeAttach({ mode: 'readWrite', pid: 1, database: 'tracker', cursor: undefined })

function request(guest: BareGuest, operation: number, body: Uint8Array, id = 1): void {
  guest.channel.send(0, frameType.request, encodeRequest({ id, operation, body }))
}

const write = encodeMirrorWrite({
  step: 'insert',
  collection: 'bugs',
  inputs: [{ id: 'x', values: new Map([['n', 1]]) }],
})

/** What a guest with a mirror may say wrong. */
const offences: Readonly<Record<string, (guest: BareGuest) => void>> = {
  'a second attach': (guest) => guest.send(mirrorFrame.attach, attachBody),
  'an answer to an attach': (guest) => guest.send(mirrorFrame.attached, attachBody),
  'changes of its own': (guest) => guest.send(mirrorFrame.changes, new Uint8Array(13)),
  'a frame of a relay': (guest) => guest.send(16, none),
  'a second stream': (guest) => void guest.openStream(),
  'an unknown operation': (guest) => request(guest, 1, none),
  'a mark with a body': (guest) => request(guest, MIRROR_MARK, Uint8Array.of(0)),
  'an empty write': (guest) => request(guest, MIRROR_WRITE, none),
  'a write with more behind it': (guest) => request(guest, MIRROR_WRITE, Uint8Array.of(...write, 0)),
  'a write of an unknown step': (guest) => request(guest, MIRROR_WRITE, Uint8Array.of(9, ...write.slice(1))),
  'a cut write': (guest) => request(guest, MIRROR_WRITE, write.slice(0, -1)),
}

/** What one without may. */
const early: Readonly<Record<string, (guest: BareGuest) => void>> = {
  'a write': (guest) => request(guest, MIRROR_WRITE, write),
  'a mark': (guest) => request(guest, MIRROR_MARK, none),
  'a stream of a space': (guest) => void guest.openStream(new Uint8Array(16).fill(1)),
  'an attach of another type': (guest) => {
    guest.openStream()
    guest.send(mirrorFrame.attached, attachBody)
  },
  'changes first': (guest) => {
    guest.openStream()
    guest.send(mirrorFrame.changes, new Uint8Array(13))
  },
  'a malformed attach': (guest) => {
    guest.openStream()
    guest.send(mirrorFrame.attach, attachBody.slice(0, -1))
  },
  'an empty attach': (guest) => {
    guest.openStream()
    guest.send(mirrorFrame.attach, none)
  },
  'two attaches at once': (guest) => {
    guest.openStream()
    guest.send(mirrorFrame.attach, attachBody)
    guest.send(mirrorFrame.attach, attachBody)
  },
}

test('an offence ends the connection of that guest with its code, and nothing else', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', { a: {} })
  const honest = await world.attach()
  for (const [name, offend] of Object.entries(offences)) {
    const guest = await world.attach()
    offend(guest)
    await world.pass()
    assert.is(guest.closed, 'PROTOCOL_VIOLATION', name)
  }
  for (const [name, offend] of Object.entries(early)) {
    const guest = await world.connect()
    offend(guest)
    await world.pass()
    assert.is(guest.closed, 'PROTOCOL_VIOLATION', name)
  }
  await isUnharmed(world, honest)
})

test('random bytes in the place of each message end the connection or are refused', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const chance = createChance(seed)
    const bytes = (length: number): Uint8Array =>
      Uint8Array.from({ length }, () => Math.floor(chance() * 256))
    const world = await sharing({ seed })
    const honest = await world.attach()
    const guest = chance() < 0.5 ? await world.connect() : await world.attach()
    const kind = Math.floor(chance() * 3)
    const body = chance() < 0.5 ? bytes(Math.floor(chance() * 200)) : flipped(write, chance)
    if (kind === 0) request(guest, MIRROR_WRITE, body)
    else if (kind === 1) guest.channel.send(0, frameType.request, body)
    else {
      if (guest.stream === 0) guest.openStream()
      guest.send(mirrorFrame.attach, chance() < 0.5 ? flipped(attachBody, chance) : body)
    }
    await world.pass()
    await isUnharmed(world, honest, `seed ${seed}`)
  }
})

test('a guest that asks and never reads an answer is cut off', async () => {
  const world = await sharing()
  const honest = await world.attach()
  const guest = await world.attach()
  guest.link.pause()
  let id = 0
  while (world.guests().length === 2 && id < 400_000) {
    for (const until = id + 5_000; id < until; id += 1) request(guest, MIRROR_MARK, none, id)
    await world.pass(1)
  }
  assert.is(world.guests().length, 1, `${id} requests`)
  await isUnharmed(world, honest)
})

test('a guest that does not read costs no more than its queue, and has everything once it reads', async () => {
  const world = await sharing()
  const honest = await world.attach()
  const guest = await world.attach()
  guest.reading = false
  let queuedMax = 0
  for (let n = 0; n < 10_000; n += 250) {
    const docs = Array.from({ length: 250 }, (_, k) => [
      `r${(n + k) % 4_000}`,
      { n: n + k, text: 'x'.repeat(300) },
    ])
    assert.is(await world.write('put', 'bugs', Object.fromEntries(docs)), 'ok')
    queuedMax = Math.max(queuedMax, queuedBytes(world))
  }
  assert.ok(queuedMax > 0, 'the guest was behind')
  // One message may exceed the mark.
  assert.ok(queuedMax <= limits.streamQueueHighBytes + limits.mirrorMessageBytes + 100, `${queuedMax} bytes`)
  assert.is(honest.rows.size, 4_000)
  assert.equal(
    world.guests().map(({ state }) => state),
    ['live', 'passing'],
  )
  assert.ok((world.guests()[1]?.lag ?? 0) > 1_000)

  guest.read()
  await world.until(() => world.guests().every(({ state, lag }) => state === 'live' && lag === 0), 'both')
  await world.pass()
  assert.equal(guest.rows, honest.rows)
})

test('a bug that shows with one guest ends that one, and the database never hears of it', async () => {
  const world = await sharing()
  const honest = await world.attach()
  const guest = await world.attach()
  const { database } = world
  const write = world.write('insert', 'bugs', { a: {} })
  // The first that is served meets it.
  Object.assign(database, {
    mirrorTag: () => {
      Reflect.deleteProperty(database, 'mirrorTag')
      throw new TypeError('a bug')
    },
  })
  assert.is(await write, 'ok')
  await world.pass()
  assert.is(honest.closed, 'TRUNCATED')
  assert.is(guest.closed, undefined)
  assert.equal(guest.ids(), ['bugs/a'])
  await isUnharmed(world, guest)
})

test('a page that the database cannot read takes the stream back, and the guest comes again', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', { a: {} })
  const { database } = world
  const real = database.request.bind(database)
  let refusals = 3
  Object.assign(database, {
    request: (make: Parameters<typeof real>[0]) =>
      real((reply) => {
        const request = make(reply)
        if (request.type !== 'mirror.page' || refusals === 0) return request
        refusals -= 1
        reply.reject(new BlazeError('OVERLOADED', 'too many calls of this database wait'))
        return { type: 'record.get', collection: 'bugs', id: 'a', reply: { resolve() {}, reject() {} } }
      }),
  })
  const guest = await world.connect()
  guest.persistent = true
  guest.attach()
  await world.until(() => guest.caughtUp, 'the pass')
  assert.equal([guest.resets, guest.ids()], [['CLOSED', 'CLOSED', 'CLOSED'], ['bugs/a']])
})

test('while the database has no store every stream is taken back, and guests that insist are served again', async () => {
  const world = await sharing()
  const guests = [await world.attach(), await world.attach()]
  for (const guest of guests) guest.persistent = true
  await world.write('insert', 'bugs', { a: {} })
  await world.reopen()
  await world.write('insert', 'bugs', { b: {} })
  await world.until(() => guests.every(({ caughtUp }) => caughtUp), 'both again')
  await world.pass()

  for (const guest of guests) {
    assert.ok(guest.resets.length > 0 && guest.resets.every((code) => code === 'CLOSED'))
    assert.not(guest.attachments.at(-1)?.full)
    assert.equal(guest.ids(), ['bugs/a', 'bugs/b'])
    assert.is(guest.closed, undefined)
  }
})

async function isUnharmed(world: HostWorld, guest: BareGuest, what = ''): Promise<void> {
  const before = guest.rows.size
  assert.is(await world.write('insert', 'bugs', { [`unharmed ${world.simulation.now()}`]: {} }), 'ok', what)
  await world.pass()
  assert.is(guest.rows.size, before + 1, what)
  assert.equal([guest.closed, guest.resets], [undefined, []], what)
  assert.is(world.share.status().state, 'listening', what)
  assert.equal(
    world.system.tree().filter(({ restarts }) => restarts > 0),
    [],
    what,
  )
}

function flipped(bytes: Uint8Array, chance: () => number): Uint8Array {
  const copy = bytes.slice()
  const at = Math.floor(chance() * copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(chance() * 8))
  return copy
}

function queuedBytes({ system }: HostWorld): number {
  return system.tree().reduce((sum, { detail = {} }) => {
    return 'queuedBytes' in detail ? sum + Number(detail.queuedBytes) : sum
  }, 0)
}

test.run()

/** The sending half of a mirror: what is sent, when, and how much of it at a time. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError, createChance, limits } from '../../../../runtime/index.ts'
import { OutgoingWorld, quiet } from './outgoing-world.ts'
import type { Written } from './outgoing-world.ts'

const many = (count: number, written: Written = {}): Record<string, Written> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`r${n}`, written]))

test('a full pass shows what is visible, names what is deleted, and ends caught up', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {}, b: { open: false }, c: { deleted: true }, d: { collection: 'other' }, e: {} })

  world.start()
  await quiet()

  assert.equal(world.view, { a: 'record', c: 'deleted', e: 'record' })
  assert.equal(
    world.sent.map(({ caughtUp, upTo, cursor }) => [caughtUp, upTo, cursor]),
    [[true, 5, 5]],
  )
  assert.equal(world.moves, [true])
})

test('a pass after a cursor names what is hidden now, and says so when nothing came', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {}, b: {} })
  world.commit({ b: { open: false } })
  world.start(2)
  await quiet()
  assert.equal(world.view, { b: 'retracted' })

  const idle = new OutgoingWorld()
  idle.commit({ a: {} })
  idle.start(1)
  await quiet()
  assert.equal(idle.sent, [{ caughtUp: true, upTo: 1, cursor: 1, items: [] }])
})

test('commits are pushed to a guest that has everything, in the turn in which they are made', async () => {
  const world = new OutgoingWorld()
  world.start()
  await quiet()

  world.commit({ a: {}, b: { open: false } })
  assert.equal(
    world.sent.at(-1)?.items.map(({ kind }) => kind),
    ['record', 'retracted'],
  )
  assert.equal([world.sent.at(-1)?.caughtUp, world.sent.at(-1)?.upTo], [true, 2])
  world.commit({ a: { deleted: true } })
  assert.equal(
    world.sent.at(-1)?.items.map(({ kind }) => kind),
    ['deleted'],
  )
  assert.is(world.pages.length, 1)
})

test('what does not concern the guest is not sent, until it waits for it or lags far', async () => {
  const world = new OutgoingWorld()
  world.start()
  await quiet()
  const before = world.sent.length

  for (let n = 0; n < 5; n += 1) world.commit({ [`o${n}`]: { collection: 'other' } })
  assert.is(world.sent.length, before)
  world.outgoing?.promise(4)
  assert.equal(world.sent.at(-1), { caughtUp: true, upTo: 5, cursor: 5, items: [] })
  world.outgoing?.promise(5)
  assert.is(world.sent.length, before + 1)

  for (let n = 0; n < limits.mirrorSkippedArrivalsMax; n += 1) world.commit({ o: { collection: 'other' } })
  assert.is(world.sent.length, before + 2)
  assert.is(world.sent.at(-1)?.upTo, 5 + limits.mirrorSkippedArrivalsMax)
})

test('a promise made while the stream is full is kept when it is writable again', async () => {
  const world = new OutgoingWorld()
  world.start()
  await quiet()
  world.answer = () => false
  world.commit({ a: {} })
  // Nobody is told of it: the guest stays live.
  world.commit({ held: { held: true } })

  world.outgoing?.promise(2)
  assert.is(world.sent.at(-1)?.upTo, 1)
  world.answer = () => true
  world.outgoing?.writable()
  assert.is(world.sent.at(-1)?.upTo, 2)
  assert.equal(world.moves, [true])
})

test('a guest that does not read is sent nothing and costs nothing; it is passed what it missed', async () => {
  const world = new OutgoingWorld()
  world.start()
  await quiet()
  world.answer = () => false
  world.commit({ first: {} })
  const before = world.sent.length

  for (let n = 0; n < 1_000; n += 1) world.commit({ [`r${n % 300}`]: {} })
  await quiet()
  assert.is(world.sent.length, before)
  assert.is(world.pages.length, 1)
  assert.equal(world.moves, [true, false])

  world.answer = () => true
  world.outgoing?.writable()
  await quiet()
  assert.is(Object.keys(world.view).length, 301)
  assert.is(world.sent.at(-1)?.caughtUp, true)
  assert.equal(world.moves, [true, false, true])
})

test('a pass that the stream stops goes on with the record after the last that was sent', async () => {
  const world = new OutgoingWorld()
  world.commit(many(600, { bytes: 2_000 }))
  world.answer = () => false

  world.start()
  for (let turn = 0; turn < 100 && !world.moves.includes(true); turn += 1) {
    await quiet()
    world.outgoing?.writable()
  }

  const tags = world.sent.flatMap(({ items }) => items.map(({ tag }) => tag.join()))
  assert.is(tags.length, 600)
  assert.is(new Set(tags).size, 600)
})

test('a message has at most so many items and bytes', async () => {
  const small = new OutgoingWorld()
  small.start()
  await quiet()
  small.commit(many(600))
  assert.equal(
    small.sent.slice(1).map(({ items, upTo, caughtUp }) => [items.length, upTo, caughtUp]),
    [
      [256, 0, false],
      [256, 0, false],
      [88, 600, true],
    ],
  )

  const large = new OutgoingWorld()
  large.commit(many(20, { bytes: 60_000 }))
  large.start()
  await quiet()
  assert.is(Object.keys(large.view).length, 20)
  assert.ok(Math.max(...large.sentBytes) <= limits.mirrorMessageBytes + 13)
})

test('of large records no more is read than is sent, but for a factor', async () => {
  const world = new OutgoingWorld()
  world.commit(many(400, { bytes: 60_000 }))
  world.answer = () => false

  world.start()
  for (let turn = 0; turn < 400 && !world.moves.includes(true); turn += 1) {
    await quiet()
    world.outgoing?.writable()
  }

  assert.is(Object.keys(world.view).length, 400)
  const read = world.pages.reduce((sum, page) => sum + page.read, 0)
  assert.ok(read < 400 * 3 + 256, `read ${read} records to send 400`)
})

test('a commit of which the stream took only a part is passed again', async () => {
  const world = new OutgoingWorld()
  world.start()
  await quiet()
  world.answer = () => world.sent.length < 3

  world.commit(many(1_000))
  assert.is(world.sent.length, 3)
  assert.is(world.sent.at(-1)?.upTo, 0)
  world.answer = () => true
  world.outgoing?.writable()
  await quiet()
  assert.is(Object.keys(world.view).length, 1_000)
  assert.is(world.sent.at(-1)?.upTo, 1_000)
})

test('the cursor stays below what is held, until it is shown', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {}, held: { held: true }, b: {} })
  world.start()
  await quiet()
  assert.equal([world.sent.at(-1)?.upTo, world.sent.at(-1)?.cursor], [3, 1])
  world.commit({ c: {} })
  assert.equal([world.sent.at(-1)?.upTo, world.sent.at(-1)?.cursor], [4, 1])

  world.show('held')
  assert.is(world.view['held'], 'record')
  assert.equal([world.sent.at(-1)?.upTo, world.sent.at(-1)?.cursor], [4, 4])
})

test('what was held and is shown while the guest is passed other things is sent too', async () => {
  const world = new OutgoingWorld()
  world.commit({ early: { held: true }, late: { held: true } })
  world.commit(many(600, { bytes: 2_000 }))
  world.answer = () => false
  world.start()
  await quiet()

  // The lower one stays held, so that the floor does not move.
  world.show('late')
  world.answer = () => true
  world.outgoing?.writable()
  await quiet()
  assert.is(world.view['late'], 'record')
  assert.is(world.view['early'], 'retracted')
  world.show('early')
  assert.is(world.view['early'], 'record')
})

test('what is shown while a page is being read is not undone by that page', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {}, held: { held: true } })
  let reads = 0
  world.onPage = () => {
    reads += 1
    if (reads === 1) world.show('held')
  }

  world.start(0)
  await quiet()

  assert.is(world.view['held'], 'record')
  assert.is(world.sent.at(-1)?.cursor, 2)
})

test('a full pass names what was shown in it and hidden before its end', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {}, held: { held: true }, b: {} })
  world.commit({ ...many(600, { bytes: 2_000 }) })
  world.answer = () => false
  world.start()
  await quiet()

  world.commit({ a: { open: false } })
  world.show('held', { open: false })
  world.answer = () => true
  world.outgoing?.writable()
  await quiet()
  assert.is(world.view['a'], 'retracted')
  assert.is(world.view['held'], 'retracted')
})

test('up to never goes back', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {}, held: { held: true } })
  world.commit(many(300, { bytes: 2_000 }))
  world.start()
  await quiet()
  world.answer = () => false
  world.commit({ c: {} })
  world.commit({ d: {} })
  world.show('held')
  const before = world.sent.length
  world.answer = () => true
  world.outgoing?.writable()
  await quiet()

  assert.ok(world.sent.length > before + 2, 'it was passed again')
  const reached = world.sent.map(({ upTo }) => upTo)
  assert.equal(
    reached,
    [...reached].sort((x, y) => x - y),
  )
  assert.is(world.view['held'], 'record')
})

test('a page that cannot be read is told once, and nothing follows', async () => {
  const world = new OutgoingWorld()
  world.pageError = new BlazeError('POISONED', 'no disk')
  world.start()
  await quiet()
  world.outgoing?.writable()
  world.commit({ a: {} })
  await quiet()
  assert.equal([world.failures.length, world.sent.length], [1, 0])
})

test('after its end nothing is sent, also of a page that was being read', async () => {
  const world = new OutgoingWorld()
  world.commit({ a: {} })
  world.onPage = () => world.outgoing?.end()
  world.start()
  await quiet()
  world.commit({ b: {} })
  world.outgoing?.promise(2)
  assert.equal(world.sent, [])
})

test('random work over a stream that is full at random ends with what the host shows', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const chance = createChance(seed)
    const pick = (n: number): number => Math.floor(chance() * n)
    const world = new OutgoingWorld()
    const expected = new Map<string, Written>()
    const held = new Set<string>()
    const change = (): void => {
      const id = `r${pick(30)}`
      const written = { open: pick(3) > 0, deleted: pick(5) === 0, bytes: pick(4) === 0 ? 50_000 : 10 }
      const hold = pick(6) === 0
      world.commit({ [id]: { ...written, held: hold } })
      if (hold) held.add(id)
      else held.delete(id)
      expected.set(id, written)
    }
    for (let n = 0; n < 20; n += 1) change()
    world.answer = () => pick(3) > 0
    world.start(pick(2) === 0 ? undefined : 0)
    for (let step = 0; step < 200; step += 1) {
      const kind = pick(4)
      if (kind === 0) world.outgoing?.writable()
      else if (kind === 1) await quiet()
      else if (kind === 2) change()
      else {
        const [id] = held
        if (id === undefined) continue
        held.delete(id)
        world.show(id, expected.get(id))
      }
    }
    for (const id of held) world.show(id, expected.get(id))
    world.answer = () => true
    world.outgoing?.writable()
    await quiet()

    const shows = (written: Written): string =>
      written.deleted === true ? 'deleted' : written.open === false ? 'hidden' : 'record'
    for (const [id, written] of expected) {
      // A full pass does not name what was hidden before it.
      const got = world.view[id] === 'record' || world.view[id] === 'deleted' ? world.view[id] : 'hidden'
      assert.is(got, shows(written), `seed ${seed}, ${id}`)
    }
    assert.is(world.sent.at(-1)?.cursor, world.arrival, `seed ${seed}`)
  }
})

test.run()

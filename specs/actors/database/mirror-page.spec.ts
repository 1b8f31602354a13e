/** What a database offers to mirrors: pages of changes, tags, floors of what is held, cursors. */
import { createHmac, hkdfSync } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryOf } from '../../../actors/database/index.ts'
import type { MirrorPage, RecordChange, RecordState, Stamp } from '../../../actors/database/index.ts'
import { compareStamps } from '../../../actors/database/record/record.ts'
import { bytesKey, createChance, limits } from '../../../runtime/index.ts'
import { createMembers, spaceOf } from './member.ts'
import { createOneDatabase } from './one-database.ts'
import type { OneDatabase } from './one-database.ts'

const ids = (page: MirrorPage): (string | undefined)[] => page.entries.map(({ state }) => state?.id)
const arrivals = (page: MirrorPage): number[] => page.entries.map(({ arrival }) => arrival)

test('a page shows synced records in order of arrival, deleted ones too, each once, where it changed last', async () => {
  const one = await createOneDatabase()
  for (const id of ['a', 'b', 'c']) await one.settle(one.write('insert', 'bugs', { id, n: 1 }))
  await one.settle(one.write('update', 'bugs', { id: 'a', n: 2 }))
  await one.settle(one.delete('bugs', 'b'))

  const whole = await one.settle(one.page(0))

  assert.equal(ids(whole), ['c', 'a', 'b'])
  assert.equal(arrivals(whole), [3, 4, 5])
  assert.equal([whole.upTo, whole.last], [5, true])
  const [c, a, b] = whole.entries
  assert.is(c?.state?.fields.get('n')?.value, 1)
  assert.is(a?.state?.fields.get('n')?.value, 2)
  assert.ok(b?.state?.deleted !== undefined)
  assert.equal(
    whole.entries.map(({ tag }) => tag),
    ['c', 'a', 'b'].map((id) => one.database.keyring.tag('bugs', id)),
  )
  assert.equal(await one.settle(one.page(5)), { entries: [], upTo: 5, last: true })
})

test('pages chain by what they reach, from memory and from the disk alike', async () => {
  const one = await createOneDatabase()
  const total = limits.recentArrivalsMax + 300
  for (let from = 0; from < total; from += 200) {
    const docs = Array.from({ length: Math.min(200, total - from) }, (_, at) => ({ id: `r${from + at}` }))
    await one.settle(one.write('insert', 'bugs', ...docs))
  }
  const chain = async (): Promise<{ seen: (string | undefined)[]; pages: number }> => {
    const seen: (string | undefined)[] = []
    for (let after = 0, pages = 1; ; pages += 1) {
      const page = await one.settle(one.page(after, 100))
      assert.ok(page.entries.length <= 100)
      assert.equal(
        arrivals(page),
        [...arrivals(page)].sort((a, b) => a - b),
      )
      for (const arrival of arrivals(page)) assert.ok(arrival > after && arrival <= page.upTo)
      seen.push(...ids(page))
      after = page.upTo
      if (page.last) return { seen, pages }
      assert.is(page.upTo, page.entries.at(-1)?.arrival)
    }
  }

  const expected = Array.from({ length: total }, (_, at) => `r${at}`)
  assert.equal(await chain(), { seen: expected, pages: Math.ceil(total / 100) })
  await one.close()
  await one.boot()
  assert.equal(await chain(), { seen: expected, pages: Math.ceil(total / 100) })
})

test('what is staged or on its way to the disk is not on a page', async () => {
  const one = await createOneDatabase()
  await one.settle(one.write('insert', 'bugs', { id: 'a', n: 1 }))
  await one.close()
  await one.boot()

  const update = one.write('update', 'bugs', { id: 'a', n: 2 })
  const insert = one.write('insert', 'bugs', { id: 'b' })
  const fromMemory = one.page(1)
  assert.equal(await one.settle(fromMemory), { entries: [], upTo: 1, last: true })
  await one.settle(Promise.all([update, insert]))
  assert.equal(ids(await one.settle(one.page(0))), ['a', 'b'])

  one.volume.failNextBatch()
  one.write('update', 'bugs', { id: 'a', n: 3 }).catch(() => undefined)
  const [entry] = (await one.settle(one.page(1))).entries
  assert.is(entry?.state?.fields.get('n')?.value, 2)
})

/** A copy that has applied pages, and how far. */
interface Copy {
  readonly records: Map<string, RecordState>
  cursor: { incarnation: Uint8Array; arrival: number }
}

function newest(state: RecordState): Stamp {
  const stamps = [...(state.deleted === undefined ? [] : [state.deleted])]
  for (const { stamp } of state.fields.values()) stamps.push(stamp)
  const [last] = stamps.sort(compareStamps).reverse()
  if (last === undefined) throw new Error('a record of this spec has a stamp')
  return last
}

function apply(copy: Copy, page: MirrorPage): void {
  for (const { tag, state } of page.entries) if (state !== undefined) copy.records.set(bytesKey(tag), state)
  copy.cursor = { ...copy.cursor, arrival: page.upTo }
}

/** What the copy holds is on the disk, and it can go on. */
async function checkAfterPowerCut(one: OneDatabase, copy: Copy, what: string): Promise<void> {
  const { replica } = spaceOf(one.database)
  assert.ok(one.database.resumable(copy.cursor), `${what}: the cursor is good after the power cut`)
  const whole: Copy = { records: new Map(), cursor: { incarnation: replica.incarnation, arrival: 0 } }
  for (let last = false; !last;) {
    const page = await one.settle(one.page(whole.cursor.arrival, 7))
    apply(whole, page)
    last = page.last
  }
  for (const [key, delivered] of copy.records) {
    const found = whole.records.get(key)
    assert.ok(found !== undefined, `${what}: ${delivered.id} was delivered before it was synced`)
    assert.ok(
      compareStamps(newest(delivered), newest(found)) <= 0,
      `${what}: ${delivered.id} was delivered as it never was on the disk`,
    )
  }
  copy.cursor = { incarnation: replica.incarnation, arrival: copy.cursor.arrival }
}

test('pages that are read while others write, across power cuts, deliver the newest state of every record and never an unsynced one', async () => {
  let skipped = 0
  for (let seed = 1; seed <= 40; seed += 1) {
    const one = await createOneDatabase(seed)
    const chance = createChance(seed)
    const pick = (n: number): number => Math.floor(chance() * n)
    const { incarnation } = spaceOf(one.database).replica
    const copy: Copy = { records: new Map(), cursor: { incarnation, arrival: 0 } }
    const write = (step: number): Promise<unknown> => {
      const id = `r${pick(30)}`
      if (pick(5) === 0) return one.delete('bugs', id)
      const others = Array.from({ length: pick(4) }, (_, at) => ({ id: `r${30 + pick(10)}-${at}`, step }))
      return one.write('put', 'bugs', { id, step }, ...others)
    }
    for (let life = 0; life < 4; life += 1) {
      const what = `seed ${seed}, life ${life}`
      if (life > 0) {
        one.powerCut()
        await one.boot()
        await checkAfterPowerCut(one, copy, what)
      }
      for (let step = 0; step < 40; step += 1) {
        for (let n = pick(3); n > 0; n -= 1) write(life * 1000 + step).catch(() => undefined)
        if (pick(2) === 0) await one.simulation.pass(pick(3))
        const page = await one.settle(one.page(copy.cursor.arrival, 1 + pick(6)))
        if (page.entries.length === 0 && !page.last) skipped += 1
        apply(copy, page)
      }
    }
    await one.settle(one.write('put', 'bugs', { id: 'end' }))
    for (let last = false; !last;) {
      const page = await one.settle(one.page(copy.cursor.arrival, 5))
      apply(copy, page)
      last = page.last
    }
    const shown = new Map(
      [...copy.records.values()]
        .filter(({ deleted }) => deleted === undefined)
        .map((state) => [state.id, state]),
    )
    const query = queryOf('bugs')
    const docs = await one.settle(
      one.database.request<{ id: string }[]>((reply) => ({ type: 'query.all', query, reply })),
    )
    assert.equal([...shown.keys()].sort(), docs.map(({ id }) => id).sort(), `seed ${seed}`)
    for (const doc of docs) {
      const { step } = doc as { step?: number }
      assert.is(shown.get(doc.id)?.fields.get('step')?.value, step, `seed ${seed}: ${doc.id}`)
    }
  }
  assert.ok(skipped > 0, 'a page without entries that is not the last occurs')
})

test('each call of an onRecords listener finds the last arrival of just its own batch', async () => {
  const one = await createOneDatabase()
  const calls: { changes: readonly RecordChange[]; lastArrival: number }[] = []
  one.database.onRecords((changes) => {
    calls.push({ changes, lastArrival: spaceOf(one.database).replica.lastArrival })
  })
  const writes: Promise<unknown>[] = []
  for (let n = 0; n < 60; n += 1) {
    const docs = Array.from({ length: 1 + (n % 3) }, (_, at) => ({ id: `r${n}-${at}`, n }))
    writes.push(one.write('insert', 'bugs', ...docs))
    // Some writes share a batch, others wait for the one that is in flight.
    if (n % 4 !== 0) await one.simulation.pass(n % 5)
  }
  await one.settle(Promise.all(writes))

  let before = 0
  for (const { changes, lastArrival } of calls) {
    assert.is(lastArrival - before, changes.length)
    before = lastArrival
  }
  assert.is(before, writes.length * 2)
  assert.ok(calls.length > 10, 'there were many batches')
  const { entries } = await one.settle(one.page(0))
  assert.equal(
    calls.flatMap(({ changes }) => changes.map(({ tag, id }) => `${bytesKey(tag)} ${id}`)),
    entries.map(({ tag, state }) => `${bytesKey(tag)} ${state?.id}`),
  )
})

test('the floor of what is held is the lowest arrival that waits for a time or a key, and goes when it is shown', async () => {
  const members = createMembers()
  const a = await members.add('a')
  const next = { epoch: 2, key: new Uint8Array(32).fill(2) }
  const early = await members.add('early', { clockOffsetMs: limits.clockAheadMsMax + 60_000 })
  const rotated = await members.add('rotated', { epochs: [...a.database.identity.epochs, next] })
  await a.write('insert', 'x', { v: 1 })
  assert.is(a.database.heldFloor(), Infinity)

  await early.write('insert', 'future', { v: 1 })
  await members.send(early, a)
  const { lastArrival } = spaceOf(a.database).replica
  await a.write('insert', 'y', { v: 1 })
  await rotated.write('insert', 'sealed', { v: 1 })
  await members.send(rotated, a)
  assert.is(a.database.heldFloor(), lastArrival)
  await a.reopen()
  assert.is(a.database.heldFloor(), lastArrival)

  const heard: string[] = []
  a.database.onRecords((changes) => {
    for (const { id, tag } of changes) {
      assert.equal(tag, a.database.keyring.tag('c', id))
      heard.push(`${id} ${a.database.heldFloor()}`)
    }
  })
  await members.simulation.pass(61_000)
  assert.is(a.database.heldFloor(), lastArrival + 2)
  await members.settle(a.database.updateIdentity({ epochs: [...a.database.identity.epochs, next] }))
  await members.simulation.pass(10)
  assert.is(a.database.heldFloor(), Infinity)
  assert.equal(heard, [`future ${lastArrival + 2}`, 'sealed Infinity'])
})

test('the floor moves on with the arrival of a tag that is written while part of it is held', async () => {
  const members = createMembers()
  const a = await members.add('a')
  const early = await members.add('early', { clockOffsetMs: limits.clockAheadMsMax + 60_000 })
  await a.write('insert', 'x', { v: 1 })
  await members.send(a, early)
  await early.write('update', 'x', { w: 1 })
  await members.send(early, a)
  const before = a.database.heldFloor()

  await a.write('put', 'x', { v: 2 })

  assert.is(before, 2)
  assert.is(a.database.heldFloor(), 3)
  assert.is(spaceOf(a.database).replica.lastArrival, 3)
})

test('a cursor is resumable while its incarnation is listed and its arrival is not past it', async () => {
  const one = await createOneDatabase()
  await one.settle(one.write('insert', 'bugs', { id: 'a' }))
  const { incarnation } = spaceOf(one.database).replica
  const resumable = (arrival: number): boolean => one.database.resumable({ incarnation, arrival })
  assert.equal([resumable(0), resumable(1), resumable(2)], [true, true, false])

  await one.close()
  await one.boot()
  await one.settle(one.write('insert', 'bugs', { id: 'b' }))

  assert.equal([resumable(1), resumable(2)], [true, false], 'the second arrival is of a later incarnation')
  assert.is(one.database.resumable({ incarnation: new Uint8Array(16), arrival: 1 }), false)
  for (let n = 0; n < limits.incarnationsMax; n += 1) {
    await one.close()
    await one.boot()
  }
  assert.is(resumable(1), false)
  await one.close()
  assert.is(resumable(1), false)
  assert.is(one.database.heldFloor(), 1)
})

test('a mirror tag is an HMAC of the tag under a key of its own', async () => {
  const one = await createOneDatabase()
  const { tagKey } = one.database.identity
  const tag = one.database.keyring.tag('bugs', 'a')

  const key = hkdfSync('sha256', tagKey, new Uint8Array(0), 'blazedb/mirror', 32)
  const expected = createHmac('sha256', new Uint8Array(key)).update(tag).digest().subarray(0, 16)

  assert.equal(one.database.mirrorTag(tag), new Uint8Array(expected))
  assert.equal(one.database.mirrorTag(tag), new Uint8Array(expected))
})

test.run()

/** The conflict inbox of a database: what is noted, what is not, how long, and what it looks like on the disk. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, counter, increment, set } from '../../../actors/client/index.ts'
import type { Conflict } from '../../../actors/database/index.ts'
import { inboxRows } from '../../../actors/database/inbox/inbox-row.ts'
import { limits } from '../../../runtime/index.ts'
import { createMembers, spaceOf } from './member.ts'
import type { Member, Members } from './member.ts'
import type { BlazeError } from '../../../runtime/index.ts'

interface World extends Members {
  readonly alice: Member
  readonly bob: Member
  readonly list: (of: Member, limit?: number, after?: string) => Promise<Conflict[]>
  readonly dismiss: (of: Member, id: string) => Promise<boolean>
  /** Both get all that the other has. */
  readonly exchange: () => Promise<void>
}

async function createWorld(): Promise<World> {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  return {
    ...members,
    alice,
    bob,
    list: (of, limit = 100, after) =>
      members.settle(of.database.request((reply) => ({ type: 'inbox.list', limit, after, reply }))),
    dismiss: (of, id) =>
      members.settle(of.database.request((reply) => ({ type: 'inbox.dismiss', id, reply }))),
    async exchange() {
      await members.send(alice, bob)
      await members.send(bob, alice)
    },
  }
}

/** Both write the title of `id` without knowing of each other; bob's is later and wins. */
async function disagree(
  { alice, bob, simulation }: World,
  id: string,
  lost: string,
  won: string,
): Promise<void> {
  await alice.write('update', id, { title: lost })
  await simulation.run(() => false, { virtualMs: 10 })
  await bob.write('update', id, { title: won })
}

async function both(world: World, ...ids: string[]): Promise<void> {
  for (const id of ids) await world.alice.write('insert', id, { title: 'first', other: 1 })
  await world.send(world.alice, world.bob)
}

test('of two concurrent values the one that lost is noted on both devices, with who wrote it and when', async () => {
  const world = await createWorld()
  const { alice, bob, list, exchange } = world
  await both(world, 'x')

  await disagree(world, 'x', 'from alice', 'from bob')
  await exchange()

  assert.is((await alice.get('x'))?.['title'], 'from bob')
  for (const member of [alice, bob]) {
    const [conflict, ...others] = await list(member)
    assert.equal(others, [])
    assert.equal(
      { ...conflict, id: 0, at: 0, lost: conflict?.lost.writer, won: conflict?.won.writer },
      {
        id: 0,
        at: 0,
        collection: 'c',
        recordId: 'x',
        field: 'title',
        value: 'from alice',
        lost: alice.database.status().replicaId,
        won: bob.database.status().replicaId,
      },
    )
    assert.ok(Number(conflict?.lost.at) < Number(conflict?.won.at))
    assert.is(member.database.status().conflicts, 1)
  }
})

test('what was overwritten knowingly, different fields and equal values are no conflict', async () => {
  const world = await createWorld()
  const { alice, bob, list, exchange } = world
  await both(world, 'x', 'y', 'z')

  await alice.write('update', 'x', { title: 'second' })
  await exchange()
  await bob.write('update', 'x', { title: 'third' })
  await alice.write('update', 'y', { title: 'alice' })
  await bob.write('update', 'y', { other: 'bob' })
  await alice.write('update', 'z', { title: 'same' })
  await bob.write('update', 'z', { title: 'same' })
  await exchange()
  await exchange()

  assert.equal(await alice.get('y'), { id: 'y', title: 'alice', other: 'bob' })
  assert.equal(await list(alice), [])
  assert.equal(await list(bob), [])
})

test('fields that merge lose nothing', async () => {
  const world = await createWorld()
  const { alice, bob, list, exchange } = world
  await alice.write('insert', 'x', { count: counter(1), tags: set(['first']) })
  await world.send(alice, bob)

  await alice.write('update', 'x', { count: increment(2), tags: add('alice') })
  await bob.write('update', 'x', { count: increment(3), tags: add('bob') })
  await exchange()

  assert.equal(await alice.get('x'), { id: 'x', count: 6, tags: ['alice', 'bob', 'first'] })
  assert.equal(await list(alice), [])
  assert.equal(await list(bob), [])
})

test('what a concurrent delete ends is noted, and only that', async () => {
  const world = await createWorld()
  const { alice, bob, list, exchange } = world
  await both(world, 'x')

  await alice.write('update', 'x', { title: 'not yet' })
  await bob.delete('x')
  await exchange()

  assert.is(await alice.get('x'), undefined)
  assert.equal(
    (await list(bob)).map(({ field, value }) => [field, value]),
    [['title', 'not yet']],
  )
})

test('the same loss is noted once, and not again after it was dismissed', async () => {
  const world = await createWorld()
  const { alice, bob, list, dismiss, exchange } = world
  const carol = await world.add('carol')
  await both(world, 'x')
  await world.send(alice, carol)
  await disagree(world, 'x', 'from alice', 'from bob')
  await exchange()
  const [first] = await list(alice)

  assert.is(await dismiss(alice, first?.id ?? ''), true)
  assert.is(await dismiss(alice, first?.id ?? ''), false)
  await carol.write('update', 'x', { other: 2 })
  await world.send(carol, alice)

  assert.equal(await list(alice), [])
  assert.is(alice.database.status().conflicts, 0)
  await alice.reopen()
  assert.equal(await list(alice), [])
  assert.is((await list(bob)).length, 1, 'that is a matter of the device')
})

test('the inbox survives a reopen, in order, and is read in pages', async () => {
  const world = await createWorld()
  const { alice, list, exchange } = world
  const ids = ['a', 'b', 'c', 'd', 'e']
  await both(world, ...ids)
  for (const id of ids) {
    await disagree(world, id, `lost ${id}`, `won ${id}`)
    await exchange()
  }
  const before = await list(alice)

  await alice.reopen()

  assert.equal(
    before.map(({ value }) => value),
    ids.map((id) => `lost ${id}`),
  )
  assert.equal(await list(alice), before)
  assert.equal(await list(alice, 2), before.slice(0, 2))
  assert.equal(await list(alice, 2, before[1]?.id), before.slice(2, 4))
  assert.equal(await list(alice, 100, before[4]?.id), [])
  assert.is(await list(alice, 1, '00'.repeat(16)).catch((error: BlazeError) => error.code), 'NOT_FOUND')
})

test('entries are gone after 30 days', async () => {
  const world = await createWorld()
  const { alice, bob, list, exchange, simulation } = world
  await both(world, 'x', 'y')
  await disagree(world, 'x', 'from alice', 'from bob')
  await exchange()
  assert.is(alice.database.status().conflicts, 1)

  let passed = false
  simulation.env('clock').after(limits.inboxKeptMs + 1, () => {
    passed = true
  })
  await simulation.run(() => passed, { virtualMs: limits.inboxKeptMs + 2 })

  assert.equal(await list(alice), [])
  assert.is(alice.database.status().conflicts, 0)
  await bob.write('update', 'y', { title: 'bob' })
  await alice.write('update', 'y', { title: 'alice' })
  await exchange()
  assert.is((await list(alice)).length, 1)
  const rows = await world.settle(spaceOf(alice.database).replica.store.range({ ...inboxRows, limit: 100 }))
  assert.is(rows.length, 1, 'the old row is removed')
})

test('the number of entries is bounded: the oldest go first', async () => {
  const world = await createWorld()
  const { alice, bob, list, exchange } = world
  const count = limits.inboxEntriesMax + 40
  const ids = Array.from({ length: count }, (_, n) => `r${n}`)
  const writeAll = (member: Member, step: 'insert' | 'update', title: string): Promise<unknown> =>
    world.settle(
      Promise.all(
        Array.from({ length: Math.ceil(count / 256) }, (_, n) =>
          member.database.request<void>((reply) => ({
            type: 'record.write',
            step,
            collection: 'c',
            inputs: ids
              .slice(n * 256, n * 256 + 256)
              .map((id) => ({ id, values: new Map([['title', title]]) })),
            reply,
          })),
        ),
      ),
    )
  await writeAll(alice, 'insert', 'first')
  await world.send(alice, bob)
  await writeAll(alice, 'update', 'from alice')
  await writeAll(bob, 'update', 'from bob')
  await exchange()

  assert.is(alice.database.status().conflicts, limits.inboxEntriesMax)
  assert.is((await list(alice, 1_000)).length, 1_000)
  const rows = await world.settle(
    spaceOf(alice.database).replica.store.range({ ...inboxRows, limit: 10_000 }),
  )
  assert.is(rows.length, limits.inboxEntriesMax)
  await alice.reopen()
  assert.is(alice.database.status().conflicts, limits.inboxEntriesMax)
})

test('the bytes of the entries are bounded: with large values the oldest go first', async () => {
  const world = await createWorld()
  const { alice, list, exchange } = world
  const lost = 'x'.repeat(50_000)
  const count = Math.ceil(limits.inboxBytesMax / lost.length) + 20
  const ids = Array.from({ length: count }, (_, n) => `r${n}`)
  await both(world, ...ids)
  for (const id of ids) await disagree(world, id, lost, `${lost}, won`)
  await exchange()

  const kept = await list(alice, 1_000)
  const rows = await world.settle(
    spaceOf(alice.database).replica.store.range({ ...inboxRows, limit: 10_000 }),
  )
  const bytes = rows.reduce((sum, [, value]) => sum + value.length, 0)
  assert.ok(bytes <= limits.inboxBytesMax && bytes > limits.inboxBytesMax - 2 * lost.length, `${bytes} bytes`)
  assert.is(kept.length, rows.length)
  assert.equal(
    kept.map(({ recordId }) => recordId),
    ids.slice(-kept.length),
  )
})

test('no text of an entry is in its row, and a row that was changed is DAMAGED until it is dismissed', async () => {
  const world = await createWorld()
  const { alice, list, dismiss, exchange } = world
  await both(world, 'record-name')
  await disagree(world, 'record-name', 'a value that lost', 'a value that won')
  await exchange()
  const [conflict] = await list(alice)
  const { store } = spaceOf(alice.database).replica
  const [row] = await world.settle(store.range({ ...inboxRows, limit: 1 }))
  const [key, value] = row ?? []
  assert.ok(key !== undefined && value !== undefined)

  for (const text of ['record-name', 'title', 'a value']) assert.is(Buffer.from(value).indexOf(text), -1)
  const changed = new Uint8Array(value)
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
  await world.settle(store.batch([{ type: 'put', key, value: changed }]))

  const code = await list(alice).catch((error: BlazeError) => error.code)
  assert.is(code, 'DAMAGED')
  assert.is(await dismiss(alice, conflict?.id ?? ''), true)
  assert.equal(await list(alice), [])
})

test.run()

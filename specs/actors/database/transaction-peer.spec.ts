/** Transactions and other devices: a peer shows all of one or nothing, and what peers bring in counts as another writer. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { WaitOptions } from '../../../actors/client/index.ts'
import { runTransaction } from '../../../actors/client/transaction.ts'
import type { TransactionWork } from '../../../actors/client/transaction.ts'
import type { ImportedRecord, RecordChange } from '../../../actors/database/index.ts'
import { deviceOf } from '../../../actors/database/index.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import { createMembers, spaceOf } from './member.ts'
import type { Member } from './member.ts'
import { codeOfWork } from '../../fixtures/code-of.ts'

const collection = 'c'

function transact<R>(member: Member, work: TransactionWork<R>, options?: WaitOptions): Promise<R> {
  return runTransaction(member.database, work, options)
}

/** Offers everything that `to` lacks, and does not wait until it is synced there. */
async function offer(from: Member, to: Member): Promise<{ readonly synced: Promise<unknown> }> {
  const [source, target] = [spaceOf(from.database), spaceOf(to.database)]
  await target.learn({ entries: source.team.entries(), announcements: source.team.announcements() })
  const round = source.replica.startRound({ peerVector: target.replica.vector() })
  const part = await round.next(1e9)
  round.close()
  const synced = target.replica.applyPart({
    peer: deviceOf(from.database.identity, nodeCrypto).keys.signKey,
    incarnation: source.replica.incarnation,
    upTo: part.upTo,
    items: part.items,
    roundEnd: part.last,
  })
  return { synced }
}

test('a peer shows a transaction in one change, as a whole', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  await alice.write('insert', 'x', { n: 0 })
  await members.send(alice, bob)
  const told: RecordChange[][] = []
  bob.database.onRecords((changes) => told.push([...changes]))

  await members.settle(
    transact(alice, async (tx) => {
      const inside = tx.collection(collection)
      await inside.update('x', { n: 1 })
      for (let n = 0; n < 100; n += 1) await inside.insert({ id: `y${n}`, n })
    }),
  )
  await members.send(alice, bob)

  assert.equal(
    told.map((changes) => changes.length),
    [101],
  )
  assert.is((await bob.all()).length, 101)
})

test('all fields of one transaction have one stamp: of two concurrent ones, one wins every field', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  const ids = ['p', 'q', 'r', 's']
  for (const id of ids) await alice.write('insert', id, { by: 'nobody' })
  await members.send(alice, bob)
  const sign = (member: Member): Promise<void> =>
    transact(member, async (tx) => {
      for (const id of ids) {
        await tx.collection(collection).update(id, { by: member.name })
        // Others' writes make the clock go on within the transaction.
        await member.database.request<void>((reply) => ({
          type: 'record.write',
          step: 'put',
          collection: 'other',
          inputs: [{ id: `${member.name} ${id}`, values: new Map() }],
          reply,
        }))
      }
    })

  await members.settle(Promise.all([sign(alice), sign(bob)]))
  await members.send(alice, bob)
  await members.send(bob, alice)

  const names = new Set((await alice.all()).map(({ by }) => by))
  const states = await members.settle(
    alice.database.request<ImportedRecord[]>((reply) => ({
      type: 'mirror.read',
      names: ids.map((id) => ({ collection, id })),
      reply,
    })),
  )
  const stamps = states.map(({ fields }) => fields.get('by')?.stamp)
  assert.equal(
    stamps,
    stamps.map(() => stamps[0]),
  )
  assert.is(names.size, 1)
  assert.equal(await bob.all(), await alice.all())
})

test('what a peer brings in makes a transaction that has read it run again', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  await alice.write('insert', 'x', { n: 0 })
  await members.send(alice, bob)
  await bob.write('update', 'x', { n: 10 })
  const seen: unknown[] = []

  await members.settle(
    transact(alice, async (tx) => {
      const inside = tx.collection(collection)
      const n = Number((await inside.get('x'))?.['n'])
      seen.push(n)
      if (seen.length === 1) await (await offer(bob, alice)).synced
      await inside.update('x', { n: n + 1 })
    }),
  )

  assert.equal(seen, [0, 10])
  assert.is((await alice.get('x'))?.['n'], 11)
})

test('what a peer brings in counts when it is shown: staged, it lets no transaction mix it with what was before', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  for (const id of ['x', 'y']) await alice.write('insert', id, { n: 0 })
  await members.send(alice, bob)
  await members.settle(
    transact(bob, async (tx) => {
      for (const id of ['x', 'y']) await tx.collection(collection).update(id, { n: 1 })
    }),
  )
  alice.volume.setLatency(50)
  const pairs: unknown[] = []

  await members.settle(
    transact(alice, async (tx) => {
      const inside = tx.collection(collection)
      const x = (await inside.get('x'))?.['n']
      if (pairs.length === 0) {
        const { synced } = await offer(bob, alice)
        synced.catch(() => undefined)
        const { replica } = spaceOf(alice.database)
        const tag = alice.database.space && alice.database.keyring.tag(collection, 'y')
        while (tag !== undefined && !replica.hasStagedForeign(tag)) await alice.get('nobody')
      }
      pairs.push('read x')
      const y = (await inside.get('y'))?.['n']
      pairs.push([x, y])
      await inside.update('x', { sum: Number(x) + Number(y) })
    }),
  )

  assert.equal(pairs, ['read x', 'read x', [1, 1]])
  assert.is((await alice.get('x'))?.['sum'], 2)
})

test('a transaction does not commit over what a peer has brought in and nobody is shown yet', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  await alice.write('insert', 'x', { n: 0 })
  await members.send(alice, bob)
  await bob.write('update', 'x', { n: 10 })
  alice.volume.setLatency(50)
  const seen: number[] = []

  await members.settle(
    transact(alice, async (tx) => {
      const inside = tx.collection(collection)
      const n = Number((await inside.get('x'))?.['n'])
      seen.push(n)
      await inside.update('x', { n: n + 1 })
      if (seen.length > 1) return
      const { synced } = await offer(bob, alice)
      synced.catch(() => undefined)
      const tag = alice.database.space && alice.database.keyring.tag(collection, 'x')
      const { replica } = spaceOf(alice.database)
      while (tag !== undefined && !replica.hasStagedForeign(tag)) await alice.get('nobody')
    }),
  )

  assert.equal(seen, [0, 10])
  assert.is((await alice.get('x'))?.['n'], 11)
})

test('a peer that brings in a new match makes a transaction that asked for it run again', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const bob = await members.add('bob')
  await members.send(alice, bob)
  await bob.write('insert', 'x', { n: 1 })
  const counts: number[] = []

  await members.settle(
    transact(alice, async (tx) => {
      const inside = tx.collection(collection)
      counts.push(await inside.query().count())
      if (counts.length === 1) await (await offer(bob, alice)).synced
      await inside.insert({ id: `saw ${counts.at(-1)}` })
    }),
  )

  assert.equal(counts, [0, 1])
})

test('a hold that ends counts as another writer', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const early = await members.add('early', { clockOffsetMs: 400_000 })
  await alice.write('insert', 'x', { n: 0 })
  await members.send(alice, early)
  await early.write('update', 'x', { n: 10 })
  await members.send(early, alice)
  const seen: unknown[] = []

  await members.settle(
    transact(
      alice,
      async (tx) => {
        const inside = tx.collection(collection)
        const n = (await inside.get('x'))?.['n']
        seen.push(n)
        if (seen.length === 1) {
          await new Promise<void>((resolve) => members.simulation.env('clock').after(200_000, resolve))
        }
        await inside.put('y', { n: n ?? null })
      },
      { timeoutMs: 300_000 },
    ),
  )

  assert.equal(seen, [undefined, 10])
})

test('a reader has no transactions that write', async () => {
  const members = createMembers()
  const alice = await members.add('alice')
  const reader = await members.add('reader', { role: 'reader' })
  await alice.write('insert', 'x', { n: 0 })
  await members.send(alice, reader)

  const n = await members.settle(
    transact(reader, async (tx) => (await tx.collection(collection).get('x'))?.['n']),
  )
  const code = await members.settle(
    codeOfWork(transact(reader, (tx) => tx.collection(collection).update('x', { n: 1 }))),
  )

  assert.is(n, 0)
  assert.is(code, 'READ_ONLY')
})

test.run()

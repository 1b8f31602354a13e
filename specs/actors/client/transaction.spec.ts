/** Transactions in a simulated world: all or nothing, one moment, retries. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { counter, increment } from '../../../actors/client/index.ts'
import type { Transaction } from '../../../actors/client/index.ts'
import type { LiveDelta } from '../../../actors/database/index.ts'
import { BlazeError } from '../../../runtime/index.ts'
import { codeInside, opened, turns } from './transaction-world.ts'

test('a transaction writes several collections at once, and resolves with the result of its callback', async () => {
  const { db, bugs, notes, settle } = await opened()
  await settle(bugs.insert({ id: 'old', n: 1 }))
  const before = db.status().lastArrival

  const result = await settle(
    db.transaction(async (tx) => {
      const id = await tx.collection('bugs').insert({ id: 'a', n: 1 })
      await tx.collection('bugs').update('old', { n: 2 })
      await tx.collection('notes').insertMany([{ id: 'n1' }, { id: 'n2' }])
      await tx.collection('notes').put('n3', { text: 'put' })
      assert.is(await bugs.get('a'), undefined, 'nobody else sees it yet')
      return id
    }),
  )

  assert.is(result, 'a')
  assert.equal(await settle(bugs.get('old')), { id: 'old', n: 2 })
  assert.is(await settle(notes.query().count()), 3)
  assert.is(db.status().lastArrival, before + 5)
})

test('a transaction sees its own writes in gets and queries', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insertMany([1, 2, 3, 4].map((n) => ({ id: `b${n}`, n }))))

  await settle(
    db.transaction(async (tx) => {
      const inside = tx.collection('bugs')
      await inside.update('b1', { n: 10 })
      await inside.delete('b2')
      await inside.insert({ id: 'b5', n: 5 })
      assert.equal(await inside.get('b1'), { id: 'b1', n: 10 })
      assert.is(await inside.get('b2'), undefined)
      assert.is(await inside.delete('b2'), false)
      assert.is(await codeInside(() => inside.insert({ id: 'b5' })), 'RECORD_EXISTS')
      await inside.restore('b2', { n: 20 })
      await inside.delete('b3')
      const ids = (await inside.query().where('n', '>=', 5).all()).map(({ id }) => id)
      assert.equal(ids.sort(), ['b1', 'b2', 'b5'])
      assert.is(await inside.query().count(), 4)
      assert.is((await inside.query().where('n', '=', 5).first())?.id, 'b5')
    }),
  )

  const all = await settle(bugs.query().all())
  assert.equal(all.map(({ id, n }) => `${id}:${n as number}`).sort(), ['b1:10', 'b2:20', 'b4:4', 'b5:5'])
})

test('operations on one field follow each other within a transaction', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'a', votes: counter(1) }))

  await settle(
    db.transaction(async (tx) => {
      const inside = tx.collection('bugs')
      await inside.update('a', { votes: increment(2) })
      await inside.update('a', { votes: increment(3) })
      assert.is((await inside.get('a'))?.['votes'], 6)
    }),
  )

  assert.is((await settle(bugs.get('a')))?.['votes'], 6)
})

test('ordered queries merge what the transaction wrote into their order, along an index and without one', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insertMany(Array.from({ length: 40 }, (_, n) => ({ id: `b${n}`, n, even: n % 2 === 0 }))))
  const check = (): Promise<void> =>
    db.transaction(async (tx) => {
      const inside = tx.collection('bugs')
      await inside.insert({ id: 'x', n: 10.5, even: true })
      await inside.update('b0', { n: 39.5 })
      await inside.delete('b12')
      await inside.update('b14', { even: false })
      const up = await inside.query().where('even', '=', true).where('n', '>', 5).orderBy('n').all()
      assert.equal(up.map(({ n }) => n).slice(0, 4), [6, 8, 10, 10.5])
      assert.equal(up.map(({ n }) => n).slice(4, 6), [16, 18])
      assert.is(up.at(-1)?.['n'], 39.5)
      const down = await inside.query().orderBy('n', 'desc').limit(3).all()
      assert.equal(
        down.map(({ n }) => n),
        [39.5, 39, 38],
      )
      const byId = await inside.query().orderBy('id', 'desc').limit(2).all()
      assert.equal(
        byId.map(({ id }) => id),
        ['x', 'b9'],
      )
      throw new Error('done')
    })

  for (let run = 0; run < 2; run += 1) {
    await settle(
      check().then(
        () => assert.unreachable(),
        (error: Error) => assert.is(error.message, 'done'),
      ),
    )
    if (run === 0) await settle(bugs.createIndex('even', 'n'))
  }
})

test('a callback that throws writes nothing, and its error passes on', async () => {
  const { db, bugs, settle } = await opened()
  const thrown = new Error('mine')
  const before = db.status().lastArrival
  let calls = 0

  for (const work of [
    async (tx: Transaction) => {
      calls += 1
      await tx.collection('bugs').insert({ id: 'x' })
      throw thrown
    },
    (): Promise<void> => {
      calls += 1
      throw thrown
    },
  ]) {
    const error = await settle(db.transaction(work).catch((caught: unknown) => caught))
    assert.is(error, thrown)
  }

  assert.is(calls, 2, 'it is called once')
  assert.is(await settle(bugs.get('x')), undefined)
  assert.is(db.status().lastArrival, before)
})

test('another write to what was read makes the callback run again on the new state', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'x', n: 1 }))
  const seen: unknown[] = []

  await settle(
    db.transaction(async (tx) => {
      const doc = await tx.collection('bugs').get('x')
      seen.push(doc?.['n'])
      if (seen.length === 1) await bugs.update('x', { n: 5 })
      await tx.collection('bugs').update('x', { n: Number(doc?.['n']) + 1 })
    }),
  )

  assert.equal(seen, [1, 5])
  assert.is((await settle(bugs.get('x')))?.['n'], 6)
})

test('a record that was read as absent counts as read', async () => {
  const { db, bugs, settle } = await opened()
  let calls = 0

  await settle(
    db.transaction(async (tx) => {
      calls += 1
      const there = await tx.collection('bugs').get('x')
      if (calls === 1) await bugs.insert({ id: 'x', by: 'other' })
      await tx.collection('bugs').put('y', { sawX: there !== undefined })
    }),
  )

  assert.is(calls, 2)
  assert.equal(await settle(bugs.get('y')), { id: 'y', sawX: true })
})

test('reads of one transaction never mix two moments: a stale one is refused at its next read', async () => {
  const { db, bugs, settle } = await opened()
  await settle(
    bugs.insertMany([
      { id: 'a', n: 0 },
      { id: 'b', n: 0 },
    ]),
  )
  const pairs: unknown[][] = []
  const refusals: string[] = []

  await settle(
    db.transaction(async (tx) => {
      const a = await tx.collection('bugs').get('a')
      if (pairs.length + refusals.length === 0) {
        await db.transaction(async (other) => {
          await other.collection('bugs').update('a', { n: 1 })
          await other.collection('bugs').update('b', { n: 1 })
        })
      }
      try {
        const b = await tx.collection('bugs').get('b')
        pairs.push([a?.['n'], b?.['n']])
      } catch (error) {
        refusals.push(error instanceof BlazeError ? error.code : String(error))
        // Swallowed or wrapped: it runs again all the same.
        throw new Error('wrapped', { cause: error })
      }
    }),
  )

  assert.equal(refusals, ['CONFLICT'])
  assert.equal(pairs, [[1, 1]])
})

test('a refusal that the callback swallows does not let it end well', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'a', n: 0 }))
  let calls = 0

  await settle(
    db.transaction(async (tx) => {
      calls += 1
      await tx.collection('bugs').get('a')
      if (calls === 1) await bugs.update('a', { n: 1 })
      await tx
        .collection('bugs')
        .get('a')
        .catch(() => undefined)
    }),
  )

  assert.is(calls, 2)
})

test('a query protects against phantoms: a new match makes the transaction run again', async () => {
  const { db, bugs, settle } = await opened()
  let calls = 0
  const count = (): Promise<number> =>
    db.transaction(async (tx) => {
      calls += 1
      const open = await tx.collection('bugs').query().where('open', '=', true).count()
      if (calls === 1) await bugs.insert({ open: true })
      await tx.collection('counts').put('open', { open })
      return open
    })

  assert.is(await settle(count()), 1)
  assert.is(calls, 2)
  assert.is((await settle(db.collection('counts').get('open')))?.['open'], 1)
})

test('unique values are checked when a transaction ends: within it, against others, and never half', async () => {
  const { db, bugs, settle, code } = await opened()
  await settle(bugs.createIndex('key', { unique: true }))
  await settle(
    bugs.insertMany([
      { id: 'a', key: 1 },
      { id: 'b', key: 2 },
    ]),
  )
  const keys = async (): Promise<unknown[]> =>
    (await settle(bugs.query().orderBy('id').all())).map(({ key }) => key)

  const swap = async (tx: Transaction): Promise<void> => {
    await tx.collection('bugs').update('a', { key: 2 })
    await tx.collection('bugs').update('b', { key: 1 })
  }
  const twice = async (tx: Transaction): Promise<void> => {
    await tx.collection('bugs').insert({ key: 3 })
    await tx.collection('bugs').insert({ key: 3 })
  }
  const taken = async (tx: Transaction): Promise<void> => {
    await tx.collection('bugs').insert({ id: 'c', key: 4 })
    await bugs.insert({ id: 'd', key: 4 })
  }

  assert.is(await code(() => db.transaction(swap)), 'ok')
  assert.equal(await keys(), [2, 1])
  assert.is(await code(() => db.transaction(twice)), 'NOT_UNIQUE')
  assert.is(
    await code(() => db.transaction((tx) => tx.collection('bugs').update('a', { key: 1 }))),
    'NOT_UNIQUE',
  )
  assert.is(await code(() => db.transaction(taken)), 'NOT_UNIQUE')
  assert.equal(await keys(), [2, 1, 4])
})

test('writes to other records and other collections do not disturb a transaction', async () => {
  const { db, bugs, notes, settle } = await opened()
  await settle(bugs.insert({ id: 'a', n: 0 }))
  let calls = 0

  await settle(
    db.transaction(async (tx) => {
      calls += 1
      await tx.collection('bugs').get('a')
      await tx.collection('labels').query().all()
      await bugs.insert({ id: `other ${calls}` })
      await notes.insert({ id: `other ${calls}` })
      await tx.collection('bugs').update('a', { n: 1 })
    }),
  )

  assert.is(calls, 1)
})

test('a write that is staged and not synced yet is read, and its landing is no conflict', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'a', n: 0 }))
  let calls = 0
  const write = bugs.update('a', { n: 1 })

  const seen = await settle(
    db.transaction(async (tx) => {
      calls += 1
      const inside = tx.collection('bugs')
      const n = (await inside.get('a'))?.['n']
      const [found] = await inside.query().where('n', '=', 1).all()
      await write
      await turns(bugs)
      await inside.update('a', { m: 1 })
      return [n, found?.id]
    }),
  )

  assert.equal(seen, [1, 'a'])
  assert.is(calls, 1)
  assert.equal(await settle(bugs.get('a')), { id: 'a', n: 1, m: 1 })
})

test('what a transaction makes and ends again leaves nothing behind', async () => {
  const { db, settle } = await opened()
  const before = db.status().lastArrival

  await settle(
    db.transaction(async (tx) => {
      await tx.collection('bugs').insert({ id: 'x' })
      await tx.collection('bugs').delete('x')
    }),
  )

  assert.is(db.status().lastArrival, before)
})

test('transfers between accounts keep the sum for every reader, query and live delta', async () => {
  const seed = Math.floor(Math.random() * 1e9)
  process.stdout.write(`seed ${seed} `)
  const { simulation, db, settle } = await opened(seed)
  const chance = simulation.env('chance')
  const accounts = db.collection('accounts')
  const count = 6
  const ids = Array.from({ length: count }, (_, n) => `account ${n}`)
  await settle(accounts.insertMany(ids.map((id) => ({ id, balance: 100 }))))
  const total = count * 100
  const balances = new Map<string, number>()
  const sums = new Set<number>()
  const live = accounts.query().live(({ added, changed }: LiveDelta) => {
    for (const doc of [...added, ...changed]) balances.set(doc.id, Number(doc['balance']))
    sums.add([...balances.values()].reduce((sum, balance) => sum + balance, 0))
  })
  let attempts = 0
  const transfer = (): Promise<void> =>
    db.transaction(async (tx) => {
      attempts += 1
      const [from, to] = [
        ids[Math.floor(chance.random() * count)],
        ids[Math.floor(chance.random() * count)],
      ] as [string, string]
      const amount = Math.floor(chance.random() * 50)
      const inside = tx.collection('accounts')
      const source = await inside.get(from)
      if (from === to || Number(source?.['balance']) < amount) return
      await inside.update(from, { balance: Number(source?.['balance']) - amount })
      const target = await inside.get(to)
      await inside.update(to, { balance: Number(target?.['balance']) + amount })
    })
  const readers: Promise<number>[] = []
  const sumOf = (docs: readonly { [field: string]: unknown }[]): number =>
    docs.reduce((sum, doc) => sum + Number(doc['balance']), 0)

  const transfers = Array.from({ length: 200 }, async (_, n) => {
    await new Promise<void>((resolve) => simulation.env('app').after(chance.random() * 20, resolve))
    if (n % 4 === 0)
      readers.push(db.transaction(async (tx) => sumOf(await tx.collection('accounts').query().all())))
    if (n % 4 === 1) {
      readers.push(
        db.transaction(async (tx) => {
          let sum = 0
          for (const id of ids) sum += Number((await tx.collection('accounts').get(id))?.['balance'])
          return sum
        }),
      )
    }
    if (n % 4 === 2) readers.push(accounts.query().all().then(sumOf))
    await transfer()
  })
  await settle(Promise.all(transfers))

  assert.equal(new Set(await settle(Promise.all(readers))), new Set([total]), `seed ${seed}`)
  assert.equal([...sums], [total], `seed ${seed}`)
  assert.ok(attempts > 200, 'some had to be run again')
  live.close()
  await settle(db.close())
})

test.run()

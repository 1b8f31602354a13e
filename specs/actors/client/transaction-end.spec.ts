/** The bounds and ends of transactions, in a simulated world. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { StandardSchemaV1, Transaction } from '../../../actors/client/index.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import { codeInside, opened, turns } from './transaction-world.ts'

test('a transaction that is always disturbed ends with CONFLICT after 16 attempts and writes nothing', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'x', n: 0 }))
  let calls = 0

  const error = await settle(
    db
      .transaction(async (tx) => {
        calls += 1
        await tx.collection('bugs').get('x')
        await bugs.update('x', { n: calls })
        await tx.collection('bugs').put('y', {})
      })
      .catch((caught: BlazeError) => caught),
  )

  assert.ok(error instanceof BlazeError)
  assert.is(error.code, 'CONFLICT')
  assert.is(error.retryable, true)
  assert.is(calls, limits.transactionAttemptsMax)
  assert.is(await settle(bugs.get('y')), undefined)
})

test('1,024 records fit into one transaction, 1,025 do not', async () => {
  const { db, bugs, settle, code } = await opened()
  const insert = (count: number) => async (tx: Transaction) => {
    await tx.collection('bugs').insertMany(Array.from({ length: count }, (_, n) => ({ id: `${count}/${n}` })))
  }

  assert.is(await code(() => db.transaction(insert(1025))), 'TOO_LARGE')
  assert.is(await settle(bugs.query().count()), 0)
  assert.is(await code(() => db.transaction(insert(1024))), 'ok')
  assert.is(await settle(bugs.query().count()), 1024)
})

test('a write too many is refused alone: the callback may go on without it', async () => {
  const { db, bugs, settle } = await opened()

  await settle(
    db.transaction(async (tx) => {
      const inside = tx.collection('bugs')
      await inside.insertMany(Array.from({ length: 1024 }, (_, n) => ({ id: `${n}` })))
      assert.is(await codeInside(() => inside.insert({ id: 'one more' })), 'TOO_LARGE')
      await inside.update('7', { again: true })
    }),
  )

  assert.is(await settle(bugs.query().count()), 1024)
  assert.equal(await settle(bugs.get('7')), { id: '7', again: true })
})

test('more than 2 MiB of sealed bytes are TOO_LARGE, and nothing of it is written', async () => {
  const { db, bugs, settle, code } = await opened()
  const raw = 'x'.repeat(40_000)
  const insert = (count: number) => async (tx: Transaction) => {
    for (let n = 0; n < count; n += 1) await tx.collection('bugs').insert({ id: `${count}/${n}`, raw })
  }

  assert.is(await code(() => db.transaction(insert(54))), 'TOO_LARGE')
  assert.is(await settle(bugs.query().count()), 0)
  assert.is(await code(() => db.transaction(insert(48))), 'ok')
  assert.is(await settle(bugs.query().count()), 48)
  assert.is(await code(() => bugs.insert({ id: 'goes on' })), 'ok')
})

test('a transaction that has ended is CLOSED for those who kept it', async () => {
  const { db, settle, code } = await opened()
  let kept: Transaction | undefined

  await settle(
    db.transaction((tx) => {
      kept = tx
    }),
  )

  assert.is(await code(() => kept?.collection('bugs').get('x')), 'CLOSED')
  assert.is(await code(() => kept?.collection('bugs').insert({})), 'CLOSED')
  assert.is(await code(() => kept?.collection('bugs').query().all()), 'CLOSED')
})

test('a callback that hangs ends with the deadline, by default too, and with the signal; nothing is written', async () => {
  const { simulation, db, bugs, settle, code } = await opened()
  const hang = async (tx: Transaction): Promise<void> => {
    await tx.collection('bugs').insert({ id: 'x' })
    await new Promise(() => undefined)
  }

  assert.is(await code(() => db.transaction(hang, { timeoutMs: 100 })), 'TIMEOUT')
  const before = simulation.env('app').monotonic()
  assert.is(await code(() => db.transaction(hang)), 'TIMEOUT')
  assert.is(Math.round(simulation.env('app').monotonic() - before), limits.waitMs)
  const abort = new AbortController()
  const aborted = db.transaction(hang, { signal: abort.signal })
  await settle(turns(bugs))
  abort.abort()
  assert.is(await code(() => aborted), 'ABORTED')
  assert.is(await code(() => db.transaction(hang, { timeoutMs: -1 })), 'TypeError')
  assert.is(await settle(bugs.get('x')), undefined)
})

test('after its deadline a callback that goes on writes nothing any more', async () => {
  const { simulation, db, bugs, settle, code } = await opened()
  const app = simulation.env('app')
  let late: Promise<string> | undefined

  const ended = code(() =>
    db.transaction(
      async (tx) => {
        await new Promise<void>((resolve) => app.after(200, resolve))
        late = codeInside(() => tx.collection('bugs').insert({ id: 'late' }))
        await late
      },
      { timeoutMs: 100 },
    ),
  )

  assert.is(await ended, 'TIMEOUT')
  await settle(new Promise<void>((resolve) => app.after(300, resolve)))
  assert.is(await late, 'CLOSED')
  assert.is(await settle(bugs.get('late')), undefined)
})

test('close ends a transaction that hangs, and later ones are CLOSED', async () => {
  const { db, bugs, settle, code } = await opened()
  const hanging = code(() => db.transaction(() => new Promise(() => undefined), { timeoutMs: Infinity }))
  await settle(turns(bugs))

  await settle(db.close())

  assert.is(await hanging, 'CLOSED')
  assert.is(await code(() => db.transaction(() => 1)), 'CLOSED')
})

test('a store that fails ends a transaction under way, and a later one works', async () => {
  const { db, volume, bugs, settle, code } = await opened()
  const codes: string[] = []

  const ended = code(() =>
    db.transaction(async (tx) => {
      await tx.collection('bugs').insert({ id: 'x' })
      volume('/db').failNextBatch()
      codes.push(await codeInside(() => bugs.insert({ id: 'fails' })))
      await tx.collection('bugs').insert({ id: 'y' })
    }),
  )

  assert.is(await ended, 'POISONED')
  assert.equal(codes, ['POISONED'])
  assert.is(await code(() => db.transaction((tx) => tx.collection('bugs').insert({ id: 'z' }))), 'ok')
  assert.is(await settle(bugs.get('x')), undefined)
})

test('a call of one step that nobody awaits is in the transaction, large values included', async () => {
  const { db, bugs, settle } = await opened()
  const data = new Uint8Array(limits.chunkBytes + 1)
  const late: Promise<string>[] = []

  await settle(
    db.transaction((tx) => {
      const inside = tx.collection('bugs')
      late.push(codeInside(() => inside.insert({ id: 'small' })))
      late.push(codeInside(() => inside.insert({ id: 'large', data })))
    }),
  )

  assert.equal(await settle(Promise.all(late)), ['ok', 'ok'])
  assert.equal(
    (await settle(bugs.query().orderBy('id').all())).map(({ id }) => id),
    ['large', 'small'],
  )
})

test('a call of several steps that nobody awaits is CLOSED when the callback ends first; awaited it is whole', async () => {
  const { db, bugs, notes, settle, code } = await opened()
  const docs = Array.from({ length: 300 }, (_, n) => ({ id: `${n}` }))
  await settle(notes.insert({ id: 'judged', n: 1 }))
  const calls: Record<string, (tx: Transaction) => Promise<unknown>> = {
    many: (tx) => tx.collection('bugs').insertMany(docs),
    judged: (tx) => tx.collection('notes', { schema: anything }).update('judged', { n: 2 }),
  }

  for (const [name, call] of Object.entries(calls)) {
    let late: Promise<string> | undefined
    await settle(
      db.transaction((tx) => {
        late = codeInside(() => call(tx))
      }),
    )
    assert.is(await settle(late ?? Promise.resolve('')), 'CLOSED', name)
  }
  assert.is(await settle(bugs.query().count()), 0)
  assert.equal(await settle(notes.get('judged')), { id: 'judged', n: 1 })
  for (const [name, call] of Object.entries(calls)) {
    assert.is(await code(() => db.transaction(call)), 'ok', name)
  }
  assert.is(await settle(bugs.query().count()), 300)
  assert.equal(await settle(notes.get('judged')), { id: 'judged', n: 2 })
})

test('what a call of several steps had done when the callback ended is in the transaction, and the rest is not', async () => {
  const { db, bugs, settle } = await opened()
  const docs = Array.from({ length: 1_000 }, (_, n) => ({ id: `${n}` }))
  let late: Promise<string> | undefined

  await settle(
    db.transaction(async (tx) => {
      const inside = tx.collection('bugs')
      late = codeInside(() => inside.insertMany(docs))
      while ((await inside.get('0')) === undefined);
    }),
  )

  assert.is(await settle(late ?? Promise.resolve('')), 'CLOSED')
  const count = await settle(bugs.query().count())
  assert.ok(count > 0 && count < docs.length && count % limits.bulkChunkRecords === 0, `${count}`)
})

const anything: StandardSchemaV1<object, object> = {
  '~standard': {
    version: 1,
    vendor: 'spec',
    validate: async (value) => ({ value: Object(value) as object }),
  },
}

test('the waits before further attempts grow, up to a quarter of a second', async () => {
  const { simulation, db, bugs, settle, code } = await opened()
  await settle(bugs.insert({ id: 'x', n: 0 }))
  const app = simulation.env('app')
  const waits: number[] = []

  for (let run = 0; run < 8; run += 1) {
    let endedMs = app.monotonic()
    let attempt = 0
    const ended = code(() =>
      db.transaction(async (tx) => {
        const waitedMs = app.monotonic() - endedMs
        if (attempt > 0) waits[attempt] = Math.max(waits[attempt] ?? 0, waitedMs)
        attempt += 1
        await tx.collection('bugs').get('x')
        await bugs.update('x', { n: attempt + run * 100 })
        endedMs = app.monotonic()
        await tx.collection('bugs').put('y', {})
      }),
    )
    assert.is(await ended, 'CONFLICT')
  }

  // What the disk takes is in them too.
  const most = (attempt: number): number => Math.min(2 ** (attempt - 1), limits.transactionBackoffMaxMs) + 10
  for (const [attempt, ms] of waits.entries()) {
    if (attempt > 0) assert.ok(ms <= most(attempt), `before attempt ${attempt + 1}: ${ms} ms`)
  }
  assert.ok(Math.max(...waits.slice(9)) > 125, waits.join())
})

test('a transaction reads 65,536 records, one more is TOO_LARGE', async () => {
  const { db, settle } = await opened()
  const name = (n: number): string => `r${n}`

  await settle(
    db.transaction(
      async (tx) => {
        const inside = tx.collection('bugs')
        for (let from = 0; from < limits.transactionReadsMax; from += 1_024) {
          await Promise.all(Array.from({ length: 1_024 }, (_, n) => inside.get(name(from + n))))
        }
        assert.is(await codeInside(() => inside.get('one more')), 'TOO_LARGE')
        assert.is(await codeInside(() => inside.get(name(5))), 'ok')
      },
      { timeoutMs: Infinity },
    ),
  )
})

test('a transaction that only reads resolves, or tells its error, after all that it read is synced', async () => {
  const { db, bugs, notes, volume, settle, code } = await opened()
  volume('/db').setLatency(200)

  for (const fails of [false, true]) {
    const before = db.status().lastArrival
    const id = `staged ${fails}`
    const writing = bugs.insert({ id })
    const ended = await code(() =>
      db.transaction(async (tx) => {
        assert.equal(await tx.collection('bugs').get(id), { id })
        assert.is(db.status().lastArrival, before, 'it reads what is staged')
        if (fails) throw new BlazeError('NOT_FOUND', 'given up')
      }),
    )
    assert.is(ended, fails ? 'NOT_FOUND' : 'ok')
    assert.is(db.status().lastArrival, before + 1)
    await settle(writing)
  }
  assert.is(await settle(notes.query().count()), 0)
})

test('there is a bound on open transactions', async () => {
  const { db, settle, code } = await opened()
  const open = Array.from({ length: limits.transactionsMax }, () =>
    code(() => db.transaction(() => new Promise(() => undefined), { timeoutMs: 1_000 })),
  )

  assert.is(await code(() => db.transaction(() => 1)), 'OVERLOADED')
  assert.equal(new Set(await settle(Promise.all(open))), new Set(['TIMEOUT']))
  assert.is(await code(() => db.transaction(() => 1)), 'ok')
})

test('live queries and indexes are refused inside a transaction', async () => {
  const { db, settle, code } = await opened()

  await settle(
    db.transaction(async (tx) => {
      assert.is(await codeInside(() => tx.collection('bugs').query().live().closed), 'NOT_SUPPORTED')
      assert.is(await codeInside(() => tx.collection('bugs').createIndex('a')), 'NOT_SUPPORTED')
    }),
  )
  assert.is(await code(() => db.transaction(undefined as never)), 'TypeError')
})

test.run()

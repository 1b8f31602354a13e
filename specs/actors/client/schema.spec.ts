/** Collections with a schema: what is checked, what is stored, and what a schema that misbehaves does. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { StandardResult, StandardSchemaV1 } from '../../../actors/client/index.ts'
import { BlazeTopology } from '../../../actors/topology/index.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'

interface Bug {
  readonly title: string
  readonly priority?: number
  readonly state?: string
}

type Judge<T> = (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>

function schemaOf<In, Out = In>(validate: Judge<Out>): StandardSchemaV1<In, Out> {
  return { '~standard': { version: 1, vendor: 'spec', validate } }
}

/** Trims the title, adds a state, refuses unknown fields, priorities above 5 and a done bug of priority 5. */
const judge = (value: unknown): StandardResult<Bug> => {
  const { title, priority, state = 'open', ...rest } = value as Record<string, unknown>
  const issues = []
  if (typeof title !== 'string' || title.trim() === '')
    issues.push({ message: 'expected text', path: ['title'] })
  if (priority !== undefined && !(Number(priority) <= 5)) {
    issues.push({ message: 'at most 5', path: [{ key: 'priority' }] })
  }
  if (state === 'done' && priority === 5) issues.push({ message: 'not so fast' })
  for (const name of Object.keys(rest)) issues.push({ message: 'unknown', path: [name] })
  if (issues.length > 0) return { issues }
  return {
    value: {
      title: String(title).trim(),
      state: String(state),
      ...(priority === undefined ? {} : { priority: Number(priority) }),
    },
  }
}
const bugSchema = schemaOf<Bug>(judge)

async function opened<In = Bug, Out = Bug>(schema: StandardSchemaV1<In, Out> = bugSchema as never) {
  const sim = createClientWorld()
  const db = await sim.open()
  const failure = async (work: () => Promise<unknown>): Promise<BlazeError> => {
    try {
      await sim.settle(work())
    } catch (error) {
      if (error instanceof BlazeError) return error
      throw error
    }
    throw new Error('it was taken')
  }
  return { ...sim, db, failure, bugs: db.collection('bugs', { schema }), plain: db.collection('bugs') }
}

test('what the schema returns is stored: on insert, put, restore and insertMany', async () => {
  const { bugs, plain, settle } = await opened()

  await settle(bugs.insert({ id: 'a', title: '  crash ' }))
  assert.equal(await settle(plain.get('a')), { id: 'a', title: 'crash', state: 'open' })
  await settle(bugs.put('a', { title: ' again', priority: 1 }))
  assert.equal(await settle(plain.get('a')), { id: 'a', title: 'again', state: 'open', priority: 1 })
  await settle(bugs.delete('a'))
  await settle(bugs.restore('a', { title: 'back ' }))
  assert.equal(await settle(bugs.get('a')), { id: 'a', title: 'back', state: 'open' })
  const ids = await settle(bugs.insertMany([{ title: ' x ' }, { title: 'y' }]))
  const titles = await Promise.all(ids.map((id) => settle(bugs.get(id))))
  assert.equal(
    titles.map((doc) => doc?.title),
    ['x', 'y'],
  )
})

test('a document that does not fit is SCHEMA_INVALID with its issues, and nothing is written', async () => {
  const { bugs, settle, failure } = await opened()
  await settle(bugs.insert({ id: 'a', title: 'a' }))

  const error = await failure(() => bugs.insert({ id: 'b', title: ' ', priority: 9 }))
  assert.is(error.code, 'SCHEMA_INVALID')
  assert.equal(error.details, {
    collection: 'bugs',
    issues: [
      { message: 'expected text', path: ['title'] },
      { message: 'at most 5', path: ['priority'] },
    ],
    count: 2,
  })
  assert.match(error.message, 'first at title')
  assert.is((await failure(() => bugs.put('a', { title: '' }))).code, 'SCHEMA_INVALID')
  assert.is((await failure(() => bugs.restore('z', { title: '' }))).code, 'SCHEMA_INVALID')
  assert.is((await failure(() => bugs.insertMany([{ title: 'ok' }, { title: '' }]))).code, 'SCHEMA_INVALID')
  assert.is(await settle(bugs.query().count()), 1)
})

test('update judges the whole document, and stores what the schema makes of it', async () => {
  const { bugs, plain, settle, failure } = await opened()
  await settle(bugs.insert({ id: 'a', title: 'a', priority: 5 }))

  assert.is((await failure(() => bugs.update('a', { state: 'done' }))).code, 'SCHEMA_INVALID')
  assert.is((await failure(() => bugs.update('a', { title: undefined }))).code, 'SCHEMA_INVALID')
  assert.is((await failure(() => bugs.update('nobody', { title: 'x' }))).code, 'NOT_FOUND')
  assert.equal(await settle(plain.get('a')), { id: 'a', title: 'a', priority: 5, state: 'open' })
  await settle(bugs.update('a', { state: 'done', priority: undefined, title: ' b ' }))
  assert.equal(await settle(plain.get('a')), { id: 'a', title: 'b', state: 'done' })
})

test('updates at the same time are judged against each other', async () => {
  const { bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'a', title: 'a' }))

  const results = await settle(
    Promise.allSettled([bugs.update('a', { state: 'done' }), bugs.update('a', { priority: 5 })]),
  )

  assert.equal(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('inside a transaction the schema holds too', async () => {
  const { db, settle, failure } = await opened()

  const error = await failure(() =>
    db.transaction(async (tx) => {
      const inside = tx.collection('bugs', { schema: bugSchema })
      await inside.insert({ id: 'a', title: ' a ' })
      assert.is((await inside.get('a'))?.title, 'a')
      await inside.update('a', { priority: 5 })
      await inside.update('a', { state: 'done' })
    }),
  )

  assert.is(error.code, 'SCHEMA_INVALID')
  assert.is(await settle(db.collection('bugs').query().count()), 0)
})

test('an update that the schema refuses is not stored, whatever its transaction makes of the error', async () => {
  for (const validate of [judge, async (value: unknown) => judge(value)]) {
    const { db, settle } = await opened(schemaOf<Bug>(validate))
    const bugs = db.collection('bugs', { schema: schemaOf<Bug>(validate) })
    await settle(bugs.put('b', { title: 'old' }))
    const codes: unknown[] = []

    await settle(
      db.transaction(async (tx) => {
        const inside = tx.collection('bugs', { schema: schemaOf<Bug>(validate) })
        const refused = inside
          .update('b', { title: '', priority: 4 })
          .catch((error) => codes.push(error.code))
        const meanwhile = inside.update('b', { state: ' done ' })
        await Promise.all([refused, meanwhile])
        await inside.update('b', { title: ' new ' })
      }),
    )

    assert.equal(codes, ['SCHEMA_INVALID'])
    assert.equal(await settle(bugs.get('b')), { id: 'b', title: 'new', state: ' done ' })
  }
})

test('calls that are not awaited keep their order with a schema that answers at once', async () => {
  const { bugs, settle } = await opened()

  const written = [
    bugs.insert({ id: 'a', title: '1' }),
    bugs.put('a', { title: '2' }),
    bugs.put('a', { title: '3' }),
  ]
  const doc = await settle(bugs.get('a'))
  await settle(Promise.all(written))

  assert.is(doc?.title, '3')
})

test('a schema may take its time; the document is copied before', async () => {
  const sim = createClientWorld()
  const db = await sim.open()
  const wait = (): Promise<void> => new Promise((resolve) => sim.simulation.env('app').after(50, resolve))
  const slow = schemaOf<Bug>(async (value) => {
    await wait()
    return judge(value)
  })
  const bugs = db.collection('bugs', { schema: slow })
  const doc = { id: 'a', title: 'a ' }

  const written = bugs.insert(doc)
  doc.title = 'changed later'
  await sim.settle(written)
  await sim.settle(bugs.update('a', { priority: 2 }))

  assert.equal(await sim.settle(bugs.get('a')), { id: 'a', title: 'a', state: 'open', priority: 2 })
  assert.is(await sim.code(() => bugs.insert({ title: ' ' })), 'SCHEMA_INVALID')
  assert.is(await sim.code(() => bugs.insert({ title: 'x' }, { timeoutMs: 10 })), 'TIMEOUT')
})

test('the schema is that of the handle: other handles, imports and what is next door are not judged', async () => {
  const { db, bugs, plain, settle, code, files, simulation, open } = await opened()
  const misfit = { id: 'misfit', priority: 9 }

  assert.is(await code(() => bugs.put('misfit', misfit as never)), 'SCHEMA_INVALID')
  await settle(plain.insert(misfit))
  files.contents.set('/bugs.jsonl', new TextEncoder().encode('{"id":"imported","priority":9}\n'))
  await settle(db.import('/bugs.jsonl', { collection: 'bugs' }))

  const to = await open('/to')
  await settle(BlazeTopology.connectLocal({ from: db, to, mode: 'bidirectional' }))
  await settle(to.collection('bugs').insert({ id: 'next door', priority: 9 }))
  await simulation.pass(1_000)
  const ids = (await settle(bugs.query().orderBy('id').all())).map(({ id }) => id)
  assert.equal(ids, ['imported', 'misfit', 'next door'])
  assert.is(await code(() => bugs.update('misfit', { state: 'open' })), 'SCHEMA_INVALID')
})

test('a schema that throws, answers nonsense or never answers ends with a code', async () => {
  const thrown = new Error('mine')
  for (const [validate, expected] of [
    [() => Promise.reject(thrown), 'SCHEMA_INVALID'],
    [() => 'nonsense', 'SCHEMA_INVALID'],
    [() => undefined, 'SCHEMA_INVALID'],
    [() => ({ issues: 'many' }), 'SCHEMA_INVALID'],
    [() => ({ issues: [undefined, { message: 5, path: [Symbol('s'), { key: 1 }] }] }), 'SCHEMA_INVALID'],
    [() => ({ value: 'text' }), 'TypeError'],
    [() => ({ value: { code: () => 1 } }), 'BAD_VALUE'],
    [() => ({ value: { id: 'mine', title: 'a' } }), 'SCHEMA_INVALID'],
    [() => new Promise(() => undefined), 'TIMEOUT'],
    [
      () => {
        throw thrown
      },
      'SCHEMA_INVALID',
    ],
  ] as const) {
    const { simulation, bugs, code } = await opened(schemaOf<Bug>(validate as never))
    const before = simulation.env('app').monotonic()

    assert.is(await code(() => bugs.insert({ title: 'a' })), expected, String(validate))

    assert.ok(simulation.env('app').monotonic() - before <= limits.schemaMs + 1)
  }
  const { bugs, failure } = await opened(schemaOf<Bug>(() => Promise.reject(thrown)))
  assert.is((await failure(() => bugs.insert({ title: 'a' }))).cause, thrown)
})

test('issues are told up to a bound', async () => {
  const many = {
    issues: Array.from({ length: 1_000 }, () => ({
      message: 'x'.repeat(10_000),
      path: Array(100).fill('y'.repeat(1_000)),
    })),
  }
  const { bugs, failure } = await opened(schemaOf<Bug>(() => many))

  const { details, message } = await failure(() => bugs.insert({ title: 'a' }))

  assert.is(details['count'], 1_000)
  assert.ok(JSON.stringify(details).length < 32 * 17 * 300)
  assert.ok(message.length < 6_000)
})

test('a schema that is none, and bad options, are a TypeError', async () => {
  const { db } = await opened()

  for (const options of [
    { schema: {} },
    { schema: { '~standard': { version: 2, validate: judge } } },
    { schema: { '~standard': { version: 1 } } },
    { schema: null },
    { version: 0 },
    { version: 1.5 },
    { version: 65_536 },
    { upgrade: (doc: object) => doc },
    { version: 2, upgrade: 'no' },
    'text',
  ]) {
    assert.throws(() => db.collection('bugs', options as never), TypeError)
  }
})

test.run()

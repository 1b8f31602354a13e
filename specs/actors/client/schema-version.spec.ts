/** Versions of a schema: older documents are read upgraded, written ones have the version, newer ones are left alone. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CollectionOptions } from '../../../actors/client/index.ts'
import { decodeBody, encodeBody } from '../../../actors/database/record/record-body.ts'
import { equalRecords, joinRecords } from '../../../actors/database/record/record.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'

async function opened() {
  const sim = createClientWorld()
  const db = await sim.open()
  const v1 = db.collection('bugs')
  const of = (options: CollectionOptions) => db.collection('bugs', options)
  return { ...sim, db, v1, of }
}

/** Version 2 has a priority, version 3 labels. */
const upgrade: CollectionOptions['upgrade'] = (doc, from) => ({
  ...doc,
  ...(from < 2 ? { priority: 0 } : {}),
  ...(from < 3 ? { labels: [] } : {}),
})

test('older documents are read with the fields that the newer version adds, everywhere', async () => {
  const { db, v1, of, settle } = await opened()
  await settle(v1.insert({ id: 'a', title: 'old' }))
  const v3 = of({ version: 3, upgrade })
  const upgraded = { id: 'a', title: 'old', priority: 0, labels: [] }

  assert.equal(await settle(v3.get('a')), upgraded)
  assert.equal(await settle(v3.query().all()), [upgraded])
  assert.equal(await settle(v3.query().first()), upgraded)
  assert.equal((await settle(v3.query().page())).docs, [upgraded])
  const live: unknown[] = []
  const results = v3.query().live(({ added }) => live.push(...added))
  const watched: unknown[] = []
  const watch = v3.watch('a', (doc) => watched.push(doc))
  await settle(v3.get('a'))
  await settle(v1.get('a'))
  results.close()
  watch.close()
  assert.equal(live, [upgraded])
  assert.equal(watched, [upgraded])
  assert.equal(
    await settle(db.transaction((tx) => tx.collection('bugs', { version: 3, upgrade }).get('a'))),
    upgraded,
  )
  assert.equal(await settle(v1.get('a')), { id: 'a', title: 'old' }, 'nothing was stored')
})

test('upgrade is told the version of the document, and not called for those of its own', async () => {
  const { v1, of, settle } = await opened()
  const from: number[] = []
  const note: CollectionOptions['upgrade'] = (doc, version) => {
    from.push(version)
    return doc
  }
  await settle(v1.insert({ id: 'one' }))
  await settle(of({ version: 2 }).insert({ id: 'two' }))
  await settle(of({ version: 3 }).insert({ id: 'three' }))
  const v3 = of({ version: 3, upgrade: note })

  for (const id of ['one', 'two', 'three']) await settle(v3.get(id))

  assert.equal(from, [1, 2])
})

test('an update stores the added fields and the version with what it changes', async () => {
  const { v1, of, settle } = await opened()
  await settle(v1.insert({ id: 'a', title: 'old' }))

  await settle(of({ version: 2, upgrade }).update('a', { title: 'new' }))

  assert.equal(await settle(v1.get('a')), { id: 'a', title: 'new', priority: 0, labels: [] })
  const failing = of({
    version: 2,
    upgrade: () => {
      throw new Error('called')
    },
  })
  assert.is((await settle(failing.get('a')))?.['title'], 'new')
})

test('the version survives a reopen', async () => {
  const sim = await opened()
  await sim.settle(sim.of({ version: 7 }).insert({ id: 'a' }))
  await sim.settle(sim.db.close())

  const again = await sim.open()

  assert.is(await sim.code(() => again.collection('bugs', { version: 6 }).get('a')), 'NOT_SUPPORTED')
  assert.is(await sim.code(() => again.collection('bugs', { version: 7 }).get('a')), 'ok')
})

test('a record of a newer version is neither read nor written by an older app, with advice', async () => {
  const { of, v1, db, settle, code } = await opened()
  await settle(of({ version: 3 }).insert({ id: 'a', title: 'newer' }))
  const v2 = of({ version: 2, upgrade })

  for (const call of [
    () => v2.get('a'),
    () => v2.query().all(),
    () => v2.update('a', { title: 'x' }),
    () => v2.put('a', { title: 'x' }),
    () => db.transaction((tx) => tx.collection('bugs', { version: 2 }).put('a', {})),
  ]) {
    assert.is(await code(call), 'NOT_SUPPORTED')
  }
  const error = await settle(v2.get('a').then(String, (caught: Error) => caught.message))
  assert.match(error, 'update the app')
  assert.is(await code(() => v2.query().live(() => undefined).closed), 'NOT_SUPPORTED')
  assert.is(await code(() => v2.watch('a', () => undefined).closed), 'NOT_SUPPORTED')
  assert.equal(await settle(v1.get('a')), { id: 'a', title: 'newer' })
})

test('an app without a version leaves that of the record as it is', async () => {
  const { of, v1, settle, code } = await opened()
  await settle(of({ version: 3 }).insert({ id: 'a', title: 'newer' }))

  await settle(v1.update('a', { title: 'changed' }))

  assert.is(await code(() => of({ version: 2 }).get('a')), 'NOT_SUPPORTED')
})

test('an upgrade that removes, renames or changes a field is refused', async () => {
  const { v1, of, settle, code } = await opened()
  await settle(v1.insert({ id: 'a', title: 'old', nested: { list: [1] } }))

  for (const [bad, problem] of [
    [({ title: _title, ...rest }: Record<string, unknown>) => rest, 'removes the field title'],
    [({ title, ...rest }: Record<string, unknown>) => ({ ...rest, name: title }), 'removes the field title'],
    [(doc: Record<string, unknown>) => ({ ...doc, title: 'changed' }), 'changes the field title'],
    [
      (doc: { nested?: { list?: number[] } }) => {
        doc.nested?.list?.push(2)
        return doc
      },
      'changes the field nested',
    ],
    [
      () => {
        throw new Error('mine')
      },
      'upgrade failed',
    ],
  ] as const) {
    const collection = of({ version: 2, upgrade: bad as never })
    const error = await settle(collection.get('a').then(String, (caught: Error) => caught.message))
    assert.match(error, problem)
    assert.is(await code(() => collection.get('a')), 'SCHEMA_INVALID')
    assert.is(await code(() => collection.update('a', { more: 1 })), 'SCHEMA_INVALID')
  }
  assert.is(await code(() => of({ version: 2, upgrade: () => 5 as never }).get('a')), 'TypeError')
  assert.equal(await settle(v1.get('a')), { id: 'a', title: 'old', nested: { list: [1] } })
})

test('schema and version go together: the upgraded whole is what an update has to fit', async () => {
  const { v1, of, settle, code } = await opened()
  await settle(v1.insert({ id: 'a', title: 'old' }))
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'spec',
      validate: (value: unknown) =>
        (value as { priority?: number }).priority === undefined
          ? { issues: [{ message: 'no priority' }] }
          : { value },
    },
  }

  assert.is(await code(() => of({ schema, version: 2 }).update('a', { title: 'x' })), 'SCHEMA_INVALID')
  assert.is(await code(() => of({ schema, version: 2, upgrade }).update('a', { title: 'x' })), 'ok')
  assert.is((await settle(v1.get('a')))?.['priority'], 0)
})

const schemas = fc.option(fc.integer({ min: 2, max: 65_535 }), { nil: undefined })
const record = fc
  .record({ schema: schemas, ms: fc.nat(5), value: fc.nat(3), deleted: fc.boolean() })
  .map(({ schema, ms, value, deleted }): RecordState => {
    const stamp = { ms, counter: 0, writer: new Uint8Array(8).fill(value) }
    const base = { collection: 'c', id: 'x', home: null, life: 1 }
    if (deleted) return { ...base, deleted: stamp, fields: new Map() }
    const fields = new Map([['f', { value, stamp }]])
    return { ...base, deleted: undefined, fields, ...(schema === undefined ? {} : { schema }) }
  })
const join = (a: RecordState, b: RecordState): RecordState => joinRecords(a, b, nodeCrypto)
const same = (a: RecordState, b: RecordState): boolean => equalRecords(a, b, nodeCrypto)

test('the join takes the higher version and stays a join; the body carries it', () => {
  fc.assert(
    fc.property(record, record, record, (a, b, c) => {
      assert.ok(same(join(a, b), join(b, a)))
      assert.ok(same(join(a, join(b, c)), join(join(a, b), c)))
      assert.ok(same(join(a, a), a))
      const joined = join(a, b)
      if (joined.deleted === undefined) assert.is(joined.schema ?? 0, Math.max(a.schema ?? 0, b.schema ?? 0))
      else assert.is(joined.schema, undefined)
      const decoded = decodeBody(encodeBody(a), { life: 1, deleted: a.deleted !== undefined })
      assert.ok(same(decoded, a))
    }),
  )
})

test.run()

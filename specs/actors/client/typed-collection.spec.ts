/** Types of collections: this file has to compile, and no line under `@ts-expect-error` may. Nothing of it is run but the last lines. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeDBClient, StandardSchemaV1 } from '../../../actors/client/index.ts'

interface Bug {
  readonly title: string
  readonly priority?: number
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

/** Takes text or a number, and stores a number. */
declare const stats: StandardSchemaV1<{ count: string | number }, { count: number }>

async function untyped(db: BlazeDBClient, bug: Bug): Promise<void> {
  const any = db.collection('any')
  await any.insert({ anything: [1, { deep: new Date() }] })
  await any.insert(bug)
  await any.update('x', { title: undefined })
  const doc = await any.get('x')
  const title: unknown = doc?.['title']
  void title
  // @ts-expect-error: a function is no value
  await any.insert({ code: () => 1 })
}

async function byType(db: BlazeDBClient): Promise<void> {
  const bugs = db.collection<Bug>('bugs')
  await bugs.insert({ title: 'a' })
  await bugs.insert({ id: 'given', title: 'a', priority: 1 })
  await bugs.insertMany([{ title: 'a' }, { title: 'b', priority: 2 }])
  await bugs.update('x', { priority: undefined })
  await bugs.put('x', { title: 'b' })
  const doc = await bugs.get('x')
  same<typeof doc, (Bug & { id: string }) | undefined>(true)
  const all = await bugs.query().where('title', '=', 'a').all()
  same<(typeof all)[number], Bug & { id: string }>(true)
  const first = await bugs.query().first()
  same<typeof first, (Bug & { id: string }) | undefined>(true)
  // @ts-expect-error: the title is missing
  await bugs.insert({ priority: 1 })
  // @ts-expect-error: a title is text
  await bugs.insert({ title: 1 })
  // @ts-expect-error: there is no such field
  await bugs.insert({ title: 'a', tilte: 'b' })
  // @ts-expect-error: a priority is a number
  await bugs.update('x', { priority: 'high' })
  // @ts-expect-error: a whole document has a title
  await bugs.put('x', {})
}

async function bySchema(db: BlazeDBClient): Promise<void> {
  const counts = db.collection('counts', {
    schema: stats,
    version: 2,
    upgrade: (doc) => ({ ...doc, more: 1 }),
  })
  await counts.insert({ count: '5' })
  const doc = await counts.get('x')
  same<typeof doc, ({ count: number } & { id: string }) | undefined>(true)
  await db.transaction(async (tx) => {
    const inside = tx.collection('counts', { schema: stats })
    await inside.update('x', { count: 7 })
    const count: number | undefined = (await inside.get('x'))?.count
    return count
  })
  // @ts-expect-error: the schema takes text or a number
  await counts.insert({ count: true })
  // @ts-expect-error: no Standard Schema
  db.collection('counts', { schema: { parse: () => 1 } })
}

test('collections are typed by an interface, by a schema, or not at all', () => {
  for (const compiled of [untyped, byType, bySchema]) assert.type(compiled, 'function')
})

test.run()

/** One value through all that an application does with it: written, read in each way, and read again after the database was opened anew. */
import * as assert from 'uvu/assert'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import type { Doc, DocInput, LiveDelta } from '../../../actors/database/index.ts'
import { equalValue } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { createClientWorld } from '../client/simulated-client.ts'
import type { ClientWorld } from '../client/simulated-client.ts'

export interface ValueWorld extends ClientWorld {
  readonly db: BlazeDBClient
}

export async function openValueWorld(): Promise<ValueWorld> {
  const world = createClientWorld()
  return Object.assign(world, { db: await world.open() })
}

/** Fails unless each document comes back exactly, from inserts and updates, and after the next opening. */
export async function checkReturned(docs: Readonly<Record<string, DocInput>>): Promise<void> {
  const { open, settle, simulation, db } = await openValueWorld()
  const [things, changed] = [db.collection('things'), db.collection('changed')]
  const live = new Map<string, Doc>()
  const feed = things.query().live(({ added }: LiveDelta) => {
    for (const doc of added) live.set(doc.id, doc)
  })
  const wanted = new Map(Object.entries(docs).map(([what, doc], at) => [`${at}`, { what, doc }]))

  for (const [id, { doc }] of wanted) {
    await settle(things.insert({ ...doc, id }))
    await settle(changed.insert({ id }))
    await settle(changed.update(id, doc))
  }
  await simulation.pass(100)
  feed.close()
  await compare(db, { settle, wanted })
  for (const [id, { what, doc }] of wanted) same(live.get(id), { id, doc }, `live: ${what}`)

  await settle(db.close())
  const again = await open()
  await compare(again, { settle, wanted })
  await settle(again.close())
}

async function compare(
  db: BlazeDBClient,
  o: Pick<ClientWorld, 'settle'> & {
    readonly wanted: ReadonlyMap<string, { readonly what: string; readonly doc: DocInput }>
  },
): Promise<void> {
  for (const name of ['things', 'changed']) {
    const collection = db.collection(name)
    const all = new Map((await o.settle(collection.query().all())).map((doc) => [doc.id, doc]))
    for (const [id, { what, doc }] of o.wanted) {
      same(await o.settle(collection.get(id)), { id, doc }, `get ${name}: ${what}`)
      same(all.get(id), { id, doc }, `query ${name}: ${what}`)
    }
  }
}

/** By the law of the specs: own names, types, NaN and −0, and nothing inherited. */
function same(
  found: Doc | undefined,
  { id, doc }: { readonly id: string; readonly doc: DocInput },
  what: string,
): void {
  assert.ok(found !== undefined, `${what}: nothing is there`)
  const names = Object.keys(doc).filter((name) => doc[name] !== undefined)
  assert.equal(Object.keys(found).sort(), [...names, 'id'].sort(), what)
  assert.is(found.id, id)
  assert.is(Object.getPrototypeOf(found), Object.prototype, what)
  for (const name of names) {
    assert.ok(Object.hasOwn(found, name), `${what}: ${name}`)
    assert.ok(equalValue(found[name] as Value, doc[name] as Value), `${what}: field ${name.slice(0, 50)}`)
  }
}

/** What the specs of transactions share: an open database in a simulated world, and answers from inside a callback. */
import type { BlazeDBClient, Collection } from '../../../actors/client/index.ts'
import { BlazeError } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'

export interface TransactionWorld extends ClientWorld {
  readonly db: BlazeDBClient
  readonly bugs: Collection
  readonly notes: Collection
}

export async function opened(seed = 1): Promise<TransactionWorld> {
  const sim = createClientWorld(seed)
  const db = await sim.open()
  return { ...sim, db, bugs: db.collection('bugs'), notes: db.collection('notes') }
}

/** The code of the error that `work` rejects with, or `ok`: for inside a transaction, where the clock turns already. */
export async function codeInside(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    return error instanceof BlazeError ? error.code : String(error)
  }
}

/** Lets some other calls of the database go by. */
export async function turns(bugs: Pick<Collection, 'get'>, count = 5): Promise<void> {
  for (let n = 0; n < count; n += 1) await bugs.get('nobody')
}

/**
 * Child side of `live`: a live query of all rows, and writes to single ones.
 *
 * Invariant: a time ends when the callback has the record as it was just written; raw, when the put is synced, since nobody is told.
 */
import type { StoredRows } from './store-device-calls.ts'
import { rowId } from './store-rows.ts'

type LiveBody = StoredRows & { readonly numbers: readonly number[] }

export function liveLoad(body: LiveBody): Promise<number[]> {
  return body.system === 'blazedb' ? timeReactions(body) : timePuts(body)
}

async function timeReactions({ at, records, numbers }: LiveBody): Promise<number[]> {
  const { openBlazedb } = await import('./store-blazedb.ts')
  const system = await openBlazedb({ at, make: false })
  try {
    let added = 0
    let told: (mark: unknown) => void = () => undefined
    let first: () => void = () => undefined
    const complete = new Promise<void>((resolve) => (first = resolve))
    const feed = system.records.query().live((delta) => {
      added += delta.added.length
      if (added >= records) first()
      for (const { title } of delta.changed) told(title)
    })
    await complete
    const times: number[] = []
    for (const [at, n] of numbers.entries()) {
      const mark = `write ${at}`
      const seen = new Promise<number>((resolve) => {
        told = (title) => {
          if (title === mark) resolve(performance.now())
        }
      })
      const startMs = performance.now()
      const written = system.records.update(rowId(n), { title: mark })
      times.push((await seen) - startMs)
      await written
    }
    feed.close()
    return times
  } finally {
    await system.close()
  }
}

async function timePuts({ at, numbers }: LiveBody): Promise<number[]> {
  const { rawKey } = await import('./store-classic-level.ts')
  const { openRawStore, putOne } = await import('./raw-store.ts')
  const store = await openRawStore(at)
  try {
    const times: number[] = []
    for (const n of numbers) {
      const key = rawKey(n)
      const value = store.getSync(key)
      if (value === undefined) throw new Error(`classic-level has no row ${n}`)
      const startMs = performance.now()
      await putOne(store, { key, value })
      times.push(performance.now() - startMs)
    }
    return times
  } finally {
    await store.close()
  }
}

/**
 * Opens the stores of group `store` by their names.
 *
 * Invariant: only the code of the named system is loaded, so that a process has the memory of that one alone.
 */
import type { StorePlace, StoreSystem, SystemName } from './store-system.ts'

type Work<R> = <Item>(system: StoreSystem<Item>) => Promise<R>

/** Opens the store at a place, does the work, closes it. */
type Opener = <R>(place: StorePlace, work: Work<R>) => Promise<R>

export async function loadOpener(name: SystemName): Promise<Opener> {
  switch (name) {
    case 'blazedb': {
      const { openBlazedb } = await import('./store-blazedb.ts')
      return async (place, work) => using(await openBlazedb(place), work)
    }
    case 'raw classic-level': {
      const { openClassicLevel } = await import('./store-classic-level.ts')
      return async (place, work) => using(await openClassicLevel(place), work)
    }
    case 'better-sqlite3': {
      const { openSqlite } = await import('./store-sqlite.ts')
      return async (place, work) => using(await openSqlite(place), work)
    }
  }
}

export async function withStore<R>(name: SystemName, place: StorePlace, work: Work<R>): Promise<R> {
  const open = await loadOpener(name)
  return open(place, work)
}

async function using<Item, R>(
  system: StoreSystem<Item>,
  work: (system: StoreSystem<Item>) => Promise<R>,
): Promise<R> {
  try {
    return await work(system)
  } finally {
    await system.close()
  }
}

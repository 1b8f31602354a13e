/**
 * Whole directories of a simulated node, copied, put back, wiped and damaged through its volume while nothing has them open.
 * Invariant: a put back or a wipe that loses its power half way is done again before the node starts, as a person would.
 */
import type { StoreOperation, Volume } from '../../../actors/index.ts'

type Rows = readonly (readonly [Uint8Array, Uint8Array])[]

/** As it lay on the disk at one moment. */
export interface DirectoryCopy {
  readonly stores: ReadonlyMap<string, Rows>
  readonly files: ReadonlyMap<string, Uint8Array>
}

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255), limit: 1_000_000 }
/** First byte of the key of a store's format row: another value there is another version, not damage. */
const formatKey = 0x66

/** A directory of a volume, as a volume. */
export function volumeAt(volume: Volume, directory: string): Volume {
  const inside = (name: string): string => (name === '' ? directory : `${directory}/${name}`)
  return {
    at: `${volume.at}/${directory}`,
    readFile: (name) => volume.readFile(inside(name)),
    writeFile: (name, bytes) => volume.writeFile(inside(name), bytes),
    private: () => volume.private(),
    createFile: (name, bytes) => volume.createFile(inside(name), bytes),
    readPrivate: (name) => volume.readPrivate(inside(name)),
    openStore: (name) => volume.openStore(inside(name)),
    list: (name) => volume.list(inside(name)),
    remove: (name) => volume.remove(inside(name)),
  }
}

export async function copyDirectory(volume: Volume, under = ''): Promise<DirectoryCopy> {
  const stores = new Map<string, Rows>()
  const files = new Map<string, Uint8Array>()
  for (const path of await leaves(volume, under)) {
    const bytes = await volume.readFile(path)
    if (bytes === undefined) stores.set(path, await rowsOf(volume, path))
    else files.set(path, bytes)
  }
  return { stores, files }
}

export async function putBack(volume: Volume, copy: DirectoryCopy): Promise<void> {
  for (const [path, rows] of copy.stores)
    await change(volume, path, (now) => [
      ...now.map(([key]): StoreOperation => ({ type: 'del', key })),
      ...rows.map(([key, value]): StoreOperation => ({ type: 'put', key, value })),
    ])
  for (const [path, bytes] of copy.files) await volume.writeFile(path, bytes)
}

export async function wipe(volume: Volume, under: string): Promise<void> {
  for (const name of await volume.list(under)) await volume.remove(under === '' ? name : `${under}/${name}`)
}

/** One row lost and one bit flipped in each store, by chance. */
export async function damage(volume: Volume, under: string, random: () => number): Promise<void> {
  for (const path of await leaves(volume, under)) {
    if ((await volume.readFile(path)) !== undefined) continue
    await change(volume, path, (rows) => {
      const operations: StoreOperation[] = []
      for (const kind of ['lost', 'flipped']) {
        const [key, value] = rows[Math.floor(random() * rows.length)] ?? []
        if (key === undefined || value === undefined || value.length === 0 || key[0] === formatKey) continue
        const flipped = value.slice()
        const at = Math.floor(random() * value.length)
        flipped[at] = (flipped[at] ?? 0) ^ 4
        operations.push(kind === 'lost' ? { type: 'del', key } : { type: 'put', key, value: flipped })
      }
      return operations
    })
  }
}

/** Paths of files and stores. */
async function leaves(volume: Volume, under: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await volume.list(under)) {
    const path = under === '' ? name : `${under}/${name}`
    const inside = await leaves(volume, path)
    found.push(...(inside.length === 0 ? [path] : inside))
  }
  return found
}

async function rowsOf(volume: Volume, path: string): Promise<Rows> {
  const store = await volume.openStore(path)
  try {
    return await store.range(everything)
  } finally {
    await store.close()
  }
}

async function change(
  volume: Volume,
  path: string,
  make: (rows: Rows) => readonly StoreOperation[],
): Promise<void> {
  const store = await volume.openStore(path)
  try {
    const operations = make(await store.range(everything))
    if (operations.length > 0) await store.batch(operations, { sync: true })
  } finally {
    await store.close()
  }
}

/**
 * A volume in memory that survives its handles, can lose its power, and lets a spec look at and damage what it holds.
 * Invariant: after `crash()` no old handle works, and the volume can be opened again at once.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { SimulatedRows, SimulatedStore } from './simulated-store.ts'
import type { StoreOperation, StoreReader } from '../store.ts'
import { checkVolumeName } from './volume-name.ts'
import type { Volume } from '../volume.ts'

export interface SimulatedVolume extends Volume {
  /** Power cut: what was not synced is lost or, by chance, there; every open handle fails. */
  crash(): void
  /** The next batch of every open store fails and poisons its handle. */
  failNextBatch(): void
  /** Rows of a store as they lie on the disk. */
  rows(store: string): StoreReader
  /** Changes rows behind the back of whoever has the store open. */
  damage(store: string, operations: readonly StoreOperation[]): void
}

/** `env` must outlive the node that uses the volume. */
export function createSimulatedVolume(
  env: Env,
  options: { readonly latencyMsMax?: number } = {},
): SimulatedVolume {
  const latencyMsMax = options.latencyMsMax ?? 2
  const files = new Map<string, Uint8Array>()
  const stores = new Map<string, SimulatedRows>()
  const open = new Map<string, SimulatedStore>()
  let power = 0

  const rowsOf = (name: string): SimulatedRows => {
    const rows = stores.get(name) ?? new SimulatedRows()
    stores.set(name, rows)
    return rows
  }
  const within = (name: string, directory: string): boolean =>
    directory === '' || name.startsWith(`${directory}/`)

  /** The time that a file takes to be on the disk. */
  const written = async (): Promise<void> => {
    const before = power
    await new Promise<void>((resolve) => {
      env.after(env.random() * latencyMsMax, resolve)
    })
    if (power !== before) throw new BlazeError('POISONED', 'the simulated disk lost its power')
  }
  const readFile = async (name: string): Promise<Uint8Array | undefined> =>
    files.get(checkVolumeName(name))?.slice()

  return {
    at: 'simulated:',
    readFile,
    async writeFile(name, bytes) {
      checkVolumeName(name)
      const copy = bytes.slice()
      await written()
      files.set(name, copy)
    },
    // Nobody else uses a simulated machine.
    private: async () => {},
    async createFile(name, bytes) {
      checkVolumeName(name)
      const copy = bytes.slice()
      await written()
      if (files.has(name)) return false
      files.set(name, copy)
      return true
    },
    readPrivate: readFile,
    async openStore(name) {
      checkVolumeName(name)
      if (open.has(name)) {
        throw new BlazeError('ALREADY_OPEN', `${name} is already open`, {
          details: { at: name, pid: process.pid },
        })
      }
      const store = new SimulatedStore(rowsOf(name), env, latencyMsMax, () => {
        if (open.get(name) === store) open.delete(name)
      })
      open.set(name, store)
      return store
    },
    async list(name) {
      const directory = checkVolumeName(name, 'root')
      const skip = directory === '' ? 0 : directory.length + 1
      const names = [...files.keys(), ...stores.keys()].filter((known) => within(known, directory))
      return [...new Set(names.map((known) => known.slice(skip).split('/')[0] ?? ''))].sort()
    },
    async remove(name) {
      checkVolumeName(name)
      for (const map of [files, stores]) {
        for (const known of map.keys()) if (known === name || within(known, name)) map.delete(known)
      }
    },
    crash() {
      power += 1
      for (const store of open.values()) store.crash()
      open.clear()
    },
    failNextBatch() {
      for (const store of open.values()) store.failBatches(1)
    },
    rows: rowsOf,
    damage: (store, operations) => rowsOf(store).apply(operations),
  }
}

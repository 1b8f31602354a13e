/**
 * A volume in memory that survives its handles, can lose its power, and lets a spec look at and damage what it holds.
 * Invariant: after `crash()` no old handle works, and the volume can be opened again at once.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { SimulatedRows } from './simulated-rows.ts'
import { SimulatedStore } from './simulated-store.ts'
import type { SimulatedDisk } from './simulated-store.ts'
import type { StoreOperation, StoreReader } from '../store.ts'
import { checkVolumeName } from './volume-name.ts'
import type { Volume } from '../volume.ts'

export interface SimulatedVolume extends Volume {
  /**
   * Power cut: what was not synced is lost or, by chance, there; every open handle fails. `torn`: a batch that was on its way may be
   * there in part, which only broken hardware does.
   */
  crash(options?: { readonly torn?: boolean }): void
  /** The next batch of every open store fails and poisons its handle; `false` takes that back. */
  failNextBatch(fails?: boolean): void
  /** While full, what adds a row poisons its handle, stores do not open (`POISONED`), and files are `DISK_FULL`. */
  setFull(full: boolean): void
  /** While low, replicas refuse what needs room, `DISK_FULL`; nothing fails. */
  setLow(low: boolean): void
  /** Longest virtual ms of a batch or a file from now on; a batch takes anything up to it. */
  setLatency(msMax: number): void
  /** Broken hardware: loses a row, or flips a bit of a value, by chance. Undefined: there was none that it could. */
  damageRow(kind: 'lost' | 'flipped'): DamagedRow | undefined
  /** Rows of a store as they lie on the disk. */
  rows(store: string): StoreReader
  /** Changes rows behind the back of whoever has the store open. */
  damage(store: string, operations: readonly StoreOperation[]): void
}

export interface DamagedRow {
  readonly store: string
  readonly key: Uint8Array
}

export interface SimulatedVolumeOptions {
  /** As `setLatency` has it; default 2. */
  readonly latencyMsMax?: number
  /** Called for each batch that readers see from now on. */
  readonly applied?: (store: string, operations: readonly StoreOperation[], sync: boolean) => void
}

/** `env` must outlive the node that uses the volume. */
export function createSimulatedVolume(env: Env, options: SimulatedVolumeOptions = {}): SimulatedVolume {
  const disk: SimulatedDisk = { latencyMsMax: options.latencyMsMax ?? 2, full: false, low: false }
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
      env.after(env.random() * disk.latencyMsMax, resolve)
    })
    if (power !== before) throw new BlazeError('POISONED', 'the simulated disk lost its power')
    if (disk.full) throw new BlazeError('DISK_FULL', 'the simulated disk is full')
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
      if (disk.full)
        throw new BlazeError('POISONED', `the store ${name} cannot be opened: the simulated disk is full`)
      const store = new SimulatedStore({
        rows: rowsOf(name),
        env,
        disk,
        applied: (operations, sync) => options.applied?.(name, operations, sync),
        onClose: () => {
          if (open.get(name) === store) open.delete(name)
        },
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
    crash({ torn = false } = {}) {
      power += 1
      for (const store of open.values()) store.crash(torn)
      open.clear()
    },
    failNextBatch(fails = true) {
      for (const store of open.values()) store.failBatches(fails ? 1 : 0)
    },
    setFull(full) {
      disk.full = full
    },
    setLow(low) {
      disk.low = low
    },
    setLatency(msMax) {
      disk.latencyMsMax = msMax
    },
    damageRow(kind) {
      const sizes = [...stores.values()].reduce((sum, { size }) => sum + size, 0)
      let at = Math.floor(env.random() * sizes)
      for (const [store, rows] of stores) {
        const row = rows.at(at)
        at -= rows.size
        if (row === undefined) continue
        const [key, value] = row
        if (kind === 'lost') rows.apply([{ type: 'del', key }])
        else if (value.length === 0) return undefined
        else {
          const bit = Math.floor(env.random() * value.length * 8)
          value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          rows.apply([{ type: 'put', key, value }])
        }
        return { store, key }
      }
      return undefined
    },
    rows: rowsOf,
    damage: (store, operations) => rowsOf(store).apply(operations),
  }
}

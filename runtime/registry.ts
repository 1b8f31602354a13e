/** Names of cells in one system. A name belongs to a cell, not to one of its lives: restarts keep it, the final end frees it. */
import type { Ref } from './behaviour.ts'
import { BlazeError } from './errors.ts'
import { limits } from './limits.ts'

/** A name with the type of the messages that its cell takes; two keys of one name are the same name. */
export interface RegistryKey<M> {
  readonly name: string
  /** Never there: it carries the type. */
  readonly takes?: (message: M) => void
}

/** Throws `TypeError` for a name that is empty or too long. */
export function registryKey<M>(name: string): RegistryKey<M> {
  checkName('registryKey', name)
  return { name }
}

export interface Registry {
  /** Throws `NAME_TAKEN` while another cell has the name, `CELL_DOWN` for a cell that has ended, `OVERLOADED`, `TypeError`. Idempotent. */
  register<M>(key: RegistryKey<M>, ref: Ref<M>): void
  lookup<M>(key: RegistryKey<M>): Ref<M> | undefined
  /** False: the name is not this cell's. */
  unregister<M>(key: RegistryKey<M>, ref: Ref<M>): boolean
  /** In the order of their registration. */
  names(): string[]
}

export class NameTable implements Registry {
  readonly #isCell: (ref: unknown) => boolean
  readonly #refsByName = new Map<string, Ref<never>>()
  readonly #namesByRef = new Map<Ref<never>, Set<string>>()

  /** `isCell`: whether something is a cell of this system. */
  constructor(isCell: (ref: unknown) => boolean) {
    this.#isCell = isCell
  }

  register<M>(key: RegistryKey<M>, ref: Ref<M>): void {
    const { name } = key
    checkName('register', name)
    if (!this.#isCell(ref)) throw new TypeError('register: ref: expected the ref of a cell of this system')
    const holder = this.#refsByName.get(name)
    if (holder === ref) return
    if (holder !== undefined)
      throw new BlazeError('NAME_TAKEN', `the name ${name} belongs to ${holder.path}`, { details: { name } })
    if (!ref.alive) throw new BlazeError('CELL_DOWN', `${ref.path} is down and takes no name`)
    if (this.#refsByName.size >= limits.registryNamesMax)
      throw new BlazeError('OVERLOADED', `a system has at most ${limits.registryNamesMax} names`)
    this.#refsByName.set(name, ref)
    const names = this.#namesByRef.get(ref) ?? new Set()
    this.#namesByRef.set(ref, names.add(name))
  }

  lookup<M>(key: RegistryKey<M>): Ref<M> | undefined {
    // The key is the brand: who made it says what its cell takes.
    return this.#refsByName.get(key.name) as Ref<M> | undefined
  }

  unregister<M>(key: RegistryKey<M>, ref: Ref<M>): boolean {
    if (this.#refsByName.get(key.name) !== ref) return false
    this.#refsByName.delete(key.name)
    const names = this.#namesByRef.get(ref)
    names?.delete(key.name)
    if (names?.size === 0) this.#namesByRef.delete(ref)
    return true
  }

  names(): string[] {
    return [...this.#refsByName.keys()]
  }

  /** The cell has ended for good. */
  forget(ref: Ref<never>): void {
    for (const name of this.#namesByRef.get(ref) ?? []) this.#refsByName.delete(name)
    this.#namesByRef.delete(ref)
  }
}

/** Throws `TypeError`. */
export function checkName(caller: string, name: unknown): void {
  if (typeof name !== 'string' || name === '' || name.length > limits.cellNameCharsMax)
    throw new TypeError(
      `${caller}: name: expected 1 to ${limits.cellNameCharsMax} characters, got ${String(name)}`,
    )
}

/** Groups of cells in one system (Erlang's pg). Membership belongs to a cell, not to one of its lives; its final end ends it. */
import type { Ref } from './behaviour.ts'
import { BlazeError } from './errors.ts'
import { limits } from './limits.ts'
import { checkName } from './registry.ts'

/** A group with the type of the messages that its members take; two keys of one name are the same group. */
export interface GroupKey<M> {
  readonly name: string
  /** Never there: it carries the type. */
  readonly takes?: (message: M) => void
}

/** Throws `TypeError` for a name that is empty or too long. */
export function groupKey<M>(name: string): GroupKey<M> {
  checkName('groupKey', name)
  return { name }
}

/** How many members answered what. */
export interface BroadcastResult {
  readonly ok: number
  readonly full: number
  readonly dead: number
}

export interface Groups {
  /** In the order in which they joined. */
  members<M>(key: GroupKey<M>): Ref<M>[]
  /** Tells every member the same message. */
  broadcast<M>(key: GroupKey<M>, message: M): BroadcastResult
  /** Of groups that have members. */
  names(): string[]
}

export class GroupTable implements Groups {
  readonly #membersByName = new Map<string, Set<Ref<never>>>()
  readonly #namesByMember = new Map<Ref<never>, Set<string>>()

  /** Throws `OVERLOADED`. Idempotent. */
  join<M>(key: GroupKey<M>, ref: Ref<M>): void {
    const members = this.#membersByName.get(key.name) ?? new Set()
    if (members.has(ref)) return
    if (members.size >= limits.groupMembersMax)
      throw new BlazeError(
        'OVERLOADED',
        `the group ${key.name} has ${limits.groupMembersMax} members already`,
      )
    if (members.size === 0 && this.#membersByName.size >= limits.groupsMax)
      throw new BlazeError('OVERLOADED', `a system has at most ${limits.groupsMax} groups`)
    this.#membersByName.set(key.name, members.add(ref))
    const names = this.#namesByMember.get(ref) ?? new Set()
    this.#namesByMember.set(ref, names.add(key.name))
  }

  leave<M>(key: GroupKey<M>, ref: Ref<M>): void {
    this.#remove(key.name, ref)
    const names = this.#namesByMember.get(ref)
    names?.delete(key.name)
    if (names?.size === 0) this.#namesByMember.delete(ref)
  }

  members<M>(key: GroupKey<M>): Ref<M>[] {
    // The key is the brand: who made it says what its members take.
    return [...(this.#membersByName.get(key.name) ?? [])] as Ref<M>[]
  }

  broadcast<M>(key: GroupKey<M>, message: M): BroadcastResult {
    const count = { ok: 0, full: 0, dead: 0 }
    for (const member of this.members(key)) count[member.tell(message)]++
    return count
  }

  names(): string[] {
    return [...this.#membersByName.keys()]
  }

  /** The cell has ended for good. */
  forget(ref: Ref<never>): void {
    for (const name of this.#namesByMember.get(ref) ?? []) this.#remove(name, ref)
    this.#namesByMember.delete(ref)
  }

  #remove(name: string, ref: Ref<never>): void {
    const members = this.#membersByName.get(name)
    if (members?.delete(ref) === true && members.size === 0) this.#membersByName.delete(name)
  }
}

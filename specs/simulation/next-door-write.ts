/** What is written in a campaign, by chance. Invariant: every text says where it belongs, and no two are alike. */
import { COLLECTIONS, FIELDS, type NextDoorChance } from './next-door-chance.ts'
import { markerOf, type Looked, type NextDoorOracle } from './next-door-oracle.ts'
import { fieldVisible } from './next-door-policy.ts'

/** Of each collection, for everybody to write. */
export const IDS = 5

const STEPS = ['delete', 'insert', 'insert', 'put', 'restore', 'update', 'update', 'update'] as const

export interface PlannedWrite {
  readonly step: (typeof STEPS)[number]
  /** `collection/id`. */
  readonly key: string
  readonly doc: Record<string, string | number>
}

export class NextDoorWrites {
  readonly #chance: NextDoorChance
  readonly #oracle: NextDoorOracle
  #count = 0

  constructor(chance: NextDoorChance, oracle: NextDoorOracle) {
    this.#chance = chance
    this.#oracle = oracle
  }

  /** Of the host when there is no guest. */
  plan(guest: Looked | undefined): PlannedWrite {
    const step = this.#chance.pick(STEPS)
    const key = this.#keyFor(guest, step)
    return { step, key, doc: step === 'delete' ? {} : this.doc(key, guest !== undefined) }
  }

  /** A guest mostly keeps to the fields that it sees. */
  doc(key: string, asGuest: boolean): Record<string, string | number> {
    const doc: Record<string, string | number> = {}
    const chance = this.#chance
    const careful = asGuest && chance.flip(0.9)
    const open = (field: string): boolean => !careful || fieldVisible(this.#oracle.policy, field)
    for (const field of FIELDS) {
      if (!open(field) || chance.flip(0.4)) continue
      this.#count += 1
      doc[field] = markerOf(field, key, this.#count)
    }
    if (open('level') && chance.flip(0.7)) doc['level'] = chance.level()
    return doc
  }

  /** What the writer sees, or anything, or what it alone ever inserts. */
  #keyFor(guest: Looked | undefined, step: PlannedWrite['step']): string {
    const chance = this.#chance
    if (guest !== undefined && step === 'insert' && chance.flip(0.6)) {
      this.#count += 1
      const key = `${chance.pick(COLLECTIONS)}/${guest.name}-${this.#count}`
      this.#oracle.born(key, guest.app)
      return key
    }
    const known = guest !== undefined && chance.flip(0.6) ? [...guest.shown.keys()] : []
    if (known.length > 0) return chance.pick(known)
    return `${chance.pick(COLLECTIONS)}/r${chance.below(IDS)}`
  }
}

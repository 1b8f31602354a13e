/** What a campaign decides by chance: policies, filters, grants. Invariant: everything comes from one stream of numbers. */
import type { Mode, OracleFilter, OraclePolicy } from './next-door-policy.ts'

export const COLLECTIONS: readonly string[] = ['bugs', 'people', 'notes']
/** Those that hold text. */
export const FIELDS: readonly string[] = ['title', 'note', 'who']
/** Values of the field `level`, which filters look at. */
const LEVELS = 4

export class NextDoorChance {
  /** In [0, 1). */
  readonly next: () => number

  constructor(next: () => number) {
    this.next = next
  }

  flip(share: number): boolean {
    return this.next() < share
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)]
    if (picked === undefined) throw new Error('nothing to pick from')
    return picked
  }

  some(names: readonly string[], share: number): string[] {
    return names.filter(() => this.flip(share))
  }

  level(): number {
    return this.below(LEVELS)
  }

  policy(): OraclePolicy {
    const collections = this.some(COLLECTIONS, 0.75)
    const filter: Record<string, OracleFilter> = {}
    for (const name of collections) if (this.flip(0.6)) filter[name] = this.#filter()
    const fields = [...FIELDS, 'level']
    return {
      collections: collections.length === 0 ? [this.pick(COLLECTIONS)] : collections,
      ...(this.flip(0.3) ? { include: this.some(fields, 0.6) } : {}),
      ...(this.flip(0.5) ? { exclude: this.some(fields, 0.3) } : {}),
      filter,
      readOnly: this.flip(0.12),
    }
  }

  grants(apps: readonly string[]): Record<string, Mode> {
    const granted = this.some(apps, 0.85)
    return Object.fromEntries(granted.map((app) => [app, this.flip(0.2) ? 'readOnly' : 'readWrite']))
  }

  #filter(): OracleFilter {
    const condition = (): OracleFilter => ({
      field: 'level',
      op: this.pick(['=', '!=', '>='] as const),
      value: this.level(),
    })
    const kind = this.next()
    if (kind < 0.5) return condition()
    if (kind < 0.65) return { not: condition() }
    return kind < 0.85 ? { or: [condition(), condition()] } : { and: [condition(), { not: condition() }] }
  }
}

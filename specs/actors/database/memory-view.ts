/** A named fake: records in memory with indexes as sorted arrays, made anew for every walk's step, for specs of queries. */
import { encodeIndexId, encodeIndexKey } from '../../../actors/database/index/index-key.ts'
import type { RecordState, RecordView } from '../../../actors/database/index.ts'
import type { AccessPath, IndexDefinition, RecordWalk } from '../../../actors/database/view/record-view.ts'
import { valueAt } from '../../../actors/database/query/condition.ts'
import { walkCollection } from '../../../actors/database/index.ts'

interface Entry {
  readonly key: string
  readonly id: string
}

export class MemoryView implements RecordView {
  readonly #states = new Map<string, RecordState>()
  readonly #indexes: readonly IndexDefinition[]
  /** Steps answer later. */
  readonly #slow: boolean
  /** Ids that walks came by or that were peeked at. */
  readonly looked: string[] = []
  /** Paths that were walked. */
  readonly walked: AccessPath[] = []
  waiting: Promise<void> | undefined
  /** Called before each step. */
  onStep: (() => void) | undefined

  constructor(indexes: readonly IndexDefinition[] = [], slow = false) {
    this.#indexes = indexes
    this.#slow = slow
  }

  set(state: RecordState): void {
    this.#states.set(`${state.collection}\n${state.id}`, state)
  }

  read(collection: string, id: string): RecordState | undefined {
    return this.#states.get(`${collection}\n${id}`)
  }

  peek(collection: string, id: string): RecordState | undefined {
    this.looked.push(id)
    return this.read(collection, id)
  }

  indexes(collection: string): readonly IndexDefinition[] {
    return this.#indexes.filter((index) => index.collection === collection)
  }

  hasCutKeys(index: IndexDefinition): boolean {
    return this.#alive(index.collection).some((state) => this.#key(index, state).cut)
  }

  count(collection: string): number {
    return this.#alive(collection).length
  }

  ready(): Promise<void> | undefined {
    return this.waiting
  }

  walk(collection: string, path: AccessPath): RecordWalk {
    this.walked.push(path)
    const walk =
      path.kind === 'index'
        ? this.#walkIndex(path)
        : walkCollection(
            this.#alive(collection).map(({ id }) => id),
            path,
            (id) => this.peek(collection, id),
          )
    return {
      next: (limit) => {
        this.onStep?.()
        return this.#slow ? Promise.resolve(walk.next(limit)) : walk.next(limit)
      },
      close: () => walk.close(),
    }
  }

  /** Looks for what comes next among the entries of that moment, as an index on disk does. */
  #walkIndex(path: Extract<AccessPath, { kind: 'index' }>): RecordWalk {
    const { index, gte, lt, reverse } = path
    let last: string | undefined
    const isNext = (key: string): boolean =>
      key >= gte &&
      (lt === undefined || key < lt) &&
      (last === undefined || (reverse ? key < last : key > last))
    return {
      next: (limit) => {
        const entries = this.#entries(index).filter(({ key }) => isNext(key))
        if (reverse) entries.reverse()
        const step = entries.slice(0, limit)
        last = step.at(-1)?.key ?? last
        return step.flatMap(({ id }) => this.peek(index.collection, id) ?? [])
      },
      close: () => undefined,
    }
  }

  #entries(index: IndexDefinition): Entry[] {
    return this.#alive(index.collection)
      .map((state) => ({ key: this.#key(index, state).key + encodeIndexId(state.id), id: state.id }))
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  }

  #key({ fields }: IndexDefinition, state: RecordState): { key: string; cut: boolean } {
    return encodeIndexKey(fields.map((field) => valueAt(state, field.split('.'))))
  }

  #alive(collection: string): RecordState[] {
    return [...this.#states.values()].filter(
      (state) => state.collection === collection && state.deleted === undefined,
    )
  }
}

export function indexOn(...fields: string[]): IndexDefinition {
  return { name: fields.join(','), collection: 'c', fields, unique: false }
}

const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

export function recordOf(id: string, values: Record<string, unknown>, collection = 'c'): RecordState {
  const fields = Object.entries(values).map(
    ([name, value]) => [name, { value: value as never, stamp }] as const,
  )
  return { collection, id, home: null, life: 1, deleted: undefined, fields: new Map(fields) }
}

export function goneOf(id: string): RecordState {
  return { ...recordOf(id, {}), deleted: stamp }
}

/**
 * Walks along records whose ids are all in memory.
 * Invariant: the ids are those of the beginning, each is met once; what is told of a record is how it is shown when the walk comes by.
 */
import { assert } from '../../../runtime/index.ts'
import type { RecordState } from '../record/record.ts'
import type { AccessPath, RecordWalk } from './record-view.ts'

/** `peek` is asked in the moment of a step. There are no indexes. */
export function walkCollection(
  ids: Iterable<string>,
  path: AccessPath,
  peek: (id: string) => RecordState | undefined,
): RecordWalk {
  switch (path.kind) {
    case 'ids':
      return new IdWalk(path.ids[Symbol.iterator](), peek)
    case 'store':
      return new IdWalk([...ids][Symbol.iterator](), peek)
    case 'records':
      return new IdWalk(inOrder(ids, path), peek)
    case 'index':
      assert(false, 'a view without indexes is not asked to walk one')
  }
}

class IdWalk implements RecordWalk {
  readonly #ids: Iterator<string>
  readonly #peek: (id: string) => RecordState | undefined

  constructor(ids: Iterator<string>, peek: (id: string) => RecordState | undefined) {
    this.#ids = ids
    this.#peek = peek
  }

  next(limit: number): RecordState[] {
    const states: RecordState[] = []
    while (states.length < limit) {
      const { done, value } = this.#ids.next()
      if (done === true) break
      const state = this.#peek(value)
      if (state !== undefined && state.deleted === undefined) states.push(state)
    }
    return states
  }

  close(): void {
    this.#ids.return?.()
  }
}

type RecordsPath = Extract<AccessPath, { kind: 'records' }>

/** A heap, so that whoever stops early does not pay for the order of all. */
function* inOrder(ids: Iterable<string>, { after, prefix = '', reverse }: RecordsPath): Generator<string> {
  const isFirst = reverse ? (a: string, b: string) => a > b : (a: string, b: string) => a < b
  const heap: string[] = []
  for (const id of ids) {
    if (id.startsWith(prefix) && (after === undefined || isFirst(after, id))) heap.push(id)
  }
  for (let at = heap.length >> 1; at >= 0; at -= 1) sink(heap, at, isFirst)
  for (;;) {
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined) return
    if (heap.length > 0) {
      heap[0] = last
      sink(heap, 0, isFirst)
    }
    yield first
  }
}

function sink(heap: string[], from: number, isFirst: (a: string, b: string) => boolean): void {
  const item = heap[from]
  if (item === undefined) return
  let at = from
  for (;;) {
    let child = at * 2 + 1
    const left = heap[child]
    if (left === undefined) break
    const right = heap[child + 1]
    if (right !== undefined && isFirst(right, left)) child += 1
    const next = heap[child] as string
    if (!isFirst(next, item)) break
    heap[at] = next
    at = child
  }
  heap[at] = item
}

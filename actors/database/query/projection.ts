/** What a query returns of a record. Invariant: copies; the id is always there, and a path that a record lacks leaves nothing behind. */
import { cloneValue, setOwn } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { docOf, shownField } from '../record/document.ts'
import type { Doc } from '../record/document.ts'
import type { RecordState } from '../record/record.ts'
import { isMap } from './condition.ts'

export type Projection = (state: RecordState) => Doc

/** Null takes the value whole. */
type Branch = Map<string, Branch | null>

/** Whole records without paths. */
export function compileProjection(select: readonly string[] | undefined): Projection {
  if (select === undefined) return docOf
  const root: Branch = new Map()
  for (const path of select) if (path !== 'id') grow(root, path.split('.'))
  return (state) => {
    const doc: Doc = { id: state.id }
    for (const [name, branch] of root) {
      const field = state.fields.get(name)
      if (field === undefined) continue
      const value = branch === null ? shownField(field) : pick(field.value, branch)
      if (value !== undefined) setOwn(doc, name, value)
    }
    return doc
  }
}

function grow(branch: Branch, [name, ...rest]: readonly string[]): void {
  if (name === undefined) return
  const known = branch.get(name)
  if (known === null) return
  if (rest.length === 0) {
    branch.set(name, null)
    return
  }
  const next: Branch = known ?? new Map()
  branch.set(name, next)
  grow(next, rest)
}

function pick(value: Value | undefined, branch: Branch | null): Value | undefined {
  if (value === undefined) return undefined
  if (branch === null) return cloneValue(value)
  if (!isMap(value)) return undefined
  let picked: { [name: string]: Value } | undefined
  for (const [name, next] of branch) {
    const item = Object.hasOwn(value, name) ? pick(value[name], next) : undefined
    if (item === undefined) continue
    picked ??= {}
    setOwn(picked, name, item)
  }
  return picked
}

/**
 * The one order of a membership log that every replica computes, REPLICATION rule 27.
 * Invariant: a function of the set alone; the order of arrival does not matter.
 */

export interface OrderedNode {
  /** Hash of the entry, hexadecimal. */
  readonly id: string
  /** Ids of the parents; one outside the set is taken as already placed. */
  readonly parents: readonly string[]
  readonly removal: boolean
}

/** Parents before children; among those that could be next, removals first, then the lower hash. */
export function orderNodes<N extends OrderedNode>(nodes: readonly N[]): N[] {
  const waitsFor = new Map<string, number>()
  const children = new Map<string, N[]>()
  for (const node of nodes) waitsFor.set(node.id, 0)
  for (const node of nodes) {
    for (const parent of node.parents) {
      if (!waitsFor.has(parent)) continue
      waitsFor.set(node.id, (waitsFor.get(node.id) ?? 0) + 1)
      const known = children.get(parent)
      if (known === undefined) children.set(parent, [node])
      else known.push(node)
    }
  }
  // Last comes first: taking from the end of an array is free.
  const ready = nodes.filter((node) => waitsFor.get(node.id) === 0).sort((a, b) => comesBefore(b, a))
  const placed: N[] = []
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    placed.push(node)
    for (const child of children.get(node.id) ?? []) {
      const left = (waitsFor.get(child.id) ?? 0) - 1
      waitsFor.set(child.id, left)
      if (left === 0) insertSorted(ready, child)
    }
  }
  return placed
}

/** Negative when `a` is placed before `b`, were both possible. */
function comesBefore(a: OrderedNode, b: OrderedNode): number {
  if (a.removal !== b.removal) return a.removal ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function insertSorted<N extends OrderedNode>(ready: N[], node: N): void {
  let low = 0
  let high = ready.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = ready[middle]
    if (other !== undefined && comesBefore(node, other) < 0) low = middle + 1
    else high = middle
  }
  ready.splice(low, 0, node)
}

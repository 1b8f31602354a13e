/** The order of the membership log: REPLICATION rule 27. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { orderNodes } from '../../../actors/team/order.ts'
import type { OrderedNode } from '../../../actors/team/order.ts'

const node = (id: string, parents: string[] = [], removal = false): OrderedNode => ({ id, parents, removal })
const ids = (nodes: readonly OrderedNode[]): string => nodes.map(({ id }) => id).join('')

test('parents come before children, whatever their hashes', () => {
  assert.is(ids(orderNodes([node('a', ['b']), node('b', ['c']), node('c')])), 'cba')
})

test('of concurrent entries the lower hash comes first', () => {
  assert.is(ids(orderNodes([node('r'), node('d', ['r']), node('b', ['r']), node('c', ['r'])])), 'rbcd')
})

test('of concurrent entries a removal comes first', () => {
  const nodes = [node('r'), node('a', ['r']), node('z', ['r'], true), node('y', ['r'], true)]

  assert.is(ids(orderNodes(nodes)), 'ryza')
})

test('an entry that becomes possible takes its place among those that wait', () => {
  assert.is(ids(orderNodes([node('r'), node('e', ['r']), node('c', ['r']), node('d', ['c'])])), 'rcde')
})

test('a parent outside the set is taken as placed', () => {
  assert.is(ids(orderNodes([node('b', ['x']), node('a', ['b', 'y'])])), 'ba')
})

test('the order is topological and the same for every order of arrival', () => {
  const graphs = fc
    .array(
      fc.record({ parents: fc.array(fc.nat(), { maxLength: 3 }), removal: fc.boolean(), salt: fc.nat(999) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    )
    .map((rows) => {
      const names = rows.map(({ salt }, i) => `${String(salt).padStart(3, '0')}-${i}`)
      return rows.map(({ parents, removal }, i) => {
        const known = parents.flatMap((p) => (i === 0 ? [] : [names[p % i] ?? '']))
        return node(names[i] ?? '', [...new Set(known)], removal)
      })
    })
  const shuffled = graphs.chain((graph) =>
    fc.tuple(fc.constant(graph), fc.shuffledSubarray(graph, { minLength: graph.length })),
  )
  const check = fc.property(shuffled, ([graph, other]) => {
    const placed = orderNodes(graph)

    assert.equal(orderNodes(other), placed)
    assert.is(placed.length, graph.length)
    const seen = new Set<string>()
    for (const { id, parents } of placed) {
      assert.ok(parents.every((parent) => seen.has(parent)))
      seen.add(id)
    }
  })
  fc.assert(check, { numRuns: 300 })
})

test.run()

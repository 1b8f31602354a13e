/**
 * Three counters in a simulated world, and what must hold there.
 *
 * Invariant: what the world knows it learnt from answers of the nodes alone.
 */
// In your own project: from 'blazedb/testing'.
import type { MakeWorld } from '../../actors/testing.ts'
import { startCounterNode } from './counter-node.ts'
import type { CounterNode, CounterOptions } from './counter-node.ts'

const names = ['a', 'b', 'c']

export function counterWorld(options: CounterOptions = {}): MakeWorld<CounterNode> {
  return ({ random }) => {
    let asked = 0
    let acknowledged = 0
    return {
      nodes: names,
      start: ({ name, system, transport, volume, exit }) =>
        startCounterNode(
          {
            name,
            system,
            transport,
            volume,
            endpointOf: (host) => ({ transport: 'memory', host, port: 1 }),
            fail: exit,
          },
          names.filter((other) => other !== name),
          options,
        ),
      async step(nodes) {
        const node = [...nodes.values()][Math.floor(random() * nodes.size)]
        asked += 1
        await node?.add()
        acknowledged += 1
      },
      check(nodes) {
        for (const [name, node] of nodes)
          if (total(node) > asked) throw new Error(`${name} counts ${total(node)} of ${asked}`)
      },
      quiescent: (nodes) => new Set([...nodes.values()].map(shown)).size === 1,
      finish(nodes) {
        for (const [name, node] of nodes)
          if (total(node) < acknowledged)
            throw new Error(`${name} counts ${total(node)}, but ${acknowledged} were acknowledged`)
      },
    }
  }
}

/** For `npm run simulate -- examples/three-nodes/world.ts`. */
export const world: MakeWorld<CounterNode> = counterWorld()

function total(node: CounterNode): number {
  return [...node.counts().values()].reduce((sum, count) => sum + count, 0)
}

/** Equal sums are not yet equal counts. */
function shown(node: CounterNode): string {
  return names.map((name) => node.counts().get(name) ?? 0).join()
}

/** What a simulation promises: one seed, one history; two phases; power cuts that end everything; bounds; errors that can be replayed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulate, SimulationFailure } from '../../../actors/testing.ts'
import type {
  MakeWorld,
  NodeWorld,
  SimulatedWorld,
  SimulateOptions,
  SimulationReport,
} from '../../../actors/testing.ts'
import type { OrderedStore } from '../../../actors/index.ts'
import { BlazeError, reducer } from '../../../runtime/index.ts'
import { symptomWorld } from './symptom-world.ts'

/** A world of nodes that do nothing but what is given. */
function world(parts: Partial<SimulatedWorld<NodeWorld>> = {}): MakeWorld<NodeWorld> {
  return () => ({ nodes: ['a', 'b'], start: (node) => node, quiescent: () => true, ...parts })
}

async function failureOf(
  makeWorld: MakeWorld<NodeWorld>,
  options: SimulateOptions = {},
): Promise<SimulationFailure> {
  try {
    await simulate(1, makeWorld, options)
  } catch (error) {
    if (error instanceof SimulationFailure) return error
    throw error
  }
  throw new Error('it did not fail')
}

const events = ({ history }: SimulationReport): string[] => history.map(({ event }) => event)

test('the same seed gives the same trace hash and history, another seed another', async () => {
  const run = (seed: number): Promise<SimulationReport> => simulate(seed, symptomWorld(new Set()))
  const hashes = new Set<string>()
  for (let seed = 1; seed <= 8; seed++) {
    const [first, second] = [await run(seed), await run(seed)]
    assert.equal(first, second)
    assert.ok(first.callbacks > 100, `${first.callbacks} callbacks`)
    hashes.add(first.traceHash)
  }

  assert.is(hashes.size, 8)
})

test('the trace hash tells runs apart that differ in one byte of a record, of a row, or of what the world traces', async () => {
  const run = async (byte: { record: number; row: number; traced: number }): Promise<string> => {
    const report = await simulate(
      3,
      ({ trace }) => ({
        nodes: ['a', 'b'],
        async start({ name, transport, volume }) {
          const endpoint = { transport: 'memory', host: 'a', port: 1 } as const
          trace(`${byte.traced}`)
          if (name === 'a')
            await transport.listen(endpoint, (link) => link.attach({ record() {}, drain() {}, closed() {} }))
          else {
            const link = await transport.dial(endpoint, { timeoutMs: 100 }).catch(() => undefined)
            link?.send(Uint8Array.of(1, byte.record))
          }
          const store = await volume.openStore('s')
          await store.batch([{ type: 'put', key: Uint8Array.of(1), value: Uint8Array.of(byte.row) }])
          return name
        },
        quiescent: () => true,
      }),
      { faults: [], steps: 1 },
    )
    return report.traceHash
  }
  const zero = { record: 0, row: 0, traced: 0 }

  const hashes = await Promise.all([
    run(zero),
    run(zero),
    run({ ...zero, record: 1 }),
    run({ ...zero, row: 1 }),
    run({ ...zero, traced: 1 }),
  ])

  assert.is(hashes[0], hashes[1])
  assert.is(new Set(hashes).size, 4)
})

test('after a power cut nothing of the boot runs on: no timer, no cell, no promise of a port', async () => {
  let zombies = 0
  let boots = 0
  const makeWorld = world({
    async start(node) {
      boots += 1
      const { env, system, transport, volume } = node
      let alive = true
      const beat = (): void => {
        if (!alive) zombies += 1
        env.after(3, beat)
      }
      beat()
      const store = await volume.openStore('s')
      const ref = system.spawn({
        name: 'echo',
        behaviour: reducer<null, number>({
          kind: 'echo',
          init: () => null,
          receive(state, n, ctx) {
            if (!alive) zombies += 1
            ctx.after(2, n + 1)
            return state
          },
        }),
      })
      ref.tell(0)
      const work = async (): Promise<void> => {
        for (let n = 0; ; n++) {
          // No batch fails but by the cut, and of that nobody may hear.
          await store
            .batch([{ type: 'put', key: Uint8Array.of(1), value: Uint8Array.of(n & 255) }])
            .catch(() => {
              zombies += 1
            })
          await transport
            .dial({ transport: 'memory', host: 'nobody', port: 1 }, { timeoutMs: 5 })
            .catch(() => {
              if (!alive) zombies += 1
            })
        }
      }
      void work()
      // The world learns of the cut from the simulation: the node cannot tell.
      dead.push({ node, end: () => (alive = false) })
      return node
    },
    check(nodes) {
      for (const { node, end } of dead) if (nodes.get(node.name) !== node) end()
    },
  })
  const dead: { node: NodeWorld; end: () => void }[] = []
  for (let seed = 1; seed <= 10; seed++) await simulate(seed, makeWorld, { faults: ['power-cut'], steps: 60 })

  assert.ok(boots > 30, `${boots} boots`)
  assert.is(zombies, 0)
})

test('a node that lost its power starts again as a new boot, with other entropy and what its disk holds', async () => {
  const boots: { boot: number; found: number | undefined; entropy: string }[] = []
  const report = await simulate(
    2,
    world({
      nodes: ['a'],
      async start(node) {
        const store = await node.volume.openStore('s')
        const key = Uint8Array.of(1)
        boots.push({ boot: node.boot, found: store.get(key)?.[0], entropy: node.env.entropy(8).join() })
        await store.batch([{ type: 'put', key, value: Uint8Array.of(node.boot) }])
        node.env.after(50, node.exit)
        return node
      },
    }),
    { faults: [], steps: 20, stepMsMax: 100 },
  )

  assert.ok(report.boots > 2)
  assert.equal(
    boots.map(({ boot, found }) => [boot, found]),
    boots.map((_, index) => [index + 1, index === 0 ? undefined : index]),
  )
  assert.is(new Set(boots.map(({ entropy }) => entropy)).size, boots.length)
})

test('the faults end before the world has to rest: links heal, clocks run right, disks work, every node runs', async () => {
  let restMs = 0
  let driftMs = 0
  const stores = new Map<NodeWorld, OrderedStore>()
  for (let seed = 1; seed <= 60; seed++) {
    const report = await simulate(
      seed,
      world({
        async start(node) {
          // A store that is open when its disk is told to fail.
          stores.set(node, await node.volume.openStore('s'))
          return node
        },
        async finish(nodes) {
          assert.is(nodes.size, 2)
          const [a, b] = [...nodes.values()]
          if (a === undefined || b === undefined) throw new Error('no nodes')
          const endpoint = { transport: 'memory', host: a.name, port: 9 } as const
          await a.transport.listen(endpoint, () => undefined)
          const startMs = [a, b].map(({ env }) => env.monotonic())
          await b.transport.dial(endpoint, { timeoutMs: 100 })
          await stores.get(b)?.batch([{ type: 'put', key: Uint8Array.of(1), value: Uint8Array.of(1) }])
          await b.volume.openStore('other')
          await new Promise<void>((resolve) => void b.env.after(1_000, resolve))
          const tookMs = [a, b].map(({ env }, index) => env.monotonic() - (startMs[index] ?? 0))
          restMs = Math.max(restMs, ...tookMs)
          driftMs = Math.max(driftMs, Math.abs((tookMs[0] ?? 0) - (tookMs[1] ?? 0)))
        },
      }),
    )
    assert.is(events(report).filter((event) => event === 'healed').length, 1)
    const after = events(report).slice(events(report).indexOf('healed') + 1)
    assert.ok(
      after.every((event) => /is up$|^at rest$/.test(event)),
      after.join(),
    )
  }

  assert.ok(restMs < 1_010, `links and disks took ${restMs - 1_000} ms`)
  assert.ok(driftMs < 0.001, `clocks differ by ${driftMs} ms a second`)
})

test('a world that does not come to rest in its time fails, and says when', async () => {
  const failure = await failureOf(world({ quiescent: () => false }), { quiesceMs: 5_000 })

  assert.is(failure.run.phase, 'healed')
  assert.match(failure.message, 'not at rest 5000 ms after the faults: quiescent() says false')
  assert.ok(failure.run.virtualMs < 100 * 100 + 5_000 + 1_000)
})

test('a world that can say what it waits for is heard', async () => {
  const waits = world({ quiescent: () => false, why: () => 'one waits for two' })

  const failure = await failureOf(waits, { quiesceMs: 5_000 })

  assert.match(failure.message, 'not at rest 5000 ms after the faults: one waits for two')
})

test('wall clocks jump no further than they may', async () => {
  const jumps = async (clockJumpMsMax: number): Promise<number[]> => {
    const { history } = await simulate(1, world({}), { faults: ['clock-jump'], steps: 200, clockJumpMsMax })
    return history.flatMap(
      ({ event }) => /^clock-jump \w+ by (-?\d+) ms/.exec(event)?.slice(1).map(Number) ?? [],
    )
  }
  const [far, near] = [await jumps(1_000_000), await jumps(1_000)]

  assert.ok(
    far.some((ms) => Math.abs(ms) > 1_000),
    `${far.join()}`,
  )
  assert.ok(near.length > 0 && near.every((ms) => Math.abs(ms) <= 1_000), `${near.join()}`)
})

test('an invariant that breaks fails the seed where it breaks: on the way, at rest, in a timer, in a step', async () => {
  const bug = new Error('a bug')
  const breaks = (): never => {
    throw bug
  }
  const cases: [MakeWorld<NodeWorld>, string][] = [
    [world({ check: breaks }), 'start'],
    [world({ finish: breaks }), 'healed'],
    [world({ quiescent: breaks }), 'healed'],
    [world({ step: () => Promise.reject(bug) }), 'faults'],
    [world({ start: breaks }), 'start'],
    [
      world({
        start(node) {
          node.env.after(1, breaks)
          return node
        },
      }),
      'start',
    ],
  ]
  for (const [index, [makeWorld, phase]] of cases.entries()) {
    const failure = await failureOf(makeWorld, { faults: [] })
    assert.is(failure.cause, bug, `case ${index}`)
    assert.is(failure.run.phase === 'faults' && phase === 'start' ? phase : failure.run.phase, phase)
  }
})

test('a step that a fault refuses is no failure, and neither is one that never ends', async () => {
  let steps = 0
  await simulate(
    1,
    world({
      step() {
        steps += 1
        return steps % 2 === 0 ? Promise.reject(new BlazeError('TIMEOUT', 'late')) : new Promise(() => {})
      },
    }),
    { faults: [] },
  )

  assert.is(steps, 100)
})

test('a start that a fault refuses is tried again; one that is refused for ever fails the seed with its cause', async () => {
  const refusal = new BlazeError('DISK_FULL', 'no room')
  let tries = 0
  const report = await simulate(
    1,
    world({
      nodes: ['a'],
      start(node) {
        tries += 1
        if (tries % 3 !== 0) throw refusal
        return node
      },
    }),
    { faults: [] },
  )
  assert.is(report.boots, 3)

  const failure = await failureOf(world({ start: () => Promise.reject(refusal) }), { faults: [] })
  assert.match(failure.message, 'a does not start (no room)')
  assert.match(failure.message, 'not started within 60000 virtual ms')
})

test('what runs in circles ends at the bound of callbacks, what hangs at the bound of time', async () => {
  const circles = world({
    start(node) {
      const again = (): void => node.env.defer(again)
      again()
      return node
    },
  })
  const circling = await failureOf(circles, { callbacksMax: 10_000 })
  assert.match(circling.message, 'more than 10000 callbacks')

  const hanging = await failureOf(world({ start: () => new Promise(() => {}) }), { quiesceMs: 1_000 })
  assert.match(hanging.message, 'not started within 1000 virtual ms: a does not start (it hangs)')
  const never = await failureOf(world({ finish: () => new Promise(() => {}) }), { quiesceMs: 1_000 })
  assert.match(never.message, 'finish: not within 1000 virtual ms')
})

test('a failure names its seed, its faults, what happened last, and one command that does it again', async () => {
  const failure = await failureOf(
    world({
      check(nodes) {
        if (nodes.size < 2) throw new Error('a node is missing')
      },
    }),
    { faults: ['power-cut'], steps: 1_000, replay: (seed) => `node my-simulation.js --seed ${seed}` },
  )

  const { message, run } = failure
  assert.match(message, /^seed 1 failed under faults, at [\d.]+ ms: a node is missing\n/)
  assert.match(message, /\n {2}faults of this seed: power-cut 0\.\d\d\n/)
  assert.match(message, /\n {4}[\d.]+ ms {2}power-cut [ab]\n/)
  assert.match(message, /\n {2}replay: node my-simulation\.js --seed 1$/)
  assert.match(run.history.at(-1)?.event ?? '', /^power-cut [ab]$/)
  assert.is(run.traceHash.length, 16)
})

test('what the world draws does not change which faults a seed has, nor when', async () => {
  const run = (draws: number): Promise<SimulationReport> =>
    simulate(5, ({ random }) => ({
      nodes: ['a', 'b'],
      start: (node) => node,
      step() {
        for (let n = 0; n < draws; n++) random()
      },
      quiescent: () => true,
    }))
  const [none, many] = [await run(0), await run(100)]

  assert.equal(none.swarm, many.swarm)
  assert.equal(events(none), events(many))
  assert.ok(events(none).length > 10)
})

test('bad arguments are a TypeError before anything runs', async () => {
  const refuses = async (work: Promise<unknown>): Promise<void> => {
    const error = await work.catch((reason: unknown) => reason)
    assert.instance(error, TypeError)
  }
  await refuses(simulate(0.5, world()))
  await refuses(simulate(1, world({ nodes: [] })))
  await refuses(simulate(1, world({ nodes: ['a', 'a'] })))
  await refuses(simulate(1, world({ nodes: ['a/b'] })))
})

test.run()

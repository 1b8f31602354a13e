/** Campaigns: which seeds run, what stops them, and that a world whose runs differ is caught. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulateAll, SimulationFailure, simulationArguments } from '../../../actors/testing.ts'
import type { MakeWorld, NodeWorld, SimulationReport } from '../../../actors/testing.ts'
import { createNodeEnv } from '../../../runtime/index.ts'
import { symptomWorld } from './symptom-world.ts'

const short = { steps: 10, count: 5 }

function world(start: (node: NodeWorld) => void = () => undefined): MakeWorld<NodeWorld> {
  return () => ({
    nodes: ['a'],
    start(node) {
      start(node)
      return node
    },
    quiescent: () => true,
  })
}

async function errorOf(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof Error)) throw new Error(String(error))
  return error
}

test('the seeds that were asked for run in order, and the report adds them up', async () => {
  const reports: SimulationReport[] = []
  const report = await simulateAll(symptomWorld(new Set()), {
    ...short,
    from: 7,
    progress: (seed) => reports.push(seed),
  })

  assert.equal(
    reports.map(({ seed }) => seed),
    [7, 8, 9, 10, 11],
  )
  assert.equal([report.from, report.count], [7, 5])
  assert.is(
    report.boots,
    reports.reduce((sum, { boots }) => sum + boots, 0),
  )
  assert.is(report.kinds.loss ?? 0, reports.filter(({ swarm }) => swarm.loss !== undefined).length)
  assert.ok(Object.keys(report.kinds).length > 8, 'swarm: most kinds are on in some seed')
  assert.ok(
    reports.every(({ swarm }) => Object.keys(swarm).length < 14),
    'swarm: no seed has them all',
  )
})

test('two campaigns of one program agree about every trace hash', async () => {
  const hashes: string[] = []
  const progress = ({ traceHash }: SimulationReport): void => void hashes.push(traceHash)
  await simulateAll(symptomWorld(new Set()), { ...short, progress })
  const first = hashes.splice(0)
  await simulateAll(symptomWorld(new Set()), { ...short, progress })

  assert.equal(hashes, first)
})

test('a campaign ends with the first seed that fails', async () => {
  let boots = 0
  const error = await errorOf(
    simulateAll(
      ({ seed }) => ({
        nodes: ['a'],
        start: () => {
          boots += 1
          return seed
        },
        quiescent: () => true,
        finish() {
          if (seed === 3) throw new Error('three')
        },
      }),
      { faults: [], twice: 0, replay: (seed) => `run ${seed}` },
    ),
  )

  assert.instance(error, SimulationFailure)
  assert.match(error.message, /^seed 3 failed after the faults/)
  assert.match(error.message, /replay: run 3$/)
  assert.is(boots, 3)
})

const outside = createNodeEnv()
let kept = 0
const nondeterministic: Record<string, (node: NodeWorld) => void> = {
  'the real clock decides when a timer fires': ({ env }) => {
    env.after(outside.random() * 10, () => undefined)
  },
  'real entropy is stored': ({ volume }) => {
    void volume
      .openStore('s')
      .then((store) => store.batch([{ type: 'put', key: Uint8Array.of(1), value: outside.entropy(16) }]))
  },
  'real entropy is sent': ({ transport }) => {
    const endpoint = { transport: 'memory', host: 'a', port: 1 } as const
    void transport
      .listen(endpoint, (link) => link.attach({ record() {}, drain() {}, closed() {} }))
      .then(async () => {
        const link = await transport.dial(endpoint, { timeoutMs: 100 })
        link.send(outside.entropy(16))
      })
  },
  'something is kept from one run to the next': ({ env }) => {
    kept += 1
    env.after(kept, () => undefined)
  },
}
for (const [what, start] of Object.entries(nondeterministic)) {
  test(`a world whose runs differ is caught, here because ${what}`, async () => {
    const error = await errorOf(simulateAll(world(start), { ...short, faults: [] }))

    assert.not.instance(error, SimulationFailure)
    assert.match(error.message, /^two runs of seed 1 differ, first before "/)
  })
}

test('an honest world passes the same check', async () => {
  const honest = world(({ env, volume }) => {
    env.after(env.random() * 10, () => undefined)
    void volume
      .openStore('s')
      .then((store) => store.batch([{ type: 'put', key: Uint8Array.of(1), value: env.entropy(16) }]))
  })

  await simulateAll(honest, { ...short, faults: [], twice: 5 })
})

test('arguments choose the seeds, and the replay command runs the same program with one of them', () => {
  const parse = (...args: string[]): object => {
    const { from, count } = simulationArguments(['node', 'sim.js', ...args])
    return { from, count }
  }
  assert.equal(parse(), { from: undefined, count: undefined })
  assert.equal(parse('--seed', '17'), { from: 17, count: 1 })
  assert.equal(parse('--seed', '17', '--count', '5'), { from: 17, count: 5 })
  assert.equal(parse('--count', '5'), { from: undefined, count: 5 })

  const replay = (program: string): string => simulationArguments(['node', program]).replay(17)
  assert.is(replay('/app/sim.js'), 'node /app/sim.js --seed 17')
  assert.is(replay('/app/sim.ts'), 'npx tsx /app/sim.ts --seed 17')
  assert.is(replay("/my app/it's.mjs"), "node '/my app/it'\\''s.mjs' --seed 17")
})

test('arguments with a typo, and no whole numbers, are a TypeError', async () => {
  for (const args of [['--seeds', '1'], ['--seed', 'x'], ['--seed', '-1'], ['--count', '1.5'], ['file']])
    assert.throws(
      () => simulationArguments(['node', 'sim.js', ...args]),
      (error: unknown) => error instanceof TypeError,
    )
  assert.instance(await errorOf(simulateAll(world(), { count: 0 })), TypeError)
})

test.run()

/** Promises of the simulated environment: one seed, one history. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Ref } from '../../runtime/index.ts'
import { createSimulation, createSystem, reducer } from '../../runtime/index.ts'

/** Five nodes gossip with random delays; some crash. Returns what each heard, and the hash. */
async function history(seed: number): Promise<{ heard: string[]; hash: string }> {
  const simulation = createSimulation(seed)
  const heard: string[] = []
  const refs: Ref<number>[] = []
  for (let node = 0; node < 5; node++) {
    const env = simulation.env(`n${node}`)
    refs.push(
      createSystem({ env }).spawn({
        name: 'gossip',
        behaviour: reducer<null, number>({
          kind: 'gossip',
          init: () => null,
          receive(state, rumour, ctx) {
            heard.push(`${node}:${rumour}`)
            simulation.trace(`heard ${node} ${rumour}`)
            if (env.random() < 0.1) throw new Error('crash')
            const to = refs[Math.floor(env.random() * refs.length)]
            if (rumour < 200)
              ctx.run(
                async () => rumour + 1,
                (next) => void (next.ok && to?.tell(next.value)),
              )
            env.after(Math.floor(env.random() * 3), () => to?.tell(rumour + 1))
            return state
          },
        }),
      }),
    )
  }
  refs[0]?.tell(0)
  await simulation.run(() => heard.length >= 500, { virtualMs: 20_000 })
  return { heard, hash: simulation.traceHash() }
}

for (const seed of [1, 2, 3, 4_000_000_000_123]) {
  test(`seed ${seed}: the same seed gives the same history and the same trace hash`, async () => {
    const first = await history(seed)
    const second = await history(seed)

    assert.ok(first.heard.length > 50, `only ${first.heard.length} events`)
    assert.equal(second.heard, first.heard)
    assert.is(second.hash, first.hash)
  })
}

test('different seeds give different histories', async () => {
  const hashes = new Set<string>()
  for (let seed = 1; seed <= 10; seed++) hashes.add((await history(seed)).hash)

  assert.is(hashes.size, 10)
})

test('timers fire in the order of their time, and those due together in an order that the seed decides', async () => {
  const orders = new Set<string>()
  for (let seed = 1; seed <= 20; seed++) {
    const simulation = createSimulation(seed)
    const env = simulation.env('n')
    const order: string[] = []
    for (const name of ['a', 'b', 'c']) env.after(10, () => order.push(name))
    env.after(20, () => order.push('late'))
    env.after(5, () => order.push('early'))
    env.after(7, () => order.push('never')).cancel()
    await simulation.pass(30)
    assert.is(order[0], 'early')
    assert.is(order[4], 'late')
    assert.is(order.length, 5)
    orders.add(order.join())
  }

  assert.ok(orders.size > 1)
})

test('virtual time passes without real time, and every promise settles before it moves on', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('n')
  const seen: number[] = []
  const before = env.now()
  void (async () => {
    for (let i = 0; i < 100; i++) await Promise.resolve()
    seen.push(simulation.now())
    await new Promise<void>((resolve) => void env.after(3_600_000, resolve))
    seen.push(simulation.now())
  })()

  await simulation.pass(7_200_000)

  assert.equal(seen, [0, 3_600_000])
  assert.is(env.now() - before, 7_200_000)
  assert.is(env.monotonic(), 7_200_000)
})

test('nodes share the passing of time and differ by their clock offset', () => {
  const simulation = createSimulation(1)
  const right = simulation.env('right')
  const wrong = simulation.env('wrong', { clockOffsetMs: -60_000 })

  assert.is(right.now() - wrong.now(), 60_000)
  assert.is(right.monotonic(), wrong.monotonic())
})

test('chance and entropy of a node depend on the seed, the node and its boot, and on nothing else', () => {
  const drawFrom = (seed: number, noise: number, boot: number): string => {
    const simulation = createSimulation(seed)
    const other = simulation.env('other')
    for (let i = 0; i < noise; i++) other.random()
    for (let i = 1; i < boot; i++) simulation.env('n')
    const env = simulation.env('n')
    return `${env.random()} ${env.entropy(16).join()}`
  }

  assert.is(drawFrom(1, 0, 1), drawFrom(1, 50, 1))
  assert.is.not(drawFrom(1, 0, 1), drawFrom(2, 0, 1))
  assert.is.not(drawFrom(1, 0, 1), drawFrom(1, 0, 2))
})

test('run says false at its limits: time, steps, and nothing left to do', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('n')
  assert.is(await simulation.run(() => false, { virtualMs: 1000 }), false)
  assert.is(simulation.now(), 0)

  const again = (): void => {
    env.after(1, again)
  }
  again()
  assert.is(await simulation.run(() => false, { virtualMs: 50 }), false)
  assert.is(simulation.now(), 50)
  assert.is(await simulation.run(() => false, { virtualMs: 1000, steps: 10 }), false)
  assert.ok(simulation.now() < 70)
})

test('after a power cut nothing of the node runs any more, until it boots again', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('n')
  const seen: string[] = []
  env.after(10, () => seen.push('timer'))
  env.defer(() => seen.push('deferred'))

  simulation.cut('n')
  env.after(1, () => seen.push('after the cut'))
  simulation.env('n').after(20, () => seen.push('next boot'))
  simulation.env('other').after(5, () => seen.push('other'))
  await simulation.pass(100)

  assert.equal(seen, ['other', 'next boot'])
})

test('a clock that drifts runs ahead of the others or behind, with its timers, and never back', async () => {
  const simulation = createSimulation(1)
  const [fast, slow, right] = ['fast', 'slow', 'right'].map((name) => simulation.env(name))
  if (fast === undefined || slow === undefined || right === undefined) throw new Error('no env')
  const startMs = right.now()
  const fired: string[] = []

  simulation.drift('fast', 100_000)
  simulation.drift('slow', -100_000)
  slow.after(1_000, () => fired.push('slow'))
  right.after(1_000, () => fired.push('right'))
  fast.after(1_000, () => fired.push('fast'))
  await simulation.pass(10_000)

  assert.equal(fired, ['fast', 'right', 'slow'])
  assert.equal(
    [fast, slow, right].map((env) => Math.round(env.monotonic())),
    [11_000, 9_000, 10_000],
  )
  assert.equal(
    [fast, slow, right].map((env) => Math.round((env.now() - startMs) / 10)),
    [1_100, 900, 1_000],
  )
  const before = fast.monotonic()
  simulation.drift('fast', -900_000)
  assert.is(fast.monotonic(), before)
  await simulation.pass(10)
  assert.ok(fast.monotonic() > before && fast.monotonic() < before + 2)
  assert.throws(() => simulation.drift('fast', 1_000_000), TypeError)
})

test('a timer goes by the clock of its node, also when that changes its pace under way', async () => {
  for (const partsPerMillion of [-500_000, 500_000]) {
    const simulation = createSimulation(2)
    const env = simulation.env('n')
    const fired: number[] = []

    env.after(1_000, () => fired.push(env.monotonic()))
    await simulation.pass(500)
    simulation.drift('n', partsPerMillion)
    await simulation.pass(500 / (1 + partsPerMillion / 1_000_000) - 1)
    assert.equal(fired, [])
    await simulation.pass(2)

    assert.equal(fired.map(Math.round), [1_000])
    assert.ok((fired[0] ?? 0) >= 1_000, 'never early')
  }
})

test('a jump moves the wall clock of its node, and neither timers nor other nodes', async () => {
  const simulation = createSimulation(3)
  const [env, other] = [simulation.env('n'), simulation.env('other')]
  const fired: number[] = []
  env.after(100, () => fired.push(env.monotonic()))

  simulation.jump('n', -86_400_000)
  await simulation.pass(50)
  assert.equal([env.now() - other.now(), env.monotonic(), fired.length], [-86_400_000, 50, 0])
  await simulation.pass(100)

  assert.equal(fired, [100])
  assert.is(simulation.env('n').now() - other.now(), -86_400_000, 'the next boot has the same clock')
})

test('cancelled timers do not stay until their time: many of them take no memory and no steps', async () => {
  const simulation = createSimulation(4)
  const env = simulation.env('n')
  const before = heapUsed()
  for (let n = 0; n < 100_000; n++) env.after(3_600_000, () => {}).cancel()

  assert.ok(heapUsed() - before < 4 * 1024 * 1024)
  await simulation.pass(7_200_000)
  assert.is(simulation.steps(), 0)
})

/** Bytes in use after a collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

test.run()

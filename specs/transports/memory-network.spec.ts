/** The memory network keeps the contract of a transport, and does to links what it is told to. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createNodeEnv, createSimulation } from '../../runtime/index.ts'
import type { Simulation } from '../../runtime/index.ts'
import { createMemoryNetwork } from '../../transports/index.ts'
import type { Endpoint, Link, MemoryNetwork, NetworkFaults } from '../../transports/index.ts'
import { codeOf, transportContract, watch } from '../contracts/transport.ts'
import type { Seen } from '../contracts/transport.ts'

const endpoint: Endpoint = { transport: 'memory', host: 'pi', port: 1 }

transportContract('memory', () => {
  const network = createMemoryNetwork(createNodeEnv())
  return {
    listening: network.transport('pi'),
    dialling: network.transport('app'),
    endpoint: { ...endpoint, port: 0 },
  }
})

transportContract('memory, local endpoint', () => {
  const transport = createMemoryNetwork(createNodeEnv()).transport('device')
  return {
    listening: transport,
    dialling: transport,
    endpoint: { transport: 'uds', directory: '/group', name: 'bugs' },
  }
})

test('local endpoints with other names or directories do not meet', async () => {
  const transport = createMemoryNetwork(createNodeEnv()).transport('device')
  const local = { transport: 'uds', directory: '/group', name: 'bugs' } as const
  await transport.listen(local, () => undefined)

  await transport.dial({ ...local }, { timeoutMs: 1_000 })
  for (const other of [
    { ...local, name: 'bug' },
    { ...local, directory: '/group/bugs' },
  ])
    assert.is(await codeOf(transport.dial(other, { timeoutMs: 1_000 })), 'UNREACHABLE')
  assert.is(await codeOf(transport.dial({ ...local, directory: 'x' }, { timeoutMs: 1_000 })), 'BAD_CONFIG')
})

interface World {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly here: Seen
  readonly there: Seen
  readonly dialled: Link
  readonly accepted: Link
}

async function world(seed: number, faults: NetworkFaults = {}): Promise<World> {
  const simulation = createSimulation(seed)
  const network = createMemoryNetwork(simulation.env('network'))
  const accepted: Link[] = []
  await network.transport('pi').listen(endpoint, (link) => accepted.push(link))
  let dialled: Link | undefined
  void network
    .transport('app')
    .dial(endpoint, { timeoutMs: 1_000 })
    .then((link) => {
      dialled = link
    })
  await simulation.run(() => dialled !== undefined, { virtualMs: 100 })
  const other = accepted[0]
  if (dialled === undefined || other === undefined) throw new Error('no link')
  network.setFaults(faults)
  return { simulation, network, here: watch(dialled), there: watch(other), dialled, accepted: other }
}

/** What becomes of a dial from one node to a fresh listener of the other. */
async function dialCode({ network }: World, from: string, to: string): Promise<string> {
  const at: Endpoint = { transport: 'memory', host: to, port: 2 }
  await network.transport(to).listen(at, () => undefined)
  return codeOf(network.transport(from).dial(at, { timeoutMs: 500 }))
}

async function sendHundred({ simulation, dialled }: World): Promise<void> {
  for (let n = 0; n < 100; n++) dialled.send(Uint8Array.of(n))
  await simulation.pass(1_000)
}

const numbersOf = (seen: Seen): number[] => seen.records.map((record) => record[0] ?? -1)
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

test('delay with jitter keeps the order', async () => {
  const w = await world(1, { latencyMs: 10, jitterMs: 50 })

  for (let n = 0; n < 100; n++) w.dialled.send(Uint8Array.of(n))
  await w.simulation.pass(9)
  assert.is(w.there.records.length, 0)
  await w.simulation.pass(100)

  assert.equal(numbersOf(w.there), upTo(100))
})

test('bytes are copied: nothing is shared between the ends', async () => {
  const w = await world(1)
  const record = Uint8Array.of(1, 2, 3)

  w.dialled.send(record)
  record.fill(9)
  await w.simulation.pass(10)

  assert.equal(w.there.records, [Uint8Array.of(1, 2, 3)])
})

test('loss loses records, duplication repeats them, reordering swaps neighbours', async () => {
  const lossy = await world(2, { loss: 0.2 })
  await sendHundred(lossy)
  const lost = 100 - lossy.there.records.length
  assert.ok(lost > 5 && lost < 50, `lost ${lost}`)
  assert.equal(
    numbersOf(lossy.there),
    numbersOf(lossy.there).toSorted((a, b) => a - b),
  )

  const doubling = await world(3, { duplicate: 0.2 })
  await sendHundred(doubling)
  assert.ok(doubling.there.records.length > 105)
  assert.equal([...new Set(numbersOf(doubling.there))], upTo(100))

  const mixing = await world(4, { reorder: 0.2 })
  await sendHundred(mixing)
  assert.not.equal(numbersOf(mixing.there), upTo(100))
  assert.equal(
    numbersOf(mixing.there).toSorted((a, b) => a - b),
    upTo(100),
  )
})

test('a partition loses silently, healing lets the rest pass, and dialling into one times out', async () => {
  const w = await world(5)

  w.network.partition('app', 'pi')
  w.dialled.send(Uint8Array.of(1))
  let code = ''
  void w.network
    .transport('app')
    .dial(endpoint, { timeoutMs: 500 })
    .catch((error: { code: string }) => {
      code = error.code
    })
  await w.simulation.pass(1_000)
  assert.is(w.there.records.length + w.there.closed.length + w.here.closed.length, 0)
  assert.is(code, 'TIMEOUT')
  w.network.heal('pi', 'app')
  w.dialled.send(Uint8Array.of(2))
  await w.simulation.pass(10)

  assert.equal(numbersOf(w.there), [2])
})

test('a cut breaks the links of a node at both ends with LINK_CLOSED, and its listener lives on', async () => {
  const w = await world(6)

  w.network.cut('pi')
  await w.simulation.pass(10)

  assert.equal(
    [w.here.closed[0]?.error?.code, w.there.closed[0]?.error?.code],
    ['LINK_CLOSED', 'LINK_CLOSED'],
  )
  let again = false
  void w.network
    .transport('app')
    .dial(endpoint, { timeoutMs: 500 })
    .then(() => {
      again = true
    })
  await w.simulation.pass(10)
  assert.ok(again)
})

test('a crash breaks the links for the peers, frees the ports, and never calls the dead node', async () => {
  const w = await world(7)

  w.network.crash('pi')
  await w.simulation.pass(10)

  assert.is(w.here.closed[0]?.error?.code, 'LINK_CLOSED')
  assert.is(w.there.closed.length, 0)
  await w.network.transport('pi').listen(endpoint, () => undefined)
})

test('a block stops one direction and not the other, and dialling into it times out', async () => {
  const w = await world(10)

  w.network.block('app', 'pi')
  w.dialled.send(Uint8Array.of(1))
  w.accepted.send(Uint8Array.of(2))
  const codes = [dialCode(w, 'app', 'pi'), dialCode(w, 'pi', 'app')]
  await w.simulation.pass(1_000)
  assert.equal([numbersOf(w.there), numbersOf(w.here)], [[], [2]])
  assert.equal(await Promise.all(codes), ['TIMEOUT', 'TIMEOUT'])
  w.network.heal('pi', 'app')
  w.dialled.send(Uint8Array.of(3))
  await w.simulation.pass(10)

  assert.equal(numbersOf(w.there), [3])
})

test('a half-open cut ends one end only: the other learns of it when it sends, and not before', async () => {
  const w = await world(11, { latencyMs: 10 })

  w.network.cut('pi', { halfOpen: true })
  await w.simulation.pass(60_000)
  assert.equal([w.there.closed.length, w.here.closed.length], [1, 0])
  w.dialled.send(Uint8Array.of(1))
  await w.simulation.pass(19)
  assert.is(w.here.closed.length, 0)
  await w.simulation.pass(2)

  assert.is(w.here.closed[0]?.error?.code, 'LINK_CLOSED')
  assert.equal(numbersOf(w.there), [])
})

test('after a half-open power cut peers are told only when they send to the node that is back', async () => {
  const w = await world(12)

  w.network.crash('pi', { halfOpen: true })
  w.dialled.send(Uint8Array.of(1))
  await w.simulation.pass(60_000)
  assert.is(w.here.closed.length, 0)
  await w.network.transport('pi').listen(endpoint, () => undefined)
  await w.simulation.pass(60_000)
  assert.is(w.here.closed.length, 0)
  w.dialled.send(Uint8Array.of(2))
  await w.simulation.pass(10)

  assert.is(w.here.closed[0]?.error?.code, 'LINK_CLOSED')
  assert.is(w.there.closed.length, 0)
})

test('a close that a partition swallows leaves the link half open, until the other end sends', async () => {
  for (const end of ['close', 'destroy'] as const) {
    const w = await world(13)

    w.network.partition('app', 'pi')
    w.accepted[end]()
    await w.simulation.pass(100)
    w.network.heal()
    await w.simulation.pass(100)
    assert.is(w.here.closed.length, 0)
    w.dialled.send(Uint8Array.of(1))
    await w.simulation.pass(10)

    assert.is(w.here.closed[0]?.error?.code, 'LINK_CLOSED')
  }
})

test('bandwidth: what is sent at once arrives at the pace of the link, each direction for itself', async () => {
  const w = await world(14, { latencyMs: 5, bytesPerSecond: 10_000 })
  const arrived: number[] = []
  w.accepted.attach({
    record: () => arrived.push(Math.round(w.simulation.now())),
    drain() {},
    closed() {},
  })
  const startMs = Math.round(w.simulation.now())

  for (let n = 0; n < 3; n++) w.dialled.send(new Uint8Array(1_000))
  w.accepted.send(Uint8Array.of(7))
  await w.simulation.pass(6)
  assert.equal(numbersOf(w.here), [7])
  await w.simulation.pass(1_000)

  assert.equal(
    arrived.map((ms) => ms - startMs),
    [105, 205, 305],
  )
})

test('without faults every record arrives once, in order, at once, and nobody is cut off', async () => {
  const w = await world(15)

  await sendHundred(w)

  assert.equal(numbersOf(w.there), upTo(100))
  assert.is(w.here.closed.length + w.there.closed.length, 0)
})

test('deliveries can be listened to, with what was lost left out', async () => {
  const heard: string[] = []
  const simulation = createSimulation(16)
  const network = createMemoryNetwork(
    simulation.env('network'),
    {},
    { delivered: (from, to, record) => heard.push(`${from}>${to} ${record.join()}`) },
  )
  await network.transport('pi').listen(endpoint, (link) => void watch(link))
  void network
    .transport('app')
    .dial(endpoint, { timeoutMs: 1_000 })
    .then((link) => {
      link.send(Uint8Array.of(1, 2))
      network.setFaults({ loss: 1 })
      link.send(Uint8Array.of(3))
    })
  await simulation.pass(10)

  assert.equal(heard, ['app>pi 1,2'])
})

test('the same seed gives the same faults', async () => {
  const runs = await Promise.all(
    [8, 8, 9].map((seed) => world(seed, { loss: 0.3, duplicate: 0.2, reorder: 0.2 })),
  )
  for (const w of runs) await sendHundred(w)

  const [first, second, other] = runs.map((w) => numbersOf(w.there))
  assert.equal(first, second)
  assert.not.equal(first, other)
})

test.run()

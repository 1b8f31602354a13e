/** The store contract on LevelDB and on the simulated disk, and what only one of them can show. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume, createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { StoreOperation } from '../../../actors/replica/index.ts'
import { createSimulation } from '../../../runtime/index.ts'
import { codeOf, settle } from './replica-world.ts'
import { describeStore } from './store-contract.ts'

const temporary = (): string => mkdtempSync(join(tmpdir(), 'blazedb-store-'))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describeStore('LevelDB', async () => {
  const at = temporary()
  return {
    volume: createDirectoryVolume(at),
    settle: (promise) => promise,
    end: async () => rmSync(at, { recursive: true, force: true }),
  }
})

describeStore('simulated', async () => {
  const simulation = createSimulation(1)
  return {
    volume: createSimulatedVolume(simulation.env('disk')),
    settle: (promise) => settle(simulation, promise),
    end: async () => undefined,
  }
})

test('files are for their owner only', async () => {
  const at = temporary()
  const volume = createDirectoryVolume(join(at, 'new'))
  await volume.writeFile('header', bytes('x'))
  const store = await volume.openStore('store')

  assert.is(statSync(join(at, 'new', 'header')).mode & 0o777, 0o600)
  assert.is(statSync(join(at, 'new')).mode & 0o777, 0o700)
  assert.is(statSync(join(at, 'new', 'store')).mode & 0o777, 0o700)
  await store.close()
  rmSync(at, { recursive: true })
})

test('a failed batch poisons the handle, and only a new one works again', async () => {
  const simulation = createSimulation(2)
  const volume = createSimulatedVolume(simulation.env('disk'))
  const store = await volume.openStore('store')
  const operations = [{ type: 'put' as const, key: bytes('a'), value: bytes('1') }]

  volume.failNextBatch()
  const [first, second] = [codeOf(store.batch(operations)), codeOf(store.batch(operations))]

  assert.is(await settle(simulation, first), 'POISONED')
  assert.is(await settle(simulation, second), 'POISONED')
  assert.is(await codeOf(store.batch(operations)), 'POISONED')
  assert.is(await codeOf(store.range({ gte: bytes('a'), lt: bytes('z'), limit: 1 })), 'POISONED')
  await store.close()
  const again = await volume.openStore('store')
  assert.is(again.get(bytes('a')), undefined)
  await settle(simulation, again.batch(operations))
  assert.equal(again.get(bytes('a')), bytes('1'))
})

test('a power cut loses unconfirmed batches from the end only, and confirmed ones never', async () => {
  const kept = new Set<number>()
  for (let seed = 1; seed <= 40; seed += 1) {
    const simulation = createSimulation(seed)
    const volume = createSimulatedVolume(simulation.env('disk'))
    const store = await volume.openStore('store')
    const write = (n: number): Promise<void> => {
      return store.batch([{ type: 'put', key: Uint8Array.of(n), value: Uint8Array.of(n) }])
    }
    await settle(simulation, write(1))
    const lost = [write(2), write(3), write(4)].map(codeOf)

    volume.crash()

    assert.equal(await Promise.all(lost), ['POISONED', 'POISONED', 'POISONED'])
    const rows = await (
      await volume.openStore('store')
    ).range({ gte: Uint8Array.of(0), lt: Uint8Array.of(9), limit: 9 })
    const found = rows.map(([key]) => key[0])
    assert.equal(found, [1, 2, 3, 4].slice(0, found.length), `seed ${seed}`)
    assert.ok(found.length >= 1, `seed ${seed}`)
    kept.add(found.length)
  }
  assert.is(kept.size, 4, 'every outcome occurs')
})

test('a power cut loses a run of unsynced batches from the end, whatever they overwrote', async () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 80; seed += 1) {
    const simulation = createSimulation(seed)
    const volume = createSimulatedVolume(simulation.env('disk'))
    const store = await volume.openStore('store')
    const counter = (n: number): StoreOperation[] => [
      { type: 'put', key: bytes('n'), value: Uint8Array.of(n) },
      n % 2 === 0
        ? { type: 'del', key: bytes('odd') }
        : { type: 'put', key: bytes('odd'), value: bytes('y') },
    ]
    for (let n = 1; n <= 3; n += 1) await settle(simulation, store.batch(counter(n), { sync: false }))
    await settle(simulation, store.batch(counter(4)))
    for (let n = 5; n <= 7; n += 1) await settle(simulation, store.batch(counter(n), { sync: false }))
    const untold = codeOf(store.batch(counter(8)))

    volume.crash()

    assert.is(await untold, 'POISONED')
    const again = await volume.openStore('store')
    const n = again.get(bytes('n'))?.[0] ?? 0
    assert.ok(n >= 4 && n <= 8, `seed ${seed}: a synced batch confirms those before it, found ${n}`)
    assert.is(again.get(bytes('odd')) !== undefined, n % 2 === 1, `seed ${seed}: batch ${n} is whole`)
    assert.is((await again.range({ gte: bytes('a'), lt: bytes('z'), limit: 9 })).length, 1 + (n % 2))
    outcomes.add(`${n}`)
  }
  assert.is(outcomes.size, 5, 'every outcome occurs')
})

test('what was unsynced for long is on the disk', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const simulation = createSimulation(seed)
    const volume = createSimulatedVolume(simulation.env('disk'))
    const store = await volume.openStore('store')
    for (let n = 1; n <= 100; n += 1) {
      const operation: StoreOperation = { type: 'put', key: bytes('n'), value: Uint8Array.of(n) }
      await settle(simulation, store.batch([operation], { sync: false }))
    }

    volume.crash()

    const [n = 0] = (await volume.openStore('store')).get(bytes('n')) ?? []
    assert.ok(n >= 36, `seed ${seed}: ${n}`)
  }
})

test.run()

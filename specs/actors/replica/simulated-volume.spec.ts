/** What a simulated disk does when it is told to fail, each kind on and off. What it promises without faults is in the store contract. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { SimulatedVolume, StoreOperation } from '../../../actors/replica/index.ts'
import { createSimulation } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { codeOf, settle } from './replica-world.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value: string): StoreOperation => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
})
const del = (key: string): StoreOperation => ({ type: 'del', key: bytes(key) })

function disk(seed: number): { simulation: Simulation; volume: SimulatedVolume } {
  const simulation = createSimulation(seed)
  return { simulation, volume: createSimulatedVolume(simulation.env('disk')) }
}

async function keysOf(volume: SimulatedVolume, store: string): Promise<string[]> {
  const rows = await volume.rows(store).range({ gte: bytes('a'), lt: bytes('{'), limit: 1_000 })
  return rows.map(([key]) => new TextDecoder().decode(key))
}

/** Two batches of four rows, one synced before, then a power cut; how many rows of each there are. */
async function rowsAfterCut(seed: number, torn: boolean, sync: boolean): Promise<[number, number]> {
  const { simulation, volume } = disk(seed)
  const store = await volume.openStore('s')
  await settle(simulation, store.batch(['a1', 'a2', 'a3', 'a4'].map((key) => put(key, '1'))))
  const second = store.batch(
    ['b1', 'b2', 'b3', 'b4'].map((key) => put(key, '2')),
    { sync },
  )
  // Unsynced it is told before the cut, synced it is on its way.
  if (sync) void codeOf(second)
  else await settle(simulation, second)
  volume.crash({ torn })
  const keys = await keysOf(volume, 's')
  return [keys.filter((key) => key.startsWith('a')).length, keys.filter((key) => key.startsWith('b')).length]
}

for (const sync of [true, false]) {
  const what = sync ? 'a batch on its way' : 'an unsynced batch'
  test(`a torn power cut leaves part of ${what}, and an honest one all or nothing`, async () => {
    const torn = new Set<number>()
    const honest = new Set<number>()
    for (let seed = 1; seed <= 60; seed++) {
      const [before, part] = await rowsAfterCut(seed, true, sync)
      assert.is(before, 4, 'what was synced is whole')
      torn.add(part)
      honest.add((await rowsAfterCut(seed, false, sync))[1])
    }

    assert.equal(
      [...honest].toSorted((a, b) => a - b),
      [0, 4],
    )
    assert.ok([1, 2, 3].filter((rows) => torn.has(rows)).length >= 2, `${[...torn].join()}`)
  })
}

test('a lost row is gone, a flipped bit changes one value by one bit, and both say where', async () => {
  const { simulation, volume } = disk(3)
  const store = await volume.openStore('s')
  const keys = ['a', 'b', 'c', 'd', 'e']
  await settle(simulation, store.batch(keys.map((key) => put(key, 'value'))))

  const flipped = volume.damageRow('flipped')
  const changed = keys.filter((key) => !sameText(store.get(bytes(key)), 'value'))
  assert.equal(changed.map(bytes), [flipped?.key])
  assert.is(bitsChanged(store.get(flipped?.key ?? bytes('?')) ?? bytes(''), bytes('value')), 1)
  const lost = volume.damageRow('lost')

  assert.is(lost?.store, 's')
  assert.is(store.get(lost?.key ?? bytes('?')), undefined)
  assert.is((await keysOf(volume, 's')).length, 4)
})

test('where there is no row to damage nothing is damaged', async () => {
  const { simulation, volume } = disk(4)
  assert.is(volume.damageRow('lost'), undefined)
  const store = await volume.openStore('s')
  await settle(simulation, store.batch([put('a', '')]))

  assert.is(volume.damageRow('flipped'), undefined)
  assert.equal(await keysOf(volume, 's'), ['a'])
})

test('a full disk poisons what adds rows, refuses files and stores, and still deletes and reads', async () => {
  const { simulation, volume } = disk(5)
  const store = await volume.openStore('s')
  await settle(simulation, store.batch([put('a', '1'), put('b', '2')]))
  await settle(simulation, volume.writeFile('old', bytes('x')))

  volume.setFull(true)
  await settle(simulation, store.batch([del('b')]))
  assert.is(await settle(simulation, codeOf(store.batch([put('c', '3')]))), 'POISONED')
  assert.is(await codeOf(store.batch([del('a')])), 'POISONED')
  assert.is(await settle(simulation, codeOf(volume.writeFile('old', bytes('y')))), 'DISK_FULL')
  assert.is(await settle(simulation, codeOf(volume.createFile('new', bytes('y')))), 'DISK_FULL')
  assert.equal(await volume.readFile('old'), bytes('x'))
  await store.close()
  assert.is(await codeOf(volume.openStore('s')), 'POISONED')
  volume.setFull(false)
  const again = await volume.openStore('s')
  await settle(simulation, again.batch([put('c', '3')]))

  assert.equal(await keysOf(volume, 's'), ['a', 'c'])
})

test('a failure that was taken back does not happen, and one that was not poisons the handle', async () => {
  const { simulation, volume } = disk(6)
  const store = await volume.openStore('s')

  volume.failNextBatch()
  volume.failNextBatch(false)
  await settle(simulation, store.batch([put('a', '1')]))
  volume.failNextBatch()

  assert.is(await settle(simulation, codeOf(store.batch([put('b', '1')]))), 'POISONED')
  assert.equal(await keysOf(volume, 's'), ['a'])
})

test('a slow disk takes longer, from the next batch on', async () => {
  const { simulation, volume } = disk(7)
  const store = await volume.openStore('s')
  const msOf = async (): Promise<number> => {
    const startMs = simulation.now()
    await settle(simulation, store.batch([put('a', '1')]))
    return simulation.now() - startMs
  }

  const fast = await msOf()
  volume.setLatency(10_000)
  const slow = Math.max(await msOf(), await msOf(), await msOf())

  assert.ok(fast < 3, `${fast} ms`)
  assert.ok(slow > 1_000, `${slow} ms`)
})

test('every batch that readers see is told of, and none that failed', async () => {
  const simulation = createSimulation(8)
  const told: string[] = []
  const volume = createSimulatedVolume(simulation.env('disk'), {
    applied: (store, operations, sync) => told.push(`${store} ${operations.length} ${sync}`),
  })
  const store = await volume.openStore('s')

  await settle(simulation, store.batch([put('a', '1'), del('b')]))
  await settle(simulation, store.batch([del('a')], { sync: false }))
  volume.failNextBatch()
  await settle(simulation, codeOf(store.batch([put('c', '1')])))

  assert.equal(told, ['s 2 true', 's 1 false'])
})

function sameText(value: Uint8Array | undefined, text: string): boolean {
  return value !== undefined && new TextDecoder().decode(value) === text
}

function bitsChanged(a: Uint8Array, b: Uint8Array): number {
  let bits = Math.abs(a.length - b.length) * 8
  for (const [index, byte] of a.entries())
    for (let rest = byte ^ (b[index] ?? 0); rest > 0; rest >>= 1) bits += rest & 1
  return bits
}

test.run()

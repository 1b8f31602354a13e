/** A supervisor counts what the channels of its clients hold together. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { SimulatedWorld } from '../simulation/world.ts'

test('what has come of a message counts while the rest is on its way, and no more once it is there', async () => {
  const world = new SimulatedWorld(1)
  const supervisor = await world.startSupervisor()
  const a = await world.open('a')
  const sync = await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  await world.settle(sync.caughtUp())
  const heldBytes = (): number => {
    const told = supervisor.status().actors.find(({ kind }) => kind === 'clients')?.detail ?? {}
    return 'heldBytes' in told ? Number(told.heldBytes) : Number.NaN
  }
  assert.is(heldBytes(), 0)

  world.network.setFaults({ latencyMs: 1, bytesPerSecond: 100_000 })
  const docs = Array.from({ length: 20 }, () => ({ text: 'x'.repeat(9_000) }))
  await world.settle(a.collection('notes').insertMany(docs))
  let most = 0
  for (let ms = 0; ms < 4_000; ms += 100) {
    await world.simulation.pass(100)
    most = Math.max(most, heldBytes())
  }
  await world.settle(sync.flushed())

  assert.ok(most > 50_000, `${most} bytes at most`)
  assert.is(heldBytes(), 0)
})

test.run()

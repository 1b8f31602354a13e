// time limit: 60 s
/** How many connections a supervisor takes: the last one that fits, and one more, in a simulated world. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCode } from '../../../actors/team/index.ts'
import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { startSupervisor } from '../../../server/supervisor.ts'
import { createMemoryNetwork } from '../../../transports/index.ts'
import { SpecDevice } from '../../server/device.ts'
import type { Connected } from '../../server/device.ts'
import { codeOf, createWorld } from '../../server/world.ts'

const endpoint = { transport: 'memory', host: 'pi', port: 1 } as const

test('1,200 devices are let in, one more is BUSY, counted and told, and gets in when one has left', async () => {
  const { simulation, volume, settle } = createWorld()
  const network = createMemoryNetwork(simulation.env('network'))
  const env = simulation.env('pi')
  const supervisor = await settle(
    startSupervisor({
      world: { env, crypto: nodeCrypto, volume, transport: network.transport('pi') },
      listen: endpoint,
    }),
  )
  const { serverKey } = parseCode(await settle(supervisor.createCode()))
  const device = new SpecDevice(simulation.env('laptop'), network.transport('laptop'))
  const connect = (): Promise<Connected> => device.connect(endpoint, serverKey)
  const connected: Connected[] = []
  while (connected.length < limits.connectionsMax) connected.push(await settle(connect()))
  assert.is(supervisor.health().clients, limits.connectionsMax)
  assert.equal(supervisor.status().refused, {})

  assert.is(await codeOf(settle(connect())), 'BUSY')
  assert.equal(supervisor.status().refused, { BUSY: 1 })
  assert.is(supervisor.health().clients, limits.connectionsMax)

  connected[0]?.close()
  await simulation.pass(100)
  connected.push(await settle(connect()))
  assert.is(supervisor.health().clients, limits.connectionsMax)
})

test.run()

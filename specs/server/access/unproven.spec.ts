// time limit: 60 s
/** Links whose client proves nothing, at a whole supervisor: so many an address, so many in all, and who gives way to whom. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCode } from '../../../actors/team/index.ts'
import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { startSupervisor } from '../../../server/supervisor.ts'
import type { Supervisor } from '../../../server/supervisor.ts'
import { createMemoryNetwork } from '../../../transports/index.ts'
import type { MemoryNetwork } from '../../../transports/index.ts'
import { SpecDevice } from '../device.ts'
import { createWorld } from '../world.ts'
import type { SpecWorld } from '../world.ts'

const endpoint = { transport: 'memory', host: 'pi', port: 1 } as const
const own = limits.handshakesPerAddressMax

interface Stage extends SpecWorld {
  readonly network: MemoryNetwork
  readonly supervisor: Supervisor
  /** Silent links, and what the supervisor said to each. */
  readonly silent: (node: string, count: number) => Promise<string[]>
}

async function opened(): Promise<Stage> {
  const world = createWorld()
  const { simulation, env, volume, settle } = world
  const network = createMemoryNetwork(simulation.env('network'))
  const supervisor = await settle(
    startSupervisor({
      world: { env, crypto: nodeCrypto, volume, transport: network.transport('pi') },
      listen: endpoint,
    }),
  )
  return {
    ...world,
    network,
    supervisor,
    async silent(node, count) {
      const said: string[] = []
      for (let n = 0; n < count; n += 1) {
        const link = await settle(network.transport(node).dial(endpoint, { timeoutMs: 1_000 }))
        said.push('')
        link.attach({
          record: (bytes) => {
            said[n] += Buffer.from(bytes).toString('hex')
          },
          drain: () => undefined,
          closed: () => {
            said[n] += ' closed'
          },
        })
      }
      await simulation.pass(10)
      return said
    },
  }
}

/** Refusal record with reason 2. */
const BUSY = 'ff02 closed'

test('64 links of an address may prove nothing, one more is told busy, and takes the place of the oldest half a second later', async () => {
  const { silent, supervisor, simulation } = await opened()

  const first = await silent('flood', own)
  assert.ok(first.every((said) => said === ''))
  assert.equal(supervisor.status().refused, {})
  assert.equal(await silent('flood', 1), [BUSY])
  assert.equal(supervisor.status().refused, { BUSY: 1 })
  assert.equal(await silent('another', 1), [''])
  await simulation.pass(limits.handshakePatienceMs)
  assert.equal(await silent('flood', 1), [''])

  assert.is(first.filter((said) => said !== '').length, 1)
  assert.ok(first[0] !== '')
  assert.is(supervisor.health().clients, own + 1)
  assert.equal(supervisor.status().refused, { BUSY: 2 })
})

test('512 links of all addresses may prove nothing, one more takes the place of the oldest, and devices that have proven themselves stay', async () => {
  const { silent, supervisor, simulation, network, settle } = await opened()
  const device = new SpecDevice(simulation.env('laptop'), network.transport('laptop'))
  const code = supervisor.enrolment() ?? ''
  await settle(device.redeem(code, endpoint))
  const connected = await settle(device.connect(endpoint, parseCode(code).serverKey))

  const told: string[][] = []
  for (let n = 0; n < limits.handshakesMax / own; n += 1) told.push(await silent(`flood-${n}`, own))
  assert.ok(told.flat().every((said) => said === ''))
  assert.is(supervisor.health().clients, limits.handshakesMax + 1)
  assert.equal(await silent('late', 1), [BUSY])
  await simulation.pass(limits.handshakePatienceMs)
  assert.equal(await silent('late', 1), [''])

  assert.is(told.flat().filter((said) => said !== '').length, 1)
  assert.ok(told[0]?.[0] !== '')
  assert.is(supervisor.health().clients, limits.handshakesMax + 1)
  assert.equal(
    await settle(Promise.race([connected.closed, connected.registerDatabase('mine', new Uint8Array(16))])),
    new Uint8Array(0),
  )
})

test.run()

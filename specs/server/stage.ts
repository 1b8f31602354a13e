/** A supervisor in a simulated world, devices around it, and what a relay would have brought to its space. */
import { openSpace, parseCode } from '../../actors/team/index.ts'
import type { Team } from '../../actors/team/index.ts'
import { nodeCrypto, toHex } from '../../runtime/index.ts'
import { startSupervisor } from '../../server/supervisor.ts'
import type { Supervisor } from '../../server/supervisor.ts'
import { createMemoryNetwork } from '../../transports/index.ts'
import type { MemoryNetwork, NetworkEndpoint } from '../../transports/index.ts'
import { SpecDevice } from './device.ts'
import type { Connected } from './device.ts'
import { createWorld } from './world.ts'
import type { SpecWorld } from './world.ts'

export const endpoint: NetworkEndpoint = { transport: 'memory', host: 'pi', port: 1 }
export const spaceId: Uint8Array = new Uint8Array(16).fill(5)

export class Stage {
  readonly world: SpecWorld = createWorld()
  readonly network: MemoryNetwork = createMemoryNetwork(this.world.simulation.env('network'))
  /** Of the running supervisor. */
  serverKey: Uint8Array = new Uint8Array(0)

  async start(): Promise<Supervisor> {
    const { world } = this
    const supervisor = await world.settle(
      startSupervisor({
        world: {
          env: world.simulation.env('pi'),
          crypto: nodeCrypto,
          volume: world.volume,
          transport: this.network.transport('pi'),
        },
        listen: endpoint,
        advertise: { host: 'pi.example' },
      }),
    )
    this.serverKey = parseCode(await world.settle(supervisor.createCode())).serverKey
    return supervisor
  }

  /** Power cut at the supervisor. */
  crash(): void {
    this.world.simulation.cut('pi')
    this.network.crash('pi')
    this.world.volume.crash()
  }

  device(name: string): SpecDevice {
    return new SpecDevice(this.world.simulation.env(name), this.network.transport(name))
  }

  connect(device: SpecDevice): Promise<Connected> {
    return this.world.settle(device.connect(endpoint, this.serverKey))
  }

  /** A device with a redeemed code and a registered database. */
  async host(supervisor: Supervisor, name = 'laptop'): Promise<SpecDevice> {
    const device = this.device(name)
    const url = await this.world.settle(supervisor.createCode())
    await this.world.settle(device.redeem(url, endpoint))
    return device
  }

  /** What a relay would bring: log entries, put into the space while no supervisor runs. */
  async learn(entries: (team: Team) => Uint8Array[]): Promise<void> {
    const { world } = this
    const env = world.simulation.env('carrier')
    const store = await world.settle(world.volume.openStore(`spaces/${toHex(spaceId)}`))
    const space = await world.settle(openSpace({ store, spaceId, env, crypto: nodeCrypto }))
    for (const entry of entries(space.team)) await world.settle(space.learn({ entries: [entry] }))
    await world.settle(space.close())
  }
}

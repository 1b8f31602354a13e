/**
 * One boot of a simulated node: its ports, and their end at a power cut.
 * Invariant: after the cut no promise of a port ever settles, so that no code of the dead boot runs on beside the next one.
 */
import { createSystem } from '../../runtime/index.ts'
import type { Simulation } from '../../runtime/index.ts'
import type { MemoryNetwork, Transport } from '../../transports/index.ts'
import type { OrderedStore, SimulatedVolume, StoreSnapshot, Volume } from '../replica/index.ts'
import type { NodeWorld } from './world.ts'

export interface NodeMachine {
  readonly name: string
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly volume: SimulatedVolume
}

export class NodeBoot {
  readonly world: NodeWorld
  #alive = true

  constructor(machine: NodeMachine, boot: number, exit: () => void) {
    const { name, simulation, network, volume } = machine
    const env = simulation.env(name)
    this.world = {
      name,
      boot,
      env,
      system: createSystem({ env, name }),
      transport: this.#transport(network.transport(name)),
      volume: this.#volume(volume),
      exit: () => {
        if (this.#alive) exit()
      },
    }
  }

  end(): void {
    this.#alive = false
  }

  #live<T>(begin: () => Promise<T>): Promise<T> {
    if (!this.#alive) return new Promise(() => {})
    return new Promise((resolve, reject) => {
      begin().then(
        (value) => {
          if (this.#alive) resolve(value)
        },
        (error: unknown) => {
          if (this.#alive) reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
  }

  #transport(transport: Transport): Transport {
    return {
      name: transport.name,
      listen: (endpoint, onLink) =>
        this.#live(() =>
          transport.listen(endpoint, (link) => {
            if (this.#alive) onLink(link)
          }),
        ),
      dial: (endpoint, options) => this.#live(() => transport.dial(endpoint, options)),
    }
  }

  #volume(volume: Volume): Volume {
    return {
      at: volume.at,
      readFile: (name) => this.#live(() => volume.readFile(name)),
      writeFile: (name, bytes) => this.#live(() => volume.writeFile(name, bytes)),
      private: () => this.#live(() => volume.private()),
      createFile: (name, bytes) => this.#live(() => volume.createFile(name, bytes)),
      readPrivate: (name) => this.#live(() => volume.readPrivate(name)),
      openStore: (name) => this.#live(async () => this.#store(await volume.openStore(name))),
      list: (name) => this.#live(() => volume.list(name)),
      remove: (name) => this.#live(() => volume.remove(name)),
    }
  }

  #store(store: OrderedStore): OrderedStore {
    return {
      get: (key) => store.get(key),
      range: (options) => this.#live(() => store.range(options)),
      snapshot: () => this.#snapshot(store.snapshot()),
      batch: (operations, options) => this.#live(() => store.batch(operations, options)),
      checkSpace: (nowMs, frees) => store.checkSpace?.(nowMs, frees),
      close: () => this.#live(() => store.close()),
    }
  }

  #snapshot(snapshot: StoreSnapshot): StoreSnapshot {
    return {
      get: (key) => snapshot.get(key),
      range: (options) => this.#live(() => snapshot.range(options)),
      close: () => snapshot.close(),
    }
  }
}

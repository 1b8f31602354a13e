/**
 * A simulated device with several processes: one clock, one local network, one disk that all of them see, and a power switch for each.
 * Invariant: a process that lost its power writes no file and hears no answer any more; what others have open is not touched.
 */
import { connectIn, openIn } from '../../actors/index.ts'
import type { BlazeDBClient, ConnectToSharedOptions, Volume, World } from '../../actors/index.ts'
import { createSimulatedFiles, createSimulatedVolume } from '../../actors/replica/index.ts'
import type { SimulatedVolume } from '../../actors/replica/index.ts'
import { BlazeError, createSimulation, createSystem, nodeCrypto } from '../../runtime/index.ts'
import type { CryptoProvider, Env, Simulation } from '../../runtime/index.ts'
import { createMemoryNetwork } from '../../transports/index.ts'
import type { MemoryNetwork, NetworkFaults } from '../../transports/index.ts'

const KEY = new Uint8Array(32).fill(6)

/** One life of a process. */
export interface AppProcess {
  readonly name: string
  readonly world: World
  /** Opens the database of this name, in a directory of its own. */
  open(name: string): Promise<BlazeDBClient>
  /** Rejects as `connectToShared` does. */
  connect(options: ConnectToSharedOptions): Promise<BlazeDBClient>
  /** Nothing of it runs any more. What it had not synced is lost, or by chance there. */
  powerCut(): void
}

export class NextDoorWorld {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  /** Called with the plaintext of each record of a channel, when it is sealed for the wire. */
  onSealed: (sender: string, plaintext: Uint8Array) => void = () => {}
  readonly #disk: Env
  readonly #volumes = new Map<string, SimulatedVolume>()
  /** Who opened a store of the volume last, by path. */
  readonly #holders = new Map<string, string>()
  #pids = 100
  readonly #running = new Set<number>()
  /** Of `settle`: works that are not done, and the clock while it turns for them. */
  #waiting = 0
  #turning: Promise<unknown> | undefined

  constructor(seed: number, faults: NetworkFaults = {}) {
    this.simulation = createSimulation(seed)
    this.network = createMemoryNetwork(this.simulation.env('network'), faults)
    this.#disk = this.simulation.env('disk')
  }

  /** The disk behind a path. */
  volume(at: string): SimulatedVolume {
    const known = this.#volumes.get(at) ?? createSimulatedVolume(this.#disk)
    this.#volumes.set(at, known)
    return known
  }

  /** Paths of all volumes that were ever used. */
  get paths(): readonly string[] {
    return [...this.#volumes.keys()]
  }

  /** Boots a process; the one of this name before must be closed, or have lost its power. */
  process(name: string): AppProcess {
    const env = this.simulation.env(name)
    const life = { on: true }
    const transport = this.network.transport(name)
    const pid = this.#pids++
    this.#running.add(pid)
    const world: World = {
      env,
      system: createSystem({ env, name }),
      crypto: this.#tapped(name),
      transport,
      local: transport,
      pid,
      isRunning: (some) => this.#running.has(some),
      groupDirectory: (group) => `/groups/${group}`,
      volume: (at) => this.#seenBy(name, life, at),
      files: createSimulatedFiles(),
    }
    return {
      name,
      world,
      open: (database) =>
        this.settle(openIn(world, { name: database, at: `/${name}/${database}`, key: KEY })),
      connect: (options) => this.settle(connectIn(world, options)),
      powerCut: () => {
        life.on = false
        this.#running.delete(pid)
        this.simulation.cut(name)
        this.network.crash(name)
        for (const [at, holder] of this.#holders) if (holder === name) this.volume(at).crash()
      },
    }
  }

  /** Turns the clock until the work is done. Throws its error, or one of its own after `virtualMs`. Calls may nest and overlap. */
  async settle<T>(work: Promise<T>, virtualMs = 120_000): Promise<T> {
    const { simulation } = this
    const endMs = simulation.now() + virtualMs
    let done = false
    this.#waiting += 1
    const finish = (): void => {
      done = true
      this.#waiting -= 1
    }
    const finished = work.then(finish, finish)
    for (let beforeMs = -1; !done && simulation.now() < endMs && simulation.now() > beforeMs;) {
      beforeMs = simulation.now()
      this.#turning ??= simulation
        .run(() => this.#waiting === 0, { virtualMs })
        .finally(() => {
          this.#turning = undefined
        })
      await Promise.race([finished, this.#turning])
    }
    if (!done) throw new Error(`seed ${simulation.seed}: nothing happened within ${virtualMs} virtual ms`)
    return work
  }

  /** The code of the `BlazeError` that `work` rejects with, `TypeError`, or `ok`. */
  async code(work: () => unknown): Promise<string> {
    try {
      await this.settle(Promise.resolve(work()))
      return 'ok'
    } catch (error) {
      if (error instanceof BlazeError) return error.code
      if (error instanceof TypeError) return 'TypeError'
      throw error
    }
  }

  #seenBy(name: string, life: { readonly on: boolean }, at: string): Volume {
    const volume = this.volume(at)
    const never = new Promise<never>(() => {})
    const alive = async <T>(work: () => Promise<T>): Promise<T> => {
      if (!life.on) return never
      try {
        return await work()
      } finally {
        if (!life.on) await never
      }
    }
    return {
      at,
      private: () => alive(() => volume.private()),
      readFile: (file) => alive(() => volume.readFile(file)),
      readPrivate: (file) => alive(() => volume.readPrivate(file)),
      writeFile: (file, bytes) => alive(() => volume.writeFile(file, bytes)),
      createFile: (file, bytes) => alive(() => volume.createFile(file, bytes)),
      openStore: (store) =>
        alive(async () => {
          const opened = await volume.openStore(store)
          this.#holders.set(at, name)
          return opened
        }),
      list: (directory) => alive(() => volume.list(directory)),
      remove: (file) => alive(() => volume.remove(file)),
    }
  }

  /** Only records of a channel are sealed without associated data. */
  #tapped(sender: string): CryptoProvider {
    return {
      ...nodeCrypto,
      createAead: (key) => {
        const aead = nodeCrypto.createAead(key)
        return {
          open: (nonce, aad, sealed) => aead.open(nonce, aad, sealed),
          seal: (nonce, aad, plaintext) => {
            if (aad.length === 0) this.onSealed(sender, plaintext)
            return aead.seal(nonce, aad, plaintext)
          },
        }
      },
    }
  }
}

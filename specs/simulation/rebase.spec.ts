// time limit: 300 s
/**
 * Devices and a supervisor whose directories are put back from older copies, cloned, or lose rows, under loss, partitions and power
 * cuts: whoever does not fit rebases in bounded time, no acknowledged write is lost but with the disk that alone held it, and nothing
 * deleted comes back. The oracle knows only the public API.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeDBClient } from '../../actors/index.ts'
import { BlazeError } from '../../runtime/index.ts'
import {
  caughtUp,
  copyDirectory,
  problemsOf,
  putBack,
  RebaseOracle,
  sorted,
  writeBy,
} from './rebase-world.ts'
import type { DirectoryCopy } from './rebase-world.ts'
import { SimulatedWorld } from './world.ts'

const SEEDS = Number(process.env['SEEDS'] ?? 8)
const FIRST = Number(process.env['SEED'] ?? 1)
const DEVICES = ['a', 'b', 'c']
const STEPS = 28
const COPY_AT = 5
const FAULT_AT = 14

type Fault =
  'device restored' | 'device cloned' | 'device damaged' | 'supervisor restored' | 'supervisor damaged'

const faults: readonly Fault[] = [
  'device restored',
  'device cloned',
  'device damaged',
  'supervisor restored',
  'supervisor damaged',
]

for (const fault of faults) {
  test(`${fault}: everything converges, seeds ${FIRST} to ${FIRST + SEEDS - 1}`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) await runSeed(seed, fault)
  })
}

test('the same seed gives the same trace', async () => {
  assert.is(await runSeed(FIRST, 'device cloned'), await runSeed(FIRST, 'device cloned'))
})

test.run()

async function runSeed(seed: number, fault: Fault): Promise<string> {
  try {
    return await new Run(seed, fault).play()
  } catch (error) {
    // The runner of this file cannot print every kind of error.
    console.log(error)
    console.log(`failed: ${fault}; replay: SEED=${seed} SEEDS=1 npx tsx specs/simulation/rebase.spec.ts`)
    throw error
  }
}

class Run {
  readonly #world: SimulatedWorld
  readonly #fault: Fault
  readonly #oracle = new RebaseOracle()
  readonly #clients = new Map<string, BlazeDBClient>()
  readonly #copies = new Map<string, { readonly copy: DirectoryCopy; readonly step: number }>()
  #cloned = false
  /** Hexadecimal. */
  #space = ''
  /** The device that the fault befalls. */
  readonly #victim: string
  #done = 0

  constructor(seed: number, fault: Fault) {
    this.#world = new SimulatedWorld(seed)
    this.#fault = fault
    this.#victim = DEVICES[Math.floor(this.#world.simulation.random() * DEVICES.length)] ?? 'a'
  }

  async play(): Promise<string> {
    const { simulation, network } = this.#world
    await this.#found()
    const chance = (): number => simulation.random()
    this.#world.disturb()
    for (let step = 0; step < STEPS; step++) {
      await this.#act(step)
      await simulation.pass(chance() * 300)
    }
    assert.ok(this.#done > 0, 'the fault has befallen')
    network.setFaults({ latencyMs: 1 })
    network.heal()
    if (this.#world.supervisor === undefined) await this.#world.startSupervisor()
    for (const device of this.#devices()) await this.#client(device)
    await this.#quiesce()
    // What the tail of a store does not show, the pass over all of it finds.
    if (await this.#hasProblems()) {
      assert.ok(this.#fault.endsWith('damaged'), 'only damage leaves a store that does not verify')
      await this.#quiesce()
      assert.not(await this.#hasProblems())
    }
    // What somebody new sees is what the supervisor holds.
    const a = await this.#client('a')
    const invite = await this.#world.settle(a.invite({ role: 'writer' }))
    this.#clients.set('fresh', await this.#world.join('fresh', invite))
    await this.#quiesce()
    await this.#check()
    return simulation.traceHash()
  }

  async #found(): Promise<void> {
    const world = this.#world
    await world.startSupervisor()
    const a = await world.open('a')
    this.#clients.set('a', a)
    await world.settle(a.enableSync({ remote: world.remote(), database: 'shared' }))
    await world.settle(a.collection('notes').insert({ id: 'shared' }))
    this.#space = a.status().spaceId
    for (const device of ['b', 'c']) {
      const invite = await world.settle(a.invite({ role: 'writer' }))
      this.#clients.set(device, await world.join(device, invite))
    }
    for (const client of this.#clients.values()) await world.settle(caughtUp(client))
  }

  async #act(step: number): Promise<void> {
    const { simulation, network } = this.#world
    if (step === COPY_AT) return this.#copy(this.#victim, step)
    if (step === FAULT_AT) return this.#misfit()
    const devices = this.#devices()
    const any = devices[Math.floor(simulation.random() * devices.length)] ?? 'a'
    // What matters happens at the two branches.
    const device = simulation.random() < 0.4 ? this.#victim : any
    const kind = simulation.random()
    if (kind < 0.06) this.#powerCut(device)
    else if (kind < 0.1) this.#world.crashSupervisor()
    else if (kind < 0.15) network.partition(device, 'pi')
    else if (kind < 0.2) network.heal()
    else if (kind < 0.24) network.cut(device)
    else if (kind < 0.26) await this.#copy(this.#victim, step)
    else if (kind < 0.29 && step > FAULT_AT) await this.#misfit()
    else if (kind < 0.4) await this.#confirm(device)
    else {
      const client = await this.#client(device)
      if (this.#world.supervisor === undefined && simulation.random() < 0.5)
        await this.#world.startSupervisor()
      writeBy(this.#world, client, { device, step, oracle: this.#oracle })
    }
  }

  #devices(): string[] {
    return this.#cloned ? [...DEVICES, 'clone'] : DEVICES
  }

  async #client(device: string): Promise<BlazeDBClient> {
    const known = this.#clients.get(device)
    if (known !== undefined) return known
    const client = await this.#world.open(device)
    this.#clients.set(device, client)
    return client
  }

  #powerCut(node: string): void {
    this.#clients.delete(node)
    this.#world.crash(node)
  }

  /** Waits for the supervisor to hold what the device wrote, if it can be reached. */
  async #confirm(device: string): Promise<void> {
    const client = this.#clients.get(device)
    if (client === undefined) return
    const writes = this.#oracle.of(device)
    try {
      await this.#world.settle(caughtUp(client, 3_000))
      this.#oracle.confirmed(writes)
    } catch (error) {
      if (!(error instanceof BlazeError)) throw error
    }
  }

  #stores(node: string): string[] {
    if (node !== 'pi') return ['store']
    return [`spaces/${this.#space}`]
  }

  /** The copy that may be put back later. */
  async #copy(device: string, step: number): Promise<void> {
    const node = this.#fault.startsWith('supervisor') ? 'pi' : device
    const stores = this.#stores(node)
    if (node === 'pi') this.#world.crashSupervisor()
    else this.#powerCut(node)
    this.#copies.set(node, { copy: await copyDirectory(this.#world.volume(node), stores), step })
    if (node === 'pi') await this.#world.startSupervisor()
  }

  async #misfit(): Promise<void> {
    const world = this.#world
    const device = this.#victim
    switch (this.#fault) {
      case 'device restored': {
        const kept = this.#copies.get(device)
        if (kept === undefined) return
        this.#powerCut(device)
        await putBack(world, device, kept.copy)
        this.#oracle.forgotten(device, kept.step)
        break
      }
      case 'device cloned': {
        if (this.#cloned) return
        this.#cloned = true
        this.#powerCut(device)
        const copy = await copyDirectory(world.volume(device), ['store'])
        await putBack(world, 'clone', copy)
        break
      }
      case 'device damaged':
        this.#powerCut(device)
        await this.#loseRows(device, 'store')
        this.#oracle.forgotten(device, -1)
        break
      case 'supervisor restored': {
        const kept = this.#copies.get('pi')
        if (kept === undefined) return
        world.crashSupervisor()
        await putBack(world, 'pi', kept.copy)
        await world.startSupervisor()
        break
      }
      case 'supervisor damaged': {
        world.crashSupervisor()
        for (const store of this.#stores('pi')) await this.#loseRows('pi', store)
        await world.startSupervisor()
      }
    }
    this.#done += 1
  }

  /** Rows of one store, by chance: a lost one and a flipped bit. */
  async #loseRows(node: string, store: string): Promise<void> {
    const { simulation } = this.#world
    const volume = this.#world.volume(node)
    const rows = await volume
      .rows(store)
      .range({ gte: Uint8Array.of(0), lt: Uint8Array.of(255), limit: 1_000_000 })
    for (const kind of ['lost', 'flipped']) {
      const [key, value] = rows[Math.floor(simulation.random() * rows.length)] ?? []
      // The first byte of the format row names the format: that is another version, not damage.
      if (key === undefined || value === undefined || value.length === 0 || key[0] === 0x66) continue
      const at = Math.floor(simulation.random() * value.length)
      const flipped = value.slice()
      flipped[at] = (flipped[at] ?? 0) ^ 4
      volume.damage(store, [kind === 'lost' ? { type: 'del', key } : { type: 'put', key, value: flipped }])
    }
  }

  /** Twice: what the first pass sent up has to come down to the others. */
  async #quiesce(): Promise<void> {
    for (let pass = 0; pass < 2; pass++) {
      for (const client of this.#clients.values()) await this.#world.settle(caughtUp(client))
    }
  }

  async #hasProblems(): Promise<boolean> {
    let problems = 0
    for (const client of this.#clients.values()) problems += (await problemsOf(this.#world, client)).length
    return problems > 0
  }

  async #check(): Promise<void> {
    const world = this.#world
    const states: string[] = []
    for (const [name, client] of this.#clients) {
      assert.is(client.status().state, 'ready', name)
      const docs = await world.settle(client.collection('notes').query().all())
      this.#oracle.check(name, docs)
      states.push(JSON.stringify(docs.map(sorted).sort()))
    }
    for (const state of states) assert.is(state, states[0])
  }
}

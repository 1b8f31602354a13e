/** The supervisor's tree when a part of it crashes: what goes down with it, what comes back, and that nothing stays behind. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeDBClient } from '../../actors/index.ts'
import { limits, nodeCrypto } from '../../runtime/index.ts'
import type { System } from '../../runtime/index.ts'
import { startSupervisor } from '../../server/supervisor.ts'
import type { Supervisor } from '../../server/supervisor.ts'
import { createMemoryNetwork } from '../../transports/index.ts'
import { SimulatedWorld } from '../simulation/world.ts'
import { crashCell } from './crash-cell.ts'
import { createWorld } from './world.ts'

const PARTS = [
  '/supervisor/storage',
  '/supervisor/access',
  '/supervisor/clients',
  '/supervisor/listeners',
  '/supervisor/listeners/tls',
]

class Stage {
  readonly world: SimulatedWorld
  readonly supervisor: Supervisor
  readonly writer: BlazeDBClient
  readonly reader: BlazeDBClient
  #records = 0

  private constructor(
    world: SimulatedWorld,
    parts: {
      readonly supervisor: Supervisor
      readonly writer: BlazeDBClient
      readonly reader: BlazeDBClient
    },
  ) {
    this.world = world
    this.supervisor = parts.supervisor
    this.writer = parts.writer
    this.reader = parts.reader
  }

  /** A supervisor and two devices that share a space. */
  static async start(): Promise<Stage> {
    const world = new SimulatedWorld(1)
    const supervisor = await world.startSupervisor()
    const writer = await world.open('writer')
    await world.settle(writer.enableSync({ remote: world.remote(), database: 'shared' }))
    const reader = await world.join('reader', await world.settle(writer.invite({ role: 'writer' })))
    const stage = new Stage(world, { supervisor, writer, reader })
    await stage.sync()
    return stage
  }

  get system(): System {
    return this.supervisor.system
  }

  /** One record travels from device to device, although the one that receives asks for nothing. */
  async sync(): Promise<void> {
    const id = `record-${++this.#records}`
    await this.world.settle(this.writer.collection('notes').insert({ id }))
    let seen = false
    const live = this.reader
      .collection('notes')
      .query()
      .live(({ added }) => {
        seen ||= added.some((doc) => doc.id === id)
      })
    assert.ok(await this.world.simulation.run(() => seen, { virtualMs: 30_000 }), `${id} arrived`)
    live.close()
  }

  /** Crashes a part; returns the parts that were seen down until health was good again. */
  async crash(path: string): Promise<string[]> {
    const down = new Set<string>()
    crashCell(this.system, path)
    const healed = await this.world.simulation.run(
      () => {
        const { ok, failed } = this.supervisor.health()
        for (const part of failed) down.add(part)
        return ok && down.size > 0
      },
      { virtualMs: 10_000 },
    )
    assert.ok(healed, `health is good again after a crash of ${path}`)
    return [...down].sort((a, b) => PARTS.indexOf(a) - PARTS.indexOf(b))
  }

  restarts(): Record<string, number> {
    return Object.fromEntries(
      this.system
        .tree()
        .filter(({ path }) => PARTS.includes(path))
        .map(({ path, restarts }) => [path, restarts]),
    )
  }

  connections(): string[] {
    return this.system
      .tree()
      .filter(({ kind }) => kind === 'connection')
      .map(({ path }) => path)
  }

  spacePath(): string {
    const path = this.system.tree().find(({ kind }) => kind === 'space')?.path
    assert.ok(path !== undefined)
    return path ?? ''
  }

  /** Stops everything; every store can be opened again, so none was left locked. */
  async end(): Promise<void> {
    const { world } = this
    const stores = ['access', `spaces/${this.spacePath().split('space-')[1]}`]
    for (const client of [this.writer, this.reader]) await world.settle(client.close())
    await world.settle(this.supervisor.stop())
    assert.equal(this.system.tree(), [])
    for (const name of stores) await (await world.settle(world.volume('pi').openStore(name))).close()
  }
}

for (const [part, after] of [
  ['/supervisor/storage', 0],
  ['/supervisor/access', 1],
  ['/supervisor/clients', 2],
  ['/supervisor/listeners', 3],
] as const)
  test(`a crash of ${part} restarts it and what comes after it, and devices sync again`, async () => {
    const stage = await Stage.start()
    const { endpoint } = stage.supervisor
    const connections = stage.connections()

    const down = await stage.crash(part)
    await stage.sync()

    assert.equal(down, PARTS.slice(after))
    for (const [path, restarts] of Object.entries(stage.restarts()))
      // The listener is below a branch that began anew: for the tree it is another cell.
      if (path !== '/supervisor/listeners/tls')
        assert.is(restarts, PARTS.indexOf(path) >= after ? 1 : 0, path)
    assert.equal(stage.supervisor.endpoint, endpoint)
    // Names are not used again: a message of a former life must not mean somebody else.
    const kept = stage.connections().filter((path) => connections.includes(path))
    assert.equal(kept, part === '/supervisor/listeners' ? connections : [])
    assert.is(stage.supervisor.health().clients, 2)
    assert.is(stage.supervisor.status().databaseList[0]?.clients, 2)
    await stage.end()
  })

test('a crash of the listener restarts it alone: clients stay connected', async () => {
  const stage = await Stage.start()

  const down = await stage.crash('/supervisor/listeners/tls')
  await stage.sync()

  assert.equal(down, ['/supervisor/listeners/tls'])
  assert.is(stage.supervisor.health().clients, 2)
  stage.world.network.cut('reader')
  await stage.sync()
  await stage.end()
})

test('a crash of a space’s cell cuts off its clients alone, and none of them waits on the old one', async () => {
  const stage = await Stage.start()

  crashCell(stage.system, stage.spacePath())
  await stage.sync()

  assert.is(stage.supervisor.health().ok, true)
  assert.is(stage.supervisor.status().databaseList[0]?.clients, 2)
  assert.equal(new Set(Object.values(stage.restarts())), new Set([0]))
  await stage.end()
})

test('a crash of a connection is the affair of its client, which dials again', async () => {
  const stage = await Stage.start()
  for (const path of stage.connections()) crashCell(stage.system, path)

  await stage.sync()

  assert.is(stage.supervisor.health().clients, 2)
  assert.is(stage.supervisor.status().databaseList[0]?.clients, 2)
  assert.equal(new Set(Object.values(stage.restarts())), new Set([0]))
  await stage.end()
})

test('parts that crash more often than the intensity allows, together, take the tree down and say so', async () => {
  const failures: string[] = []
  const world = createWorld()
  const { simulation, env, volume } = world
  const network = createMemoryNetwork(simulation.env('network'))
  const start = (): Promise<Supervisor> =>
    world.settle(
      startSupervisor({
        world: { env, crypto: nodeCrypto, volume, transport: network.transport('pi') },
        listen: { transport: 'memory', host: 'pi', port: 1 },
        onFailed: ({ code }) => failures.push(code),
      }),
    )
  const supervisor = await start()
  for (let crash = 0; crash <= limits.restartIntensity; crash++) {
    assert.equal(failures, [])
    crashCell(supervisor.system, ['/supervisor/access', '/supervisor/clients'][crash % 2] ?? '')
    await simulation.run(() => !supervisor.health().ok, { virtualMs: 10_000 })
    await simulation.run(() => supervisor.health().ok || failures.length > 0, { virtualMs: 10_000 })
  }

  assert.equal(failures, ['CELL_DOWN'])
  assert.equal(supervisor.system.tree(), [])
  assert.equal(supervisor.health().failed, PARTS)
  await world.settle(supervisor.stop())
  assert.is((await start()).health().ok, true)
})

test.run()

/** One database on a simulated disk, asked directly, that can lose its power. */
import { openDatabase, parseDoc } from '../../../actors/database/index.ts'
import type {
  Database,
  Doc,
  DocInput,
  GuestPolicy,
  GuestWritten,
  MirrorPage,
  RecordInput,
  WriteStep,
} from '../../../actors/database/index.ts'
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { SimulatedVolume } from '../../../actors/replica/index.ts'
import { createSimulation, createSystem, nodeCrypto } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { settle } from '../../fixtures/settle.ts'

export interface OneDatabase {
  readonly simulation: Simulation
  readonly volume: SimulatedVolume
  database: Database
  settle<T>(work: Promise<T>): Promise<T>
  write(step: WriteStep, collection: string, ...docs: DocInput[]): Promise<void>
  delete(collection: string, id: string): Promise<boolean>
  get(collection: string, id: string): Promise<Doc | undefined>
  page(after: number, limit?: number): Promise<MirrorPage>
  guestWrite(
    policy: GuestPolicy,
    step: WriteStep | 'delete',
    collection: string,
    ...docs: DocInput[]
  ): Promise<boolean>
  guestWritten(
    policy: GuestPolicy,
    step: WriteStep | 'delete',
    collection: string,
    ...docs: DocInput[]
  ): Promise<GuestWritten>
  close(): Promise<void>
  /** The next `boot` finds what the disk has. */
  powerCut(): void
  boot(): Promise<void>
}

export async function createOneDatabase(seed = 1): Promise<OneDatabase> {
  const simulation = createSimulation(seed)
  const volume = createSimulatedVolume(simulation.env('disk'))
  const open = (): Promise<Database> => {
    const env = simulation.env('app')
    const world = { env, system: createSystem({ env }), crypto: nodeCrypto }
    return one.settle(
      openDatabase(world, { name: 'db', volume, secret: { key: new Uint8Array(32).fill(7) } }),
    )
  }
  const one: Omit<OneDatabase, 'database'> & { database?: Database } = {
    simulation,
    volume,
    settle: (work) => settle(simulation, work),
    write: (step, collection, ...docs) =>
      database().request((reply) => ({
        type: 'record.write',
        step,
        collection,
        inputs: inputsOf(docs),
        reply,
      })),
    delete: (collection, id) =>
      database().request((reply) => ({ type: 'record.delete', collection, id, reply })),
    get: (collection, id) => database().request((reply) => ({ type: 'record.get', collection, id, reply })),
    page: (after, limit = 256) =>
      database().request((reply) => ({ type: 'mirror.page', after, limit, reply })),
    guestWrite: (policy, step, collection, ...docs) =>
      one.guestWritten(policy, step, collection, ...docs).then(({ existed }) => existed),
    guestWritten: (policy, step, collection, ...docs) =>
      database().request((reply) => ({
        type: 'guest.write',
        step,
        collection,
        inputs: inputsOf(docs),
        policy,
        reply,
      })),
    close: () => one.settle(database().close()),
    powerCut() {
      volume.crash()
      simulation.cut('app')
    },
    async boot() {
      one.database = await open()
    },
  }
  const database = (): Database => {
    if (one.database === undefined) throw new Error('not open')
    return one.database
  }
  await one.boot()
  return one as OneDatabase
}

function inputsOf(docs: readonly DocInput[]): RecordInput[] {
  return docs.map((doc) => {
    const { id, values } = parseDoc(doc)
    if (id === undefined) throw new TypeError('a document of a spec names its id')
    return { id, values }
  })
}

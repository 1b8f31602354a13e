/** A host that shares a database and guests of it, for specs of the API: one app a process, app ids are the names of the processes. */
import { ExportPolicy } from '../../../actors/index.ts'
import type {
  BlazeDBClient,
  CrossAppShare,
  ExportPolicyOptions,
  Grants,
  SharedMode,
  SharedSource,
} from '../../../actors/index.ts'
import { NextDoorWorld, type AppProcess } from '../../simulation/next-door-world.ts'

export const GROUP = 'tracker'
export const DATABASE = 'bugs'

export interface Neighbours {
  readonly world: NextDoorWorld
  /** The host as it runs now. */
  host: AppProcess
  db: BlazeDBClient
  share: CrossAppShare
  /** Boots the app and connects it; `process` is one that runs already. */
  readonly connect: (app: string, mode?: SharedMode, process?: AppProcess) => Promise<BlazeDBClient>
  readonly settle: <T>(work: Promise<T>) => Promise<T>
  readonly code: (work: () => unknown) => Promise<string>
  /** Lets everything on its way arrive. */
  readonly quiet: () => Promise<void>
  /** Boots the host again and shares anew. */
  readonly rehost: (policy: ExportPolicyOptions, grants?: Grants) => Promise<void>
}

export async function neighbours(policy: ExportPolicyOptions, grants?: Grants): Promise<Neighbours> {
  const world = new NextDoorWorld(1, { latencyMs: 1 })
  const hosting = await startHost(world, policy, grants)
  const all: Neighbours = {
    world,
    ...hosting,
    connect: (app, mode = 'readOnly', process = world.process(app)) =>
      process.connect({ appGroup: GROUP, database: DATABASE, mode, app }),
    settle: (work) => world.settle(work),
    code: (work) => world.code(work),
    quiet: () => world.simulation.pass(300),
    async rehost(anew, granted) {
      Object.assign(all, await startHost(world, anew, granted))
    },
  }
  return all
}

async function startHost(
  world: NextDoorWorld,
  policy: ExportPolicyOptions,
  grants?: Grants,
): Promise<Pick<Neighbours, 'host' | 'db' | 'share'>> {
  const host = world.process('host')
  const db = await host.open(DATABASE)
  const share = await world.settle(
    db.enableCrossAppSync({
      appGroup: GROUP,
      app: 'host',
      exportPolicy: new ExportPolicy(policy),
      ...(grants === undefined ? {} : { grants }),
    }),
  )
  return { host, db, share }
}

/** All records of a collection, in the order of their ids. */
export async function contents(
  near: Pick<Neighbours, 'settle'>,
  client: BlazeDBClient,
  name: string,
): Promise<object[]> {
  const docs = await near.settle(client.collection(name).query().all())
  return docs.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** The handle of a client that is a guest. */
export function sourceOf({ shared }: BlazeDBClient): SharedSource {
  if (shared === undefined) throw new Error('expected a guest')
  return shared
}

/** Everything that runs in the process. */
export function cells({ world }: AppProcess): string[] {
  return world.system.tree().map(({ path }) => path)
}

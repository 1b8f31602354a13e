/** Databases of one space on several simulated devices, and a wire between any two of them. */
import { deviceOf, foundSpace, openDatabase } from '../../../actors/database/index.ts'
import type { Database, DatabaseIdentity, Doc, DocInput, WriteStep } from '../../../actors/database/index.ts'
import { parseDoc, queryOf } from '../../../actors/database/index.ts'
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { SimulatedVolume } from '../../../actors/replica/index.ts'
import { encodeAnnouncement } from '../../../actors/team/index.ts'
import type { Role, Space } from '../../../actors/team/index.ts'
import { BlazeError, createSimulation, createSystem, nodeCrypto } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { settle as settleIn } from '../../fixtures/settle.ts'

export interface Member {
  readonly name: string
  readonly volume: SimulatedVolume
  database: Database
  write(step: WriteStep, id: string, doc: DocInput): Promise<string>
  delete(id: string): Promise<string>
  get(id: string): Promise<Doc | undefined>
  all(): Promise<Doc[]>
  reopen(): Promise<void>
  /** Loses its power, and opens again. */
  crash(): Promise<void>
}

export interface Members {
  readonly simulation: Simulation
  settle<T>(work: Promise<T>): Promise<T>
  /** The first one is the owner. */
  add(name: string, options?: MemberOptions): Promise<Member>
  /** Sends everything that `to` lacks. */
  send(from: Member, to: Member): Promise<void>
}

export interface MemberOptions {
  readonly role?: Role
  readonly clockOffsetMs?: number
  /** Epoch keys instead of the owner's. */
  readonly epochs?: DatabaseIdentity['epochs']
}

const secret = { key: new Uint8Array(32).fill(9) }
const collection = 'c'

export function createMembers(seed = 1): Members {
  const simulation = createSimulation(seed)
  let owner: Member | undefined
  const settle = <T>(work: Promise<T>): Promise<T> => settleIn(simulation, work)
  const add = async (name: string, options: MemberOptions = {}): Promise<Member> => {
    const env = simulation.env(name, { clockOffsetMs: options.clockOffsetMs ?? 0 })
    const volume = createSimulatedVolume(simulation.env(`${name}-disk`))
    const world = { env, system: createSystem({ env }), crypto: nodeCrypto }
    const birth = owner === undefined ? undefined : await invited(owner.database, env, options)
    const base = { name, volume, secret }
    const database = await settle(openDatabase(world, birth === undefined ? base : { ...base, birth }))
    const member: Member = {
      name,
      volume,
      database,
      write: (step, id, doc) =>
        codeOf(
          member.database.request<void>((reply) => ({
            type: 'record.write',
            step,
            collection,
            inputs: [{ id, values: parseDoc(doc).values }],
            reply,
          })),
        ),
      delete: (id) =>
        codeOf(
          member.database.request<boolean>((reply) => ({ type: 'record.delete', collection, id, reply })),
        ),
      get: (id) =>
        settle(member.database.request((reply) => ({ type: 'record.get', collection, id, reply }))),
      all: async () => {
        const query = queryOf(collection)
        const docs = await settle(
          member.database.request<Doc[]>((reply) => ({ type: 'query.all', query, reply })),
        )
        return docs.sort((a, b) => (a.id < b.id ? -1 : 1))
      },
      reopen: async () => {
        await settle(member.database.close())
        member.database = await settle(openDatabase(world, base))
      },
      crash: async () => {
        volume.crash()
        await codeOf(member.database.close())
        member.database = await settle(openDatabase(world, base))
      },
    }
    const codeOf = async (work: Promise<unknown>): Promise<string> => {
      try {
        await settle(work)
        return 'ok'
      } catch (error) {
        if (error instanceof BlazeError) return error.code
        throw error
      }
    }
    owner ??= member
    return member
  }
  const invited = async (
    of: Database,
    env: ReturnType<Simulation['env']>,
    { role = 'writer', epochs }: MemberOptions,
  ): Promise<DatabaseIdentity> => {
    const fresh = foundSpace({ crypto: nodeCrypto, env })
    const keys = deviceOf(fresh, nodeCrypto)
    const space = spaceOf(of)
    const entry = space.team.authorEntry({
      body: { type: 'add', role, keys: keys.keys },
      signer: deviceOf(of.identity, nodeCrypto).signer,
      nowMs: env.now(),
    })
    const announcement = encodeAnnouncement({
      spaceId: space.spaceId,
      replicaId: fresh.replica,
      n: 1,
      signer: keys.signer,
    })
    await settle(space.learn({ entries: [entry], announcements: [announcement] }))
    const { space: spaceId, tagKey } = of.identity
    return {
      ...fresh,
      space: spaceId,
      tagKey,
      epochs: epochs ?? of.identity.epochs,
      genesis: { entries: space.team.entries(), announcements: space.team.announcements() },
    }
  }
  return { simulation, settle, add, send: (from, to) => settle(send(from.database, to.database)) }
}

export function spaceOf(database: Database): Space {
  const { space } = database
  if (space === undefined) throw new Error('the database is not open')
  return space
}

async function send(from: Database, to: Database): Promise<void> {
  const [source, target] = [spaceOf(from), spaceOf(to)]
  await target.learn({ entries: source.team.entries(), announcements: source.team.announcements() })
  const round = source.replica.startRound({ peerVector: target.replica.vector() })
  try {
    for (let last = false; !last;) {
      const part = await round.next(65_536)
      last = part.last
      await target.replica.applyPart({
        peer: deviceOf(from.identity, nodeCrypto).keys.signKey,
        incarnation: source.replica.incarnation,
        upTo: part.upTo,
        items: part.items,
        roundEnd: last,
      })
    }
  } finally {
    round.close()
  }
}

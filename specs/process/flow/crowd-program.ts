/**
 * Many devices in one process, each with keys, a connection and a relay of its own, and one copy of their database between them: what a
 * supervisor holds for a device is the same, and a thousand fit a spec.
 */
import { pair } from '../../../actors/connection/pair.ts'
import { encodeDatabaseRegistration } from '../../../actors/connection/request.ts'
import { Session } from '../../../actors/connection/session.ts'
import { relay } from '../../../actors/relay/index.ts'
import type { RelayReport } from '../../../actors/relay/index.ts'
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import { createDeviceIdentity } from '../../../actors/team/device.ts'
import { encodeEntry, enrolmentPsk, entryHash, openSpace, parseCode } from '../../../actors/team/index.ts'
import type { DeviceIdentity, EntryBody, Space } from '../../../actors/team/index.ts'
import { createNodeEnv, createSystem, nodeCrypto } from '../../../runtime/index.ts'
import { answerParent } from '../../../scripts/process/call.ts'
import { createTlsTransport, dialChannel } from '../../../transports/index.ts'
import type { Channel } from '../../../transports/index.ts'

export interface CrowdCalls {
  /** Resolves when `count` devices of a new database are connected and in sync. */
  gather(body: { code: string; name: string; count: number }): Promise<void>
  /** Of those, how many are connected and in sync now. */
  inSync(body: null): Promise<number>
}

const env = createNodeEnv()
const crypto = nodeCrypto
const transport = createTlsTransport(env)
const system = createSystem({ env, name: 'crowd' })
/** Dialled at a time: fewer than those that a supervisor lets stay without proof from one address. */
const DIALS = 16
const REGISTER = 1

interface Guest {
  report: RelayReport | undefined
  gone: boolean
}
const guests: Guest[] = []

async function gather({
  code: url,
  name,
  count,
}: {
  code: string
  name: string
  count: number
}): Promise<void> {
  const code = parseCode(url)
  if (code.kind !== 'enroll') throw new TypeError('code: expected one of an enrolment')
  const { host, port, serverKey } = code
  const endpoint = { transport: 'tls', host, port } as const
  const devices = Array.from({ length: count }, () => createDeviceIdentity({ crypto, env }))
  const [owner] = devices
  if (owner === undefined) throw new TypeError('count: expected at least 1')
  const paired = await pair({
    env,
    crypto,
    transport,
    endpoints: [endpoint],
    serverKey,
    staticKey: owner.dhScalar,
    device: owner.signer,
    id: code.codeId,
    psk: enrolmentPsk(crypto, code),
  })
  const server = { signKey: paired.serverDevice, dhKey: serverKey }
  const space = await teamOf(devices, server)

  const connect = async (device: DeviceIdentity): Promise<void> => {
    const link = await transport.dial(endpoint, { timeoutMs: 10_000 })
    const keys = { staticKey: device.dhScalar, device: device.signer }
    const { channel } = await dialChannel(link, { env, crypto, pattern: 'XK', serverKey, ...keys })
    await follow(channel, space, paired.serverDevice, device === owner ? name : undefined)
  }
  await connect(owner)
  const rest = devices.slice(1)
  await Promise.all(
    Array.from({ length: DIALS }, async () => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) await connect(next)
    }),
  )
}

/** A new space that all of them belong to. */
async function teamOf(devices: readonly DeviceIdentity[], server: DeviceIdentity['keys']): Promise<Space> {
  const spaceId = env.entropy(16)
  const [owner] = devices
  if (owner === undefined) throw new TypeError('devices: expected some')
  const entries: Uint8Array[] = []
  const append = (body: EntryBody): void => {
    const last = entries.at(-1)
    const parents = last === undefined ? [] : [entryHash(last, crypto)]
    entries.push(encodeEntry({ spaceId, createdMs: env.now(), parents, body, signer: owner.signer }, crypto))
  }
  append({ type: 'create', spaceId, keys: owner.keys })
  append({ type: 'add', role: 'relay', keys: server })
  for (const { keys } of devices.slice(1)) append({ type: 'add', role: 'writer', keys })
  const volume = createSimulatedVolume(env, { latencyMsMax: 0 })
  const space = await openSpace({ store: await volume.openStore('store'), spaceId, env, crypto })
  await space.learn({ entries })
  return space
}

/** Resolves when the device is in sync over the channel. */
async function follow(channel: Channel, space: Space, peer: Uint8Array, name?: string): Promise<void> {
  const guest: Guest = { report: undefined, gone: false }
  guests.push(guest)
  let settle: (error?: unknown) => void = () => {}
  const inSync = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error))
  })
  const end = (error: unknown): void => {
    guest.gone = true
    settle(error ?? new Error('the supervisor said goodbye'))
  }
  const session = new Session({
    channel,
    env,
    handlers: { request() {}, open() {}, reset: (_, error) => end(error), closed: end },
  })
  if (name !== undefined)
    await session.request(REGISTER, encodeDatabaseRegistration({ name, spaceId: space.spaceId }), 10_000)
  const stream = session.openStream(space.spaceId)
  const ref = system.spawn({
    name: `relay-${guests.length}`,
    restart: 'temporary',
    behaviour: relay({
      space,
      peer,
      crypto,
      stream: session.stream(stream),
      report: (report) => {
        guest.report = report
        if (report.caughtUp) settle()
      },
      ended: end,
      violated: end,
    }),
  })
  session.route(stream, ref)
  await inSync
}

const calls: CrowdCalls = {
  gather,
  inSync: async () => guests.filter(({ gone, report }) => !gone && report?.caughtUp === true).length,
}

answerParent(calls, async () => {
  await system.stop()
})

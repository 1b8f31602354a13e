/**
 * How a device comes into a team: an admin's invite, and the newcomer's join (DESIGN §10).
 * Invariant: the supervisor is given the channel key only; box and join key are derived on the devices.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import { encodeInviteRegistration, INVITE_REGISTER, pair } from '../connection/index.ts'
import { deviceOf, type Database, type DatabaseIdentity } from '../database/index.ts'
import {
  createDeviceIdentity,
  createInvite,
  deriveInviteKeys,
  formatCode,
  openBox,
  parseCode,
  roleNumber,
  sealBox,
} from '../team/index.ts'
import type { InviteCode } from '../team/index.ts'
import type { WaitOptions } from './deadline.ts'
import { endpointsOf } from './remote-endpoints.ts'
import { decodeRemote, encodeRemote } from './remote-node.ts'
import type { DatabaseSync } from './sync.ts'
import type { World } from './world.ts'

export interface InviteOptions extends WaitOptions {
  readonly role: 'writer' | 'reader'
  /** Milliseconds until it expires, by the supervisor's clock. Default 15 minutes. */
  readonly expiresInMs?: number
}

/**
 * Resolves with the URL of an invite for one device, when the supervisor durably holds it. Rejects with `NOT_SYNCED`, `OFFLINE`,
 * `FORBIDDEN` unless this device is owner or admin, `TIMEOUT`.
 */
export async function invite(
  world: World,
  database: Database,
  sync: DatabaseSync | undefined,
  options: InviteOptions,
): Promise<string> {
  const { role, expiresInMs = limits.inviteExpiryMs, timeoutMs = limits.waitMs } = options
  if (role !== 'writer' && role !== 'reader') {
    if (role === 'owner' || role === 'admin')
      throw new BlazeError('NOT_SUPPORTED', `an invite for ${String(role)} is not in this version`)
    throw new TypeError(`role: expected 'writer' or 'reader', got ${String(role)}`)
  }
  if (!(expiresInMs > 0 && expiresInMs <= limits.inviteExpiryMsMax)) {
    throw new TypeError(
      `expiresInMs: expected more than 0 and at most ${limits.inviteExpiryMsMax}, got ${expiresInMs}`,
    )
  }
  const remote = decodeRemote(database.identity.remote)
  const { space } = database
  if (remote === undefined || sync === undefined || space === undefined) {
    throw new BlazeError('NOT_SYNCED', 'an invite needs a supervisor: call enableSync first')
  }
  // A first connection that is under way is waited for; a supervisor that did not answer is not.
  await sync.wait('invite', { ...options, timeoutMs }, () => {
    if (sync.isOnline()) return true
    if (sync.status().attempts > 0)
      throw new BlazeError('OFFLINE', `an invite needs the supervisor: ${sync.why()}`)
    return false
  })
  const { crypto, env } = world
  const { identity } = database
  const { signer } = deviceOf(identity, crypto)
  const expiresMs = env.now() + Math.ceil(expiresInMs)
  const made = createInvite({ crypto, env, spaceId: space.spaceId })
  const joinKey = made.keys.joinSigner.publicKey
  const entry = space.team.authorEntry({
    body: { type: 'invite', inviteId: made.inviteId, joinKey, role, expiresMs },
    signer,
    nowMs: env.now(),
  })
  await space.learn({ entries: [entry] })
  const inviteHash = crypto.sha256(entry)
  const { tagKey, epochs } = identity
  const contents = { spaceId: space.spaceId, tagKey, inviteHash, epochs }
  const box = sealBox({ crypto, env, boxKey: made.keys.boxKey, inviteId: made.inviteId, contents })
  const body = encodeInviteRegistration({
    inviteId: made.inviteId,
    spaceId: space.spaceId,
    channelKey: made.keys.channelKey,
    role: roleNumber(role),
    expiresMs,
    box,
  })
  await register(world, sync, body, env.monotonic() + timeoutMs, options.signal)
  const { host, port, serverKey } = remote
  const { inviteId, secret } = made
  return formatCode({
    kind: 'invite',
    host,
    port,
    secret,
    serverKey,
    inviteId,
    spaceId: space.spaceId,
    inviteHash,
  })
}

/** The entry travels on another stream than the request; until it has arrived the supervisor answers `NOT_SYNCED`. */
async function register(
  world: World,
  sync: DatabaseSync,
  body: Uint8Array,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    if (signal?.aborted === true) throw new BlazeError('ABORTED', 'invite: the caller aborted')
    const leftMs = deadlineMs - world.env.monotonic()
    if (leftMs <= 0) throw new BlazeError('TIMEOUT', `invite: not confirmed in time: ${sync.why()}`)
    try {
      await sync.request(INVITE_REGISTER, body, Math.min(leftMs, limits.requestTimeoutMs))
      return
    } catch (error) {
      if (!(error instanceof BlazeError) || error.code !== 'NOT_SYNCED') throw error
      await new Promise<void>((resolve) => void world.env.after(limits.inviteRetryMs, resolve))
    }
  }
}

/**
 * Redeems the invite and makes the identity of the newcomer's replica. Rejects with `CODE_INVALID CODE_USED CODE_EXPIRED
 * SERVER_KEY_MISMATCH UNREACHABLE`. The invite is used up from then on: a crash before the identity is written loses it.
 */
export async function redeemInvite(
  world: World,
  url: string,
  options: WaitOptions,
): Promise<DatabaseIdentity> {
  const code = inviteCode(url)
  const { crypto, env } = world
  const { boxKey, channelKey } = deriveInviteKeys({ crypto, secret: code.secret, spaceId: code.spaceId })
  const device = createDeviceIdentity({ crypto, env })
  const { host, port, serverKey, inviteId, spaceId, inviteHash } = code
  const paired = await pair({
    env,
    crypto,
    transport: world.transport,
    endpoints: endpointsOf(world, { host, port }),
    id: inviteId,
    psk: channelKey,
    serverKey,
    staticKey: device.dhScalar,
    device: device.signer,
    ...options,
  })
  const { tagKey, epochs } = openBox({ crypto, boxKey, inviteId, spaceId, inviteHash, box: paired.result })
  return {
    space: spaceId,
    replica: env.entropy(8),
    replicaN: 1,
    signSeed: device.signSeed,
    dhScalar: device.dhScalar,
    tagKey,
    epochs,
    mirrors: [],
    remote: encodeRemote({ host, port, serverKey, serverDevice: paired.serverDevice, database: '' }),
    join: url.trim(),
  }
}

function inviteCode(url: string): InviteCode {
  if (typeof url !== 'string') throw new TypeError('invite: expected the URL of an invite')
  const code = parseCode(url)
  if (code.kind !== 'invite') {
    throw new BlazeError('CODE_INVALID', 'expected an invite, got an enrolment code; pass it to enableSync')
  }
  return code
}

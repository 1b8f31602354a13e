/**
 * A modified guest in a process of its own: it has the key of the group, speaks the protocol, and says whatever its parent wants.
 * Invariant: it keeps to no bound but those that its own memory needs; what it answers is what the host let it see.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import { createDirectoryVolume } from '../../actors/index.ts'
import { encodeRequest, parseResponse } from '../../actors/connection/request.ts'
import type { DocInput, WriteStep } from '../../actors/database/index.ts'
import { openAppGroup } from '../../actors/topology/group/index.ts'
import { encodeMirrorWrite, MIRROR_MARK, MIRROR_WRITE } from '../../actors/topology/mirror/index.ts'
import { BlazeError, createNodeEnv, nodeCrypto } from '../../runtime/index.ts'
import { createUdsTransport, frameType } from '../../transports/index.ts'
import { BareGuest } from '../actors/topology/host/bare-guest.ts'
import { answerParent } from '../../scripts/process/call.ts'
import { Forgery, offences } from './next-door-offence.ts'
import type { Place } from './next-door-program.ts'

interface Named {
  /** Of the connection, in every later call. */
  readonly name: string
}

export interface EnterBody extends Named {
  readonly group: Place
  readonly app: string
  /** The socket that is dialled. */
  readonly database: string
  /** Comes with a key that nobody has registered, or without the key of the group. */
  readonly lacks?: 'registration' | 'group key'
}

export interface AttachBody extends Named {
  readonly mode: 'readOnly' | 'readWrite'
  /** That is asked for. */
  readonly database: string
  /** As if it had all of the host's first arrivals, under a policy of this version. */
  readonly cursor?: { readonly policy: Uint8Array; readonly arrival: number }
}

export interface RawCalls {
  /** Rejects with the code of the refusal. */
  enter(body: EnterBody): Promise<void>
  /** Resolves when everything was received; rejects with why not. */
  attach(
    body: AttachBody,
  ): Promise<{ full: boolean; readOnly: boolean; collections: readonly string[]; ids: string[] }>
  write(
    body: Named & { step: WriteStep | 'delete'; collection: string; id: string; doc: DocInput },
  ): Promise<{ existed: boolean }>
  /** Those of the texts that came in any message. */
  saw(body: Named & { texts: readonly string[] }): Promise<string[]>
  ids(body: Named): Promise<string[]>
  /** As fast as it can, whatever the answers; they are counted by code. */
  flood(
    body: Named & { count: number; records: number; bytes: number; collection: string },
  ): Promise<Record<string, number>>
  /** Asks so often, and reads no answer. Resolves with what was sent. */
  floodBlindly(body: Named & { count: number }): Promise<void>
  /** Reads no more: gives no credit back, or leaves it in the socket. */
  stall(body: Named & { how: 'credit' | 'socket' }): Promise<void>
  /** Reads again; resolves when it has the record as it was in this round, or with how the host has ended it. */
  goOn(body: Named & { collection: string; id: string; round: number }): Promise<string>
  offences(body: null): Promise<string[]>
  /** Resolves with how the host ended the link. */
  offend(body: Named & { offence: string }): Promise<string>
  /** Sends bytes that are no record of the channel. */
  babble(body: Named): Promise<string>
  /** Random bytes to the socket, of connections that never begin a handshake. Resolves when all were hung up on. */
  shout(body: { path: string; connections: number }): Promise<void>
  /** Connections that say nothing; resolves when they are made, or refused. They end with `leaveAll`. */
  loiter(body: { path: string; connections: number }): Promise<void>
  /** Opens streams, as many as its own side allows. Resolves with how the host ended the link. */
  openStreams(body: Named & { count: number }): Promise<string>
  /** So many links at once, each with a handshake and a mirror; counts them by how that ended. */
  crowd(body: EnterBody & { links: number }): Promise<Record<string, number>>
  leave(body: Named): Promise<void>
  leaveAll(body: null): Promise<void>
}

/** The host says how it ends a link, or it does not. */
const ENDED_MS_MAX = 5_000
const SEEN_MS_MAX = 30_000
/** Between two looks at all rows. */
const LOOK_MS = 100
/** A flood overwrites what it has written after so many. */
const FLOOD_WRITES = 10

const env = createNodeEnv()
const guests = new Map<string, { guest: BareGuest; forgery: Forgery }>()
const silent: ReturnType<typeof connect>[] = []

async function enter({ name, group: place, app: id, database, lacks }: EnterBody): Promise<BareGuest> {
  const group = await openAppGroup({ volume: createDirectoryVolume, env, crypto: nodeCrypto }, place)
  const registered = await group.app(id)
  const stranger = { id, staticKey: registered.staticKey, device: nodeCrypto.createSigner(randomBytes(32)) }
  const forgery = new Forgery(nodeCrypto)
  const guest = new BareGuest({
    env,
    transport: createUdsTransport(env, nodeCrypto),
    group,
    database,
    app: lacks === 'registration' ? stranger : registered,
    dial: {
      crypto: forgery.crypto,
      ...(lacks === 'group key' ? { psk: new Uint8Array(randomBytes(32)) } : {}),
    },
  })
  guests.set(name, { guest, forgery })
  await guest.connect()
  return guest
}

function guestOf({ name }: Named): BareGuest {
  const entry = guests.get(name)
  if (entry === undefined) throw new Error(`no connection ${name}`)
  return entry.guest
}

/** False when that did not happen in time. */
async function until(happened: () => boolean, timeoutMs: number, lookMs = 2): Promise<boolean> {
  const sinceMs = performance.now()
  while (!happened()) {
    if (performance.now() - sinceMs > timeoutMs) return false
    await sleep(lookMs)
  }
  return true
}

async function ending(guest: BareGuest): Promise<string> {
  await until(() => guest.closed !== undefined, ENDED_MS_MAX)
  return guest.closed ?? 'still open'
}

async function attach(guest: BareGuest, { mode, database, cursor }: Omit<AttachBody, 'name'>): Promise<void> {
  const resets = guest.resets.length
  const known = cursor === undefined ? {} : { cursor: { ...cursor, space: NO_ID, incarnation: NO_ID } }
  guest.attach({ mode, database, ...known })
  const over = (): boolean => guest.closed !== undefined || guest.resets.length > resets
  if (!(await until(() => guest.caughtUp || over(), SEEN_MS_MAX))) throw new Error('no end of the pass')
  if (!over()) return
  const code = guest.resets[resets] ?? guest.closed
  throw new BlazeError((code ?? 'REFUSED') as BlazeError['code'], 'the host did not attach it')
}

const NO_ID = new Uint8Array(16)

const calls: RawCalls = {
  async enter(body) {
    await enter(body)
  },
  async attach(body) {
    const guest = guestOf(body)
    await attach(guest, body)
    const attached = guest.attachments.at(-1)
    if (attached === undefined) throw new Error('nothing was answered')
    const { full, readOnly, collections } = attached
    return { full, readOnly, collections, ids: guest.ids() }
  },
  async write({ step, collection, id, doc, ...at }) {
    const { existed } = await guestOf(at).write(step, collection, { [id]: doc })
    return { existed }
  },
  async saw({ texts, ...at }) {
    const guest = guestOf(at)
    return texts.filter((text) => guest.saw(text))
  },
  async ids(at) {
    return guestOf(at).ids()
  },
  async flood({ count, records, bytes, collection, ...at }) {
    const guest = guestOf(at)
    const values = new Map([
      ['status', 'open'],
      ['text', 'x'.repeat(bytes)],
    ])
    const before = guest.seen.length
    for (let n = 1; n <= count && guest.closed === undefined; n++) {
      const inputs = Array.from({ length: records }, (_, k) => ({
        id: `flood-${(n % FLOOD_WRITES) * records + k}`,
        values,
      }))
      const body = encodeMirrorWrite({ step: 'put', collection, inputs })
      guest.channel.send(
        0,
        frameType.request,
        encodeRequest({ id: 1_000_000 + n, operation: MIRROR_WRITE, body }),
      )
      while (guest.channel.queuedBytes(0) > 2_097_152 && guest.closed === undefined) await breathe()
    }
    const responses = (): Uint8Array[] =>
      guest.seen
        .slice(before)
        .flatMap(({ type, body: response }) => (type === frameType.response ? [response] : []))
    await until(() => guest.closed !== undefined || responses().length >= count, SEEN_MS_MAX)
    const answers: Record<string, number> = {}
    for (const response of responses().map(parseResponse)) {
      const code = 'code' in response ? response.code : 'ok'
      answers[code] = (answers[code] ?? 0) + 1
    }
    return guest.closed === undefined ? answers : { ...answers, [guest.closed]: -1 }
  },
  async floodBlindly({ count, ...at }) {
    const guest = guestOf(at)
    guest.link.pause()
    for (let n = 1; n <= count && guest.closed === undefined; n++) {
      const body = encodeRequest({ id: n, operation: MIRROR_MARK, body: new Uint8Array(0) })
      guest.channel.send(0, frameType.request, body)
      if (n % 1_000 === 0) await breathe()
    }
  },
  async stall({ how, ...at }) {
    const guest = guestOf(at)
    if (how === 'credit') guest.reading = false
    else guest.link.pause()
  },
  async goOn({ collection, id, round, ...at }) {
    const guest = guestOf(at)
    if (guest.reading) guest.link.resume()
    else guest.read()
    const has = (): boolean => {
      const value = guest.rows.get(`${collection}/${id}`)?.fields.get('round')?.value
      return value === round
    }
    await until(() => guest.closed !== undefined || has(), SEEN_MS_MAX, LOOK_MS)
    return guest.closed ?? (has() ? 'has it' : 'does not have it')
  },
  async offences() {
    return [...offences.keys()]
  },
  async offend({ name, offence }) {
    const entry = guests.get(name)
    const offend = offences.get(offence)
    if (entry === undefined || offend === undefined)
      throw new Error(`no connection ${name} or no offence ${offence}`)
    offend(entry.guest, entry.forgery)
    return ending(entry.guest)
  },
  async babble(at) {
    const guest = guestOf(at)
    guest.link.send(randomBytes(1_000))
    return ending(guest)
  },
  async shout({ path, connections }) {
    await Promise.all(Array.from({ length: connections }, (_, n) => shout(path, n)))
  },
  async loiter({ path, connections }) {
    const made = Array.from({ length: connections }, () => {
      const socket = connect(path)
      silent.push(socket)
      return new Promise<void>((resolve) => {
        socket.once('connect', () => resolve())
        socket.once('error', () => resolve())
      })
    })
    await Promise.all(made)
  },
  async openStreams({ count, ...at }) {
    const guest = guestOf(at)
    for (let n = 0; n < count; n++) guest.openStream()
    return ending(guest)
  },
  async crowd({ links, ...body }) {
    const ends: Record<string, number> = {}
    const one = async (n: number): Promise<string> => {
      try {
        const guest = await enter({ ...body, name: `${body.name}-${n}` })
        await attach(guest, { mode: 'readOnly', database: body.database })
        return 'attached'
      } catch (error) {
        return error instanceof BlazeError ? error.code : String(error)
      }
    }
    for (const end of await Promise.all(Array.from({ length: links }, (_, n) => one(n)))) {
      ends[end] = (ends[end] ?? 0) + 1
    }
    return ends
  },
  async leave(at) {
    guestOf(at).link.destroy()
    guests.delete(at.name)
  },
  async leaveAll() {
    for (const { guest } of guests.values()) hangUp(guest)
    guests.clear()
    for (const socket of silent.splice(0)) socket.destroy()
  },
}

/** One that never was connected has nothing to hang up. */
function hangUp(guest: BareGuest): void {
  try {
    guest.link.destroy()
  } catch {
    // It was refused at the door.
  }
}

/** Something else each time: noise, frames of impossible lengths, other protocols. */
function shout(path: string, n: number): Promise<void> {
  const kinds = [
    randomBytes(5_000),
    Buffer.alloc(70_000, 0xff),
    Buffer.alloc(5_000),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ]
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(kinds[n % kinds.length] ?? ''))
    // A reset is a way to hang up.
    socket.on('error', () => undefined)
    socket.resume()
    socket.on('close', () => resolve())
    socket.setTimeout(SEEN_MS_MAX, () => reject(new Error('the host did not hang up')))
  })
}

answerParent<RawCalls>(calls, () => calls.leaveAll(null))

/** One end of a channel whose peer writes its own frames, in the clear: what is tested with it lies behind the cipher. */
import { concatBytes, limits, readU32 } from '../../../runtime/index.ts'
import type { Link } from '../../../transports/index.ts'
import type { HeldBytes } from '../../../transports/channel/held-bytes.ts'
import { SecureChannel } from '../../../transports/channel/secure-channel.ts'
import { readFrames } from '../../../transports/channel/frame.ts'
import { createWorld, watchChannel } from './channel-world.ts'
import type { ChannelSeen, World } from './channel-world.ts'

export const OPEN = 8
export const DATA = 21
export const MIB: number = 1024 * 1024

export function frame(type: number, stream: number, body: Uint8Array, flags = 0): Uint8Array {
  const head = new Uint8Array(10)
  const view = new DataView(head.buffer)
  view.setUint32(0, 6 + body.length)
  view.setUint8(4, type)
  view.setUint8(5, flags)
  view.setUint32(6, stream)
  return concatBytes([head, body])
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

export interface Hostile {
  readonly world: World
  readonly channel: SecureChannel
  readonly seen: ChannelSeen
  readonly peer: Link
  /** Frames that the channel sent. */
  readonly got: { type: number; stream: number; body: Uint8Array }[]
  /** Sends frames, each in a record of its own, and lets them arrive. */
  say(...frames: Uint8Array[]): Promise<void>
}

/** The records are not sealed. */
export async function hostile(
  role: 'dialer' | 'acceptor' = 'acceptor',
  { held, world = createWorld() }: { held?: HeldBytes; world?: World } = {},
): Promise<Hostile> {
  const [peer, link] = await world.link()
  const got: Hostile['got'] = []
  peer.attach({
    record: (record) =>
      readFrames(record, ({ type, stream }, body) => {
        got.push({ type, stream, body: body.slice() })
        return true
      }),
    drain: () => undefined,
    closed: () => undefined,
  })
  const cipher = {
    seal: (plain: Uint8Array) => plain.slice(),
    open: (record: Uint8Array) => record.slice(),
    rekeySend: () => undefined,
    rekeyReceive: () => undefined,
  }
  const channel = new SecureChannel({
    env: world.pi,
    link,
    cipher,
    role,
    sessionId: new Uint8Array(16),
    streamsMax: limits.streamsMax,
    held,
  })
  const seen = watchChannel(channel)
  const say = async (...frames: Uint8Array[]): Promise<void> => {
    for (const bytes of frames) peer.send(bytes)
    await world.simulation.pass(50)
  }
  return { world, channel, seen, peer, got, say }
}

/** A message in fragments of 60,000 bytes. */
export function fragments(stream: number, length: number, last: boolean, type: number = DATA): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let at = 0; at < length; at += 60_000) {
    const body = new Uint8Array(Math.min(60_000, length - at))
    frames.push(frame(type, stream, body, last && at + body.length === length ? 0 : 1))
  }
  return frames
}

export function byeCode(h: Hostile): number | undefined {
  const bye = h.got.find(({ type }) => type === 4)
  return bye === undefined ? undefined : readU32(concatBytes([new Uint8Array(2), bye.body]), 0)
}

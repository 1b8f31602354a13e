/** A reader that stops while records are written again and again: what that costs the supervisor in between, and what the reader gets then. */
import { contextOf } from '../../../actors/replica/live-set.ts'
import { parseEnvelope } from '../../../actors/replica/envelope.ts'
import { parseItems } from '../../../actors/replica/index.ts'
import { parseData, RELAY_DATA } from '../../../actors/relay/message.ts'
import { nodeCrypto, toHex, writeU32 } from '../../../runtime/index.ts'
import { draft, textOf } from '../replica/replica-world.ts'
import { connect, ExchangeWorld } from './exchange-world.ts'
import type { Member, Side } from './exchange-world.ts'

export interface SlowPeer {
  /** Arrivals that the supervisor has counted. */
  readonly arrivals: number
  /** Of the supervisor's store, after the first round of writes and after the last. */
  readonly rows: readonly [number, number]
  readonly storeBytes: readonly [number, number]
  /** Envelopes and bytes of messages that wait for the reader while it does not read. */
  readonly waitingEnvelopes: number
  readonly waitingBytes: number
  /** What is sent once it reads again. */
  readonly envelopes: number
  readonly tags: number
  readonly bytes: number
  readonly caughtUp: boolean
  /** Records that the reader has as they were written last. */
  readonly newest: number
}

/** Each of `records` records is written `rounds` times by one device; another one reads nothing meanwhile. */
export async function overwriteBeside(records: number, rounds: number): Promise<SlowPeer> {
  const world = new ExchangeWorld(1)
  const pi = await world.member('pi')
  const a = await world.member('a')
  const b = await world.member('b')
  const [writer] = connect(a, pi)
  const [reader, slow] = connect(b, pi)
  await world.rest()
  slow.part()
  slow.open = false

  const { replica } = a.space
  let first: readonly [number, number] | undefined
  for (let round = 0; round < rounds; round++) {
    const drafts = Array.from({ length: records }, (_, at) => {
      const tag = tagOf(at)
      return draft(tag, `round ${round}`, contextOf(replica.live(tag)))
    })
    await world.settle(replica.write(drafts))
    writer.exchange.pump()
    await world.rest()
    slow.exchange.pump()
    await world.rest()
    // Kept for specs that look at it; a million of them would not fit.
    writer.sent.length = 0
    first ??= await storeSize(pi)
  }
  const last = await storeSize(pi)
  const waiting = sentBy(slow)
  slow.sent.length = 0
  slow.open = true
  slow.join(reader)
  slow.exchange.writable()
  await world.rest()
  const then = sentBy(slow)

  const newest = Array.from({ length: records }, (_, at) =>
    b.space.replica.committed(tagOf(at)).map(textOf),
  ).filter(([text, ...others]) => text === `round ${rounds - 1}` && others.length === 0)
  return {
    arrivals: pi.space.replica.lastArrival,
    rows: [first?.[0] ?? 0, last[0]],
    storeBytes: [first?.[1] ?? 0, last[1]],
    waitingEnvelopes: waiting.envelopes,
    waitingBytes: waiting.bytes,
    ...then,
    caughtUp: slow.exchange.caughtUp && reader.exchange.caughtUp,
    newest: newest.length,
  }
}

function tagOf(number: number): Uint8Array {
  const tag = new Uint8Array(16)
  writeU32(tag, 12, number)
  return tag
}

async function storeSize({ store }: Member): Promise<[number, number]> {
  const gte = new Uint8Array(0)
  const rows = await store.range({ gte, lt: new Uint8Array(64).fill(0xff), limit: Infinity })
  return [rows.length, rows.reduce((bytes, [key, value]) => bytes + key.length + value.length, 0)]
}

function sentBy({ sent }: Side): { envelopes: number; tags: number; bytes: number } {
  const tags = new Set<string>()
  let envelopes = 0
  let bytes = 0
  for (const { type, body } of sent) {
    bytes += body.length
    if (type !== RELAY_DATA) continue
    for (const item of parseItems(parseData(body).items)) {
      if (item.kind !== 'envelope') continue
      envelopes += 1
      tags.add(toHex(parseEnvelope(item.bytes, nodeCrypto).tag))
    }
  }
  return { envelopes, tags: tags.size, bytes }
}

// time limit: 90 s
/** Every message in every state of a connection, recorded ones of other connections and reflected ones of its own included. */
import { randomBytes } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { concatBytes, nodeCrypto } from '../../../runtime/index.ts'
import { dialChannel, frameType } from '../../../transports/index.ts'
import type { Channel } from '../../../transports/index.ts'
import { encodeErrorBody } from '../../../transports/channel/error-body.ts'
import { FRAME_HEADER_BYTES, layFrame } from '../../../transports/channel/frame.ts'
import { Forgery } from '../../process/next-door-offence.ts'
import { tampered, watchChannel } from '../channel/channel-world.ts'
import { codeOf } from '../../server/world.ts'
import { expectRefusal, HostileWorld, pause } from './hostile-world.ts'
import { recordedLink } from './recorded-link.ts'

const world = new HostileWorld()
/** Of one connection of the honest device: hello, welcome, verify, complete, two records of an open channel. */
const recorded = new Map<string, Uint8Array>()
test.before(async () => {
  await world.open()
  const { link, sent, got } = recordedLink(await world.dial())
  const { channel } = await dialChannel(link, world.xk())
  watchChannel(channel)
  channel.ping()
  await pause(50)
  channel.close()
  const names: [string, Uint8Array | undefined][] = [
    ['hello', sent[0]],
    ['welcome', got[0]],
    ['verify', sent[1]],
    ['complete', got[1]],
    ['ping', sent[2]],
    ['pong', got[2]],
    ['refused', Uint8Array.of(255, 1)],
    ['busy', Uint8Array.of(255, 2)],
    ['nothing known', randomBytes(120)],
  ]
  for (const [name, bytes] of names) {
    assert.ok(bytes !== undefined, name)
    recorded.set(name, bytes)
  }
})
test.after(() => world.close())

function framed(record: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(record.length)
  return Buffer.concat([head, record])
}

test('where a hello is due: each recorded message, the hello of another session too, gets the plain refusal', async () => {
  await world.attack(recorded.size, async () => {
    for (const [name, bytes] of recorded) {
      const attack = await world.tls()
      attack.socket.write(framed(bytes))
      await attack.closed
      assert.is(attack.got().toString('hex'), '00000002ff01', name)
    }
  })
})

test('where a verify is due: each recorded message, the hello again and the welcome reflected, ends the link without a word', async () => {
  const own = ['own hello', 'own welcome']
  await world.attack(recorded.size + own.length, async () => {
    for (const name of [...recorded.keys(), ...own]) {
      const attack = await world.link()
      const { link, sent, got } = recordedLink(attack.link)
      const replaced = tampered(link, (record, index) => {
        if (index === 0) return record
        return name === 'own hello' ? sent[0] : name === 'own welcome' ? got[0] : recorded.get(name)
      })
      assert.is(await codeOf(dialChannel(replaced, world.xk())), 'LINK_CLOSED', name)
      await attack.closed
      assert.is(got.length, 1, `${name}: nothing but the welcome came`)
    }
  })
})

test('verify before hello, and hello, verify, verify: nobody is let in twice', async () => {
  await world.attack(2, async () => {
    const early = await world.tls()
    early.socket.write(framed(recorded.get('verify') ?? new Uint8Array(1)))
    early.socket.write(framed(recorded.get('hello') ?? new Uint8Array(1)))
    await early.closed
    expectRefusal(early)

    const twice = await world.link()
    const { link, sent } = recordedLink(twice.link)
    const { channel } = await dialChannel(link, world.xk())
    watchChannel(channel)
    link.send(sent[1] ?? new Uint8Array(1))
    await twice.closed
  })
})

/** What happens to the records of an open channel, from its second on: two pings follow. */
const misdeeds: Record<string, (record: Uint8Array, index: number, held: Uint8Array[]) => Uint8Array[]> = {
  dropped: (record, index) => (index === 0 ? [] : [record]),
  doubled: (record, index) => (index === 0 ? [record, record] : [record]),
  'cut by a byte': (record, index) => (index === 0 ? [record.slice(0, -1)] : [record]),
  'cut to a byte': (record, index) => (index === 0 ? [record.slice(0, 1)] : [record]),
  'longer by a byte': (record, index) => (index === 0 ? [concatBytes([record, Uint8Array.of(0)])] : [record]),
  swapped: (record, index, held) => {
    if (index > 0) return [record, ...held]
    held.push(record)
    return []
  },
  'changed in one bit': (record, index) => [
    index === 0 ? record.map((byte, at) => (at === 3 ? byte ^ 4 : byte)) : record,
  ],
}

test('records of an open channel that are dropped, doubled, cut, swapped or changed end it, and are no orderly end', async () => {
  await world.attack(Object.keys(misdeeds).length, async () => {
    for (const [what, misdeed] of Object.entries(misdeeds)) {
      const attack = await world.link()
      const held: Uint8Array[] = []
      let from = -1
      const bad = tampered(attack.link, (record, index) => {
        if (from < 0) return record
        for (const each of misdeed(record, index - from, held)) attack.link.send(each)
        return undefined
      })
      const { channel } = await dialChannel(bad, world.xk())
      const seen = watchChannel(channel)
      from = 2
      channel.ping()
      channel.flush()
      channel.ping()
      channel.flush()
      await attack.closed
      await pause(5)
      assert.equal(seen.closed, ['TRUNCATED'], what)
    }
  })
})

test('the server’s own record sent back to it, and a record of another session, end the channel', async () => {
  await world.attack(2, async () => {
    for (const name of ['own', 'recorded']) {
      const attack = await world.link()
      const { link, got } = recordedLink(attack.link)
      const { channel } = await dialChannel(link, world.xk())
      watchChannel(channel)
      channel.ping()
      while (got.length < 3) await pause(2)
      link.send((name === 'own' ? got[2] : recorded.get('ping')) ?? new Uint8Array(1))
      await attack.closed
    }
  })
})

function frame(type: number, stream: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length)
  layFrame(bytes, 0, { type, more: false, stream }, body)
  return bytes
}

/** In an open channel, on stream 0, with a body of eight zeros. Everything else is a violation. */
const allowed = new Set<number>([frameType.ping, frameType.pong, frameType.request, frameType.response])
const types = [...Array.from({ length: 66 }, (_, type) => type), 127, 128, 254, 255].filter(
  (type) => type !== frameType.bye,
)

/** Resolves with how the server ended the channel: a code, or `open`. */
async function say(plaintext: Uint8Array): Promise<string> {
  const forgery = new Forgery(nodeCrypto)
  const { channel } = await dialChannel(await world.dial(), { ...world.xk(), crypto: forgery.crypto })
  const end = endOf(channel)
  forgery.send({ channel } as Parameters<Forgery['send']>[0], plaintext)
  channel.flush()
  channel.ping()
  let ended = false
  void end.then(() => (ended = true))
  while (!ended && channel.roundTripMs === undefined) await pause(1)
  if (ended) return end
  channel.close()
  return 'open'
}

function endOf(channel: Channel): Promise<string> {
  return new Promise((resolve) =>
    channel.attach({
      message: () => undefined,
      writable: () => undefined,
      closed: (error) => resolve(error?.code ?? 'bye'),
    }),
  )
}

test('in an open channel: a frame of each type on the control stream', async () => {
  await world.attack(types.length - allowed.size, async () => {
    for (const type of types) {
      const code = await say(frame(type, 0, new Uint8Array(8)))
      assert.is(code, allowed.has(type) ? 'open' : 'PROTOCOL_VIOLATION', `type ${type}`)
    }
  })
})

test('in an open channel: a frame of each type on a stream that nobody opened', async () => {
  await world.attack(types.length, async () => {
    for (const type of types)
      assert.is(await say(frame(type, 1, new Uint8Array(8))), 'PROTOCOL_VIOLATION', `type ${type}`)
  })
})

test('a goodbye, also with a code of ours, is an end and no attack on anybody', async () => {
  await world.attack(0, async () => {
    assert.is(await say(frame(frameType.bye, 0, encodeErrorBody(0, ''))), 'TRUNCATED')
  })
})

test.run()

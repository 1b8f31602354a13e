/** The accepting side: requests, streams, and spaces that are given back exactly once, however the connection ends. */
import { frameType } from '../../../transports/index.ts'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeRequest, encodeReset, parseReset, parseResponse } from '../../../actors/connection/request.ts'
import { encodeHello, RELAY_HELLO } from '../../../actors/relay/message.ts'
import type { Space } from '../../../actors/team/index.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Channel } from '../../../transports/index.ts'
import { strangeHello } from '../relay/exchange-world.ts'
import { spaceId } from '../team/roster.ts'
import { ConnectionWorld, countListeners, OpenAccess } from './connection-world.ts'

interface Heard {
  readonly messages: { stream: number; type: number; body: Uint8Array }[]
  closed: string | undefined
}

function listen(channel: Channel): Heard {
  const heard: Heard = { messages: [], closed: undefined }
  channel.attach({
    message: (stream, type, body) => void heard.messages.push({ stream, type, body }),
    writable: () => {},
    closed: (error) => {
      heard.closed = error?.code ?? 'in order'
    },
  })
  return heard
}

/** Opens its spaces when the spec says so. */
class SlowAccess extends OpenAccess {
  readonly waiting: (() => void)[] = []

  override async openSpace(): Promise<{ space: Space; release(): void }> {
    const opened = await super.openSpace()
    await new Promise<void>((resolve) => this.waiting.push(resolve))
    return opened
  }
}

async function start<A extends OpenAccess>(
  seed: number,
  make: (space: Space) => A,
): Promise<{ world: ConnectionWorld; access: A; channel: Channel; heard: Heard; space: Space }> {
  const world = new ConnectionWorld(seed)
  const { space } = await world.member('pi')
  const access = make(space)
  await world.listen(access)
  const channel = await world.channel('a')
  return { world, access, channel, heard: listen(channel), space }
}

function openStream(channel: Channel): number {
  const stream = channel.open()
  channel.send(stream, frameType.open, spaceId)
  return stream
}

test('requests are answered, those above the limit with OVERLOADED, and a failure with its code', async () => {
  const answers: ((body: Uint8Array) => void)[] = []
  class BusyAccess extends OpenAccess {
    override request(): Promise<Uint8Array> {
      this.requested += 1
      if (this.requested === 1) return Promise.reject(new BlazeError('NOT_SUPPORTED', 'unknown'))
      if (this.requested === 2) return Promise.reject(new Error('a secret of the server'))
      return new Promise((resolve) => answers.push(resolve))
    }
  }
  const { world, access, channel, heard } = await start(1, (space) => new BusyAccess(space))
  const ask = (id: number): void => {
    channel.send(0, frameType.request, encodeRequest({ id, operation: 7, body: new Uint8Array(0) }))
  }
  for (const id of [1, 2]) ask(id)
  await world.rest()
  for (let id = 3; id <= limits.requestsMax + 3; id++) ask(id)
  await world.rest()
  const codes = heard.messages
    .filter(({ type }) => type === frameType.response)
    .map(({ body }) => parseResponse(body))
    .map((response) => ('code' in response ? [response.id, response.code, response.text] : [response.id]))
  answers[0]?.(new Uint8Array(0))
  await world.rest()
  ask(500)
  await world.rest()

  assert.equal(
    codes.map(([id, code]) => [id, code]),
    [
      [1, 'NOT_SUPPORTED'],
      [2, 'REFUSED'],
      [limits.requestsMax + 3, 'OVERLOADED'],
    ],
  )
  assert.not.match(JSON.stringify(codes), /secret/)
  assert.is(access.requested, 2 + limits.requestsMax + 1)
})

test('a space that is refused resets its stream with the code, and the connection goes on', async () => {
  class ClosedAccess extends OpenAccess {
    override openSpace(): Promise<never> {
      return Promise.reject(new BlazeError('UNKNOWN_SPACE', 'not here'))
    }
  }
  const { world, channel, heard } = await start(2, (space) => new ClosedAccess(space))
  const stream = openStream(channel)
  await world.rest()

  const reset = heard.messages.find(({ type }) => type === frameType.reset)
  assert.is(reset?.stream, stream)
  assert.is(parseReset(reset?.body ?? new Uint8Array(2)).code, 'UNKNOWN_SPACE')
  assert.is(heard.closed, undefined)
})

test('a space is given back once: at a reset, at the end of the link, and after a crash of the relay', async () => {
  const endings: [string, (channel: Channel, stream: number, space: Space) => void][] = [
    ['reset', (channel, stream) => void channel.send(stream, frameType.reset, encodeReset(closed()))],
    ['close', (channel) => channel.close()],
    ['break', (channel) => channel.destroy()],
    [
      'crash',
      (channel, stream, space) => {
        Object.assign(space.replica, { vectorDigest: undefined, startRound: () => crash() })
        Object.assign(space.team, { role: () => crash() })
        channel.send(stream, RELAY_HELLO, encodeHello(strangeHello()))
        channel.send(stream, 20, new Uint8Array(0))
      },
    ],
  ]
  for (const [name, end] of endings) {
    const { world, access, channel, heard, space } = await start(3, (at) => new OpenAccess(at))
    const stream = openStream(channel)
    await world.rest()
    assert.equal([access.opened, access.released], [1, 0], name)

    end(channel, stream, space)
    await world.rest()
    const atOnce = access.released
    channel.destroy()
    await world.rest()

    assert.equal([atOnce, access.released], [1, 1], name)
    if (name === 'crash') assert.ok(heard.messages.some(({ type }) => type === frameType.reset))
    assert.is(world.system.tree().length, 0, name)
  }
})

test('a space that opens after its stream or connection ended is given back, and no relay starts', async () => {
  for (const kind of ['reset', 'stop', 'stop at once']) {
    const { world, access, channel } = await start(4, (space) => new SlowAccess(space))
    const stream = openStream(channel)
    await world.rest()
    assert.is(access.waiting.length, 1)

    if (kind === 'reset') channel.send(stream, frameType.reset, encodeReset(closed()))
    else if (kind === 'stop') void world.accepted[0]?.stop()
    if (kind !== 'stop at once') await world.rest()
    access.waiting[0]?.()
    // Between the opening and the turn that would handle it.
    if (kind === 'stop at once') void world.accepted[0]?.stop()
    await world.rest()

    assert.equal([access.opened, access.released], [1, 1], kind)
    assert.is(world.system.tree().filter(({ kind: cell }) => cell === 'relay').length, 0, kind)
  }
})

test('two hundred streams, and as many connections, leave nothing behind', async () => {
  const { world, access, channel, space } = await start(5, (at) => new OpenAccess(at))
  const listeners = countListeners(space)
  for (let n = 0; n < 200; n++) {
    const stream = openStream(channel)
    await world.simulation.pass(20)
    channel.send(stream, frameType.reset, encodeReset(closed()))
    await world.simulation.pass(20)
  }
  await world.rest()
  assert.equal([access.opened, access.released, listeners()], [200, 200, 0])
  assert.is(world.system.tree().length, 1)

  for (let n = 0; n < 200; n++) {
    const again = await world.channel('a')
    listen(again)
    openStream(again)
    await world.simulation.pass(20)
    if (n % 2 === 0) again.close()
    else again.destroy()
    await world.simulation.pass(20)
  }
  await world.rest()
  assert.equal([access.opened, access.released, listeners()], [400, 400, 0])
  assert.is(world.system.tree().length, 1)
})

test('a peer that breaks the relay protocol loses its connection, and is told why', async () => {
  const { world, access, channel, heard } = await start(6, (space) => new OpenAccess(space))
  const stream = openStream(channel)
  channel.send(stream, 63, new Uint8Array(1))
  await world.rest()

  assert.is(heard.closed, 'PROTOCOL_VIOLATION')
  assert.equal([access.opened, access.released], [1, 1])
  assert.is(world.system.tree().length, 0)
})

test.run()

function closed(): BlazeError {
  return new BlazeError('CLOSED', 'enough')
}

function crash(): never {
  throw new Error('a bug')
}

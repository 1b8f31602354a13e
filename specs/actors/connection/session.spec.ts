/** What a session does with the messages of a channel: requests and their deadlines, streams, and what it does not take. */
import { frameType } from '../../../transports/index.ts'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeRequest,
  encodeReset,
  encodeResponse,
  parseRequest,
} from '../../../actors/connection/request.ts'
import { Session } from '../../../actors/connection/session.ts'
import type { RelayMessage } from '../../../actors/relay/index.ts'
import { BlazeError, createSimulation, limits } from '../../../runtime/index.ts'
import type { Ref, Simulation, TellResult } from '../../../runtime/index.ts'
import type { Channel, ChannelHandlers } from '../../../transports/index.ts'

const SPACE = new Uint8Array(16).fill(1)
const BODY = Uint8Array.of(1, 2, 3)

interface Bench {
  readonly simulation: Simulation
  readonly session: Session
  readonly sent: { stream: number; type: number; body: Uint8Array }[]
  readonly told: string[]
  consumed: number
  /** Code of the bye. */
  readonly byes: (string | undefined)[]
  readonly deliver: (stream: number, type: number, body: Uint8Array) => void
  readonly writable: (stream: number) => void
  readonly end: (error?: BlazeError) => void
}

function bench(): Bench {
  const simulation = createSimulation(1)
  const sent: Bench['sent'] = []
  const told: string[] = []
  const byes: Bench['byes'] = []
  let handlers: ChannelHandlers | undefined
  let streams = 0
  const channel = {
    attach: (given: ChannelHandlers) => {
      handlers = given
    },
    open: () => ++streams,
    send: (stream: number, type: number, body: Uint8Array) => {
      sent.push({ stream, type, body })
      return true
    },
    consumed: (_stream: number, bytes: number) => {
      made.consumed += bytes
    },
    close: (code?: string) => void byes.push(code),
  } as Partial<Channel> as Channel
  const session = new Session({
    channel,
    env: simulation.env('device'),
    handlers: {
      request: ({ id, operation }) => void told.push(`request ${id} ${operation}`),
      open: (stream) => void told.push(`open ${stream}`),
      reset: (stream, error) => void told.push(`reset ${stream} ${error.code}`),
      closed: (error) => void told.push(`closed ${error?.code ?? 'in order'}`),
    },
  })
  const made: Bench = {
    simulation,
    session,
    sent,
    told,
    byes,
    consumed: 0,
    deliver: (stream, type, body) => handlers?.message(stream, type, body),
    writable: (stream) => handlers?.writable(stream),
    end: (error) => handlers?.closed(error),
  }
  return made
}

function mailbox(answer: TellResult = 'ok'): { ref: Ref<RelayMessage>; mail: string[] } {
  const mail: string[] = []
  const tell = (message: RelayMessage): TellResult => {
    if (answer === 'ok') mail.push(message.type === 'relay.frame' ? `frame ${message.frame}` : message.type)
    return answer
  }
  return { ref: { tell } as Partial<Ref<RelayMessage>> as Ref<RelayMessage>, mail }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (!(error instanceof BlazeError)) throw error
    return error.code
  }
}

test('a request gets its answer, or the code of its refusal', async () => {
  const { session, sent, deliver } = bench()
  const fine = session.request(1, BODY, 1_000)
  const refused = codeOf(session.request(9, BODY, 1_000))
  const [first, second] = sent.map(({ body }) => parseRequest(body).id)
  assert.ok(first !== undefined && second !== undefined && sent[0]?.type === frameType.request)

  deliver(0, frameType.response, encodeResponse({ id: second, code: 'NOT_SUPPORTED', text: 'no' }))
  deliver(0, frameType.response, encodeResponse({ id: first, body: BODY }))

  assert.equal(await fine, BODY)
  assert.is(await refused, 'NOT_SUPPORTED')
})

test('a request that is not answered ends at its deadline, and a late answer is nobody’s', async () => {
  const { simulation, session, sent, deliver, byes } = bench()
  const code = codeOf(session.request(1, BODY, 1_000))

  await simulation.pass(999)
  assert.is(sent.length, 1)
  await simulation.pass(2)
  deliver(0, frameType.response, encodeResponse({ id: 1, body: BODY }))

  assert.is(await code, 'TIMEOUT')
  assert.equal(byes, [])
})

test('requests that wait are bounded, and one that ended makes room', async () => {
  const { session, sent, deliver } = bench()
  const waiting = Array.from({ length: limits.requestsMax }, () => session.request(1, BODY, 1_000))
  assert.is(await codeOf(session.request(1, BODY, 1_000)), 'OVERLOADED')
  assert.is(sent.length, limits.requestsMax)

  deliver(0, frameType.response, encodeResponse({ id: 1, body: BODY }))
  await waiting[0]
  void session.request(1, BODY, 1_000)

  assert.is(sent.length, limits.requestsMax + 1)
})

test('the end of the channel ends every request, those before and those after', async () => {
  const { simulation, session, end, told } = bench()
  const before = codeOf(session.request(1, BODY, 1_000))

  end(new BlazeError('LINK_CLOSED', 'gone'))
  end()

  assert.is(await before, 'LINK_CLOSED')
  assert.is(await codeOf(session.request(1, BODY, 1_000)), 'LINK_CLOSED')
  assert.equal(told, ['closed LINK_CLOSED'])
  assert.not.ok(await simulation.run(() => false, { virtualMs: 10_000 }))
})

test('what is not allowed where it came closes the connection, with the reason for both sides', () => {
  const cases: [number, number, Uint8Array][] = [
    [1, frameType.request, encodeRequest({ id: 1, operation: 1, body: BODY })],
    [1, frameType.response, encodeResponse({ id: 1, body: BODY })],
    [0, frameType.open, SPACE],
    [1, frameType.open, BODY],
    [0, frameType.reset, encodeReset(new BlazeError('CLOSED', ''))],
    [0, 16, BODY],
    [0, frameType.request, Uint8Array.of(1)],
    [0, frameType.response, Uint8Array.of(1)],
  ]
  for (const [stream, type, body] of cases) {
    const { deliver, byes, told } = bench()

    deliver(stream, type, body)
    deliver(0, frameType.request, encodeRequest({ id: 1, operation: 1, body: BODY }))

    assert.equal(byes, ['PROTOCOL_VIOLATION'], `type ${type} on stream ${stream}`)
    assert.equal(told, ['closed PROTOCOL_VIOLATION'])
  }
})

test('a stream is opened once, and no more of them than the limit', () => {
  const twice = bench()
  twice.deliver(1, frameType.open, SPACE)
  twice.deliver(1, frameType.open, SPACE)
  assert.equal(twice.told, ['open 1', 'closed PROTOCOL_VIOLATION'])

  const many = bench()
  for (let stream = 1; stream <= limits.streamsMax; stream++) many.deliver(stream, frameType.open, SPACE)
  assert.equal(many.byes, [])
  many.deliver(limits.streamsMax + 1, frameType.open, SPACE)
  assert.equal(many.byes, ['PROTOCOL_VIOLATION'])
})

test('frames of a stream that ended are dropped, and their credit given back', () => {
  const made = bench()
  made.deliver(1, frameType.open, SPACE)
  made.session.reset(1, new BlazeError('FORBIDDEN', 'no'))

  made.deliver(1, 16, BODY)
  made.deliver(1, frameType.reset, encodeReset(new BlazeError('CLOSED', '')))

  assert.is(made.consumed, BODY.length)
  assert.equal(made.byes, [])
  assert.equal(made.told, ['open 1'])
  assert.not.ok(made.session.has(1))
})

test('frames that come before the relay is there reach it first, in order, up to a limit', () => {
  const { session, deliver, byes } = bench()
  deliver(1, frameType.open, SPACE)
  deliver(1, 16, BODY)
  deliver(1, 17, BODY)
  const { ref, mail } = mailbox()
  session.route(1, ref)
  deliver(1, 18, BODY)
  assert.equal(mail, ['frame 16', 'frame 17', 'frame 18'])

  deliver(2, frameType.open, SPACE)
  for (let n = 0; n < limits.relayStepsMax; n++) deliver(2, 16, BODY)
  assert.equal(byes, [])
  deliver(2, 16, BODY)
  assert.equal(byes, ['PROTOCOL_VIOLATION'])
})

test('a relay that can queue no more ends the connection: nothing is lost in silence', () => {
  const frames = bench()
  frames.session.openStream(SPACE)
  frames.session.route(1, mailbox('full').ref)
  frames.deliver(1, 16, BODY)
  assert.equal(frames.byes, ['OVERLOADED'])
  assert.equal(frames.told, ['closed OVERLOADED'])

  const wakeUp = bench()
  wakeUp.session.openStream(SPACE)
  wakeUp.session.route(1, mailbox('full').ref)
  wakeUp.writable(1)
  assert.equal(wakeUp.byes, ['OVERLOADED'])
})

test('a relay hears that its stream is writable, and a reset once', () => {
  const { session, deliver, writable, told } = bench()
  session.openStream(SPACE)
  writable(1)
  const { ref, mail } = mailbox()
  session.route(1, ref)

  writable(1)
  deliver(1, frameType.reset, encodeReset(new BlazeError('UNKNOWN_SPACE', 'not here')))
  deliver(1, frameType.reset, encodeReset(new BlazeError('UNKNOWN_SPACE', 'not here')))
  writable(1)

  assert.equal(mail, ['relay.writable'])
  assert.equal(told, ['reset 1 UNKNOWN_SPACE'])
})

test('a session that closes for a reason says that reason, not that all was in order', () => {
  const { session, told, byes, end } = bench()

  session.close(new BlazeError('PROTOCOL_VIOLATION', 'the peer lied'))
  end()

  assert.equal(byes, ['PROTOCOL_VIOLATION'])
  assert.equal(told, ['closed PROTOCOL_VIOLATION'])
})

test.run()

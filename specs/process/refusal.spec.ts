// time limit: 180 s
/**
 * What goes wrong between processes is told with a code and a sentence, and the supervisor goes on serving the others.
 * One supervisor and two synced devices live through the whole file; after each test they must still sync.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCode } from '../../actors/team/index.ts'
import { nodeCrypto } from '../../runtime/index.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { codeOf, DeviceProcess } from '../fixtures/device-process.ts'
import { freePort, SupervisorProcess } from '../fixtures/supervisor-process.ts'

const collection = 'notes'
const stage = new Stage('refusal-spec')
const at = (name: string): string => join(stage.directory, name)
const [atA, atB] = [at('a'), at('b')]
const a = new DeviceProcess(stage, 'a')
const b = new DeviceProcess(stage, 'b')
let supervisor: SupervisorProcess
let written = 0

test.before(async () => {
  supervisor = await SupervisorProcess.start(stage)
  await a.call('open', { at: atA })
  await a.call('enableSync', { at: atA, code: supervisor.enrolment ?? '', database: 'notes' })
  await b.call('join', { at: atB, invite: await a.call('invite', { at: atA, role: 'writer' }) })
})
test.after.each(async () => {
  assert.equal(await supervisor.healthz(), { status: 200, ok: true })
  written += 1
  await a.insertMany(atA, collection, [{ id: `proof-${written}`, written }])
  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })
  assert.equal((await b.rows(atB, collection)).get(`proof-${written}`), { id: `proof-${written}`, written })
})
test.after(() => stage.close())

async function expectCode(code: string, call: Promise<unknown>): Promise<string> {
  const refusal = await codeOf(call)
  assert.is(refusal.code, code, `${refusal.code}: ${refusal.message}`)
  return refusal.message
}

test('a wrong password is WRONG_PASSWORD, and the right one opens', async () => {
  await a.call('open', { at: at('locked'), password: 'right' })
  await a.insertMany(at('locked'), collection, [{ id: '1' }])
  await a.call('close', { at: at('locked') })

  await expectCode('WRONG_PASSWORD', b.call('open', { at: at('locked'), password: 'wrong' }))

  await b.call('open', { at: at('locked'), password: 'right' })
  assert.is(await b.call('count', { at: at('locked'), collection }), 1)
})

test('a wrong server key is SERVER_KEY_MISMATCH, and costs no code', async () => {
  const code = await supervisor.code()
  const serverKey = nodeCrypto.createP256(new Uint8Array(32).fill(5)).publicKey
  await a.call('open', { at: at('pinned') })

  await expectCode(
    'SERVER_KEY_MISMATCH',
    a.call('enableSync', { at: at('pinned'), code, database: 'pinned', serverKey }),
  )

  await a.call('enableSync', { at: at('pinned'), code, database: 'pinned' })
})

test('another supervisor at a known address is SERVER_KEY_MISMATCH, and gets nothing', async () => {
  const first = new SupervisorProcess(stage.makeDirectory('first'), await freePort())
  const second = new SupervisorProcess(stage.makeDirectory('second'), first.port)
  stage.own('first and second', async () => void (await Promise.all([first.kill(), second.kill()])))
  await first.start()
  await a.call('open', { at: at('moved') })
  await a.call('enableSync', { at: at('moved'), code: first.enrolment ?? '', database: 'moved' })
  await first.kill()

  await second.start()
  await a.insertMany(at('moved'), collection, [{ id: '1' }])
  const message = await expectCode(
    'SERVER_KEY_MISMATCH',
    a.call('caughtUp', { at: at('moved'), timeoutMs: 20_000 }),
  )

  assert.match(message, 'refused')
  assert.is((await a.call('status', { at: at('moved') })).sync?.state, 'refused')
  assert.equal((await second.status()).databaseList, [])
  await second.kill()
})

test('an enrolment code of another device is CODE_USED, and a name that is taken DATABASE_EXISTS', async () => {
  await b.call('open', { at: at('second') })
  const enable = (code: string, database: string): Promise<void> =>
    b.call('enableSync', { at: at('second'), code, database })

  await expectCode('CODE_USED', enable(supervisor.enrolment ?? '', 'second'))
  const code = await supervisor.code()
  await expectCode('DATABASE_EXISTS', enable(code, 'notes'))

  await enable(code, 'second')
})

test('an invite is good for one device until it expires: CODE_USED, CODE_EXPIRED, CODE_INVALID', async () => {
  const used = await a.call('invite', { at: atA, role: 'writer' })
  await b.call('join', { at: at('guest'), invite: used })
  const late = await a.call('invite', { at: atA, role: 'writer', expiresInMs: 200 })
  await new Promise((resolve) => setTimeout(resolve, 300))

  await expectCode('CODE_USED', b.call('join', { at: at('used'), invite: used }))
  await expectCode('CODE_EXPIRED', b.call('join', { at: at('late'), invite: late }))
  await expectCode('CODE_INVALID', b.call('join', { at: at('torn'), invite: used.slice(0, -8) }))
})

test('garbage, HTTP and a TLS client that talks nonsense are hung up on', async () => {
  const { port } = supervisor
  const plain = [
    randomBytes(5_000),
    Buffer.from('GET / HTTP/1.1\r\nHost: pi\r\n\r\n'),
    Buffer.alloc(100_000, 0xff),
  ]
  await Promise.all(plain.map((bytes) => sendPlain(port, bytes)))
  const inside = [randomBytes(5_000), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(65_536, 1)]
  await Promise.all(inside.map((bytes) => sendInTls(port, bytes)))
})

test('a port where no supervisor is gives a code: UNREACHABLE', async () => {
  const code = await supervisor.code()
  await a.call('open', { at: at('lost') })
  const enable = (port: number): Promise<void> =>
    a.call('enableSync', { at: at('lost'), code, database: 'lost', port, timeoutMs: 5_000 })

  await expectCode('UNREACHABLE', enable(await freePort()))
  await expectCode('UNREACHABLE', enable(Number(new URL(supervisor.ops).port)))
})

test('a supervisor that stands still is a TIMEOUT that says why, and heals when it goes on', async () => {
  const code = await supervisor.code()
  await b.call('open', { at: at('patient') })
  supervisor.signal('SIGSTOP')
  try {
    await a.insertMany(atA, collection, [{ id: 'while it stood' }])
    const message = await expectCode('TIMEOUT', a.call('caughtUp', { at: atA, timeoutMs: 1_500 }))
    assert.match(message, /not within \d+ ms: .*127\.0\.0\.1/)
    const status = await a.call('status', { at: atA })
    assert.is(status.sync?.state, 'syncing')
    assert.match(status.why, '1 changes to send')
    const enable = b.call('enableSync', { at: at('patient'), code, database: 'patient', timeoutMs: 1_000 })
    await expectCode('TIMEOUT', enable)
    const late = await expectCode('TIMEOUT', a.call('caughtUp', { at: atA, timeoutMs: 4_000 }))
    assert.match(late, /confirms nothing/)
    assert.is((await a.call('status', { at: atA })).sync?.state, 'stale')
  } finally {
    supervisor.signal('SIGCONT')
  }

  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })
  assert.ok((await b.rows(atB, collection)).has('while it stood'))
})

test('a second supervisor on its port is PORT_IN_USE, on its data ALREADY_OPEN, both with exit code 2', async () => {
  const samePort = new SupervisorProcess(stage.makeDirectory('other-data'), supervisor.port)
  const sameData = new SupervisorProcess(supervisor.data, await freePort())
  stage.own('refused supervisors', async () => void (await Promise.all([samePort.kill(), sameData.kill()])))

  const [port, data] = await Promise.all([samePort.refuse(), sameData.refuse()])

  assert.is(port.code, 2, port.stderr)
  assert.match(port.stderr, 'PORT_IN_USE')
  assert.is(data.code, 2, data.stderr)
  assert.match(data.stderr, 'ALREADY_OPEN')
})

test('a reader is READ_ONLY at home, and FORBIDDEN at the supervisor when its program was modified', async () => {
  const reader = new DeviceProcess(stage, 'reader')
  const atReader = at('reader')
  await reader.call('join', { at: atReader, invite: await a.call('invite', { at: atA, role: 'reader' }) })
  await reader.call('caughtUp', { at: atReader })
  assert.equal(await reader.rows(atReader, collection), await a.rows(atA, collection))
  const write = (): Promise<void> => reader.insertMany(atReader, collection, [{ id: 'by the reader' }])

  await expectCode('READ_ONLY', write())
  const recordsOf = async (): Promise<number | null | undefined> =>
    (await supervisor.status()).databaseList.find(({ name }) => name === 'notes')?.records
  const before = await recordsOf()
  await reader.call('ignoreRole', { at: atReader })
  await write()
  await expectCode('FORBIDDEN', reader.call('caughtUp', { at: atReader, timeoutMs: 20_000 }))

  const { sync } = await reader.call('status', { at: atReader })
  assert.is(sync?.state, 'refused')
  assert.is(sync?.error?.code, 'FORBIDDEN')
  assert.is(await recordsOf(), before)
  await b.call('caughtUp', { at: atB })
  for (const [device, where] of [
    [a, atA],
    [b, atB],
  ] as const) {
    assert.not.ok((await device.rows(where, collection)).has('by the reader'))
    assert.is((await device.call('status', { at: where })).held, 0)
  }
  await reader.stop()
  assert.is(parseCode(await a.call('invite', { at: atA, role: 'writer' })).kind, 'invite')
})

test.run()

/** Resolves when the other side hung up. */
function sendPlain(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    // A reset is a way to hang up.
    socket.on('error', () => undefined)
    socket.resume()
    socket.on('close', () => resolve())
    socket.setTimeout(30_000, () =>
      socket.destroy(reject(new Error('the supervisor did not hang up')) ?? undefined),
    )
  })
}

function sendInTls(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['blazed/1'] }
    const socket = connectTls(options, () => socket.write(bytes))
    socket.on('error', () => undefined)
    socket.resume()
    socket.on('close', () => resolve())
    socket.setTimeout(30_000, () =>
      socket.destroy(reject(new Error('the supervisor did not hang up')) ?? undefined),
    )
  })
}

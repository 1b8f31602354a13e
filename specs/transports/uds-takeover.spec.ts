/** The name of a local endpoint: one living server has it, whatever others do, die or sleep through. */
// time limit: 240 s
import { chmodSync, linkSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createNodeEnv, nodeCrypto } from '../../runtime/index.ts'
import { createUdsTransport } from '../../transports/index.ts'
import type { Link, Listener, LocalEndpoint, Transport } from '../../transports/index.ts'
import { codeOf, until, watch } from '../contracts/transport.ts'
import { endChildren, UdsChild } from './uds-child.ts'
import type { Trap } from './uds-program.ts'

const transport: Transport = createUdsTransport(createNodeEnv(), nodeCrypto)
let directory = ''
let endpoint: LocalEndpoint = { transport: 'uds', directory, name: 'bugs' }

test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), 'blazedb-uds-'))
  endpoint = { transport: 'uds', directory, name: 'bugs' }
})
test.after.each(async () => {
  await endChildren()
  rmSync(directory, { recursive: true, force: true })
})

/** What a process leaves that was killed while it listened. */
async function leaveStale(at: LocalEndpoint = endpoint): Promise<void> {
  const child = await UdsChild.start()
  assert.is(await child.ask({ do: 'listen', endpoint: at }), 'listening')
  await child.kill()
}

/** The same without a process: the socket has a second name when its server closes. */
async function leaveStaleAs(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.tmp`, 0, () => resolve()))
  chmodSync(`${path}.tmp`, 0o600)
  linkSync(`${path}.tmp`, path)
  await new Promise((resolve) => server.close(resolve))
}

/** Who answers there: a process id. */
async function whoAnswers(): Promise<number> {
  const link = await transport.dial(endpoint, { timeoutMs: 5_000 })
  const seen = watch(link)
  await until(() => seen.records.length === 1, 'a word of the server')
  link.destroy()
  return Number(Buffer.from(seen.records[0] ?? []).toString())
}

async function listen(): Promise<string> {
  let listener: Listener | undefined
  const code = await codeOf(transport.listen(endpoint, () => undefined).then((l) => (listener = l)))
  await listener?.close()
  return code
}

test('a socket that a killed process left is replaced, and nothing else stays', async () => {
  await leaveStale()
  const [file] = readdirSync(directory)
  assert.is(await codeOf(transport.dial(endpoint, { timeoutMs: 1_000 })), 'UNREACHABLE')

  const listener = await transport.listen(endpoint, (link) => link.send(Buffer.from('1')))
  assert.is(await whoAnswers(), 1)
  assert.equal(readdirSync(directory), [file])

  await listener.close()
  assert.equal(readdirSync(directory), [])
})

test('a living server keeps its name, also one that is stopped and takes no connection', async () => {
  const child = await UdsChild.start()
  assert.is(await child.ask({ do: 'listen', endpoint }), 'listening')

  assert.is(await listen(), 'PORT_IN_USE')
  process.kill(child.pid, 'SIGSTOP')
  await child.stopped()
  assert.is(await listen(), 'PORT_IN_USE')
  child.goOn()

  assert.is(await whoAnswers(), child.pid)
})

test('a server closes its own socket only', async () => {
  const first = await transport.listen(endpoint, () => undefined)
  const [file = ''] = readdirSync(directory)
  rmSync(join(directory, file))
  const child = await UdsChild.start()
  assert.is(await child.ask({ do: 'listen', endpoint }), 'listening')

  await first.close()

  assert.is(await whoAnswers(), child.pid)
})

/** A child that starts to take over a stale socket and gets no further than the trap. */
async function trapped(trap: Trap): Promise<UdsChild> {
  const child = await UdsChild.start()
  child.tell({ do: 'listen', endpoint, trap })
  if (trap.signal === 'SIGKILL') await child.ended()
  else await child.stopped()
  return child
}

test('one that sleeps before it claims a stale socket finds the name taken when it wakes', async () => {
  await leaveStale()
  // Its first link tries the name itself, its second one claims the dead socket that it found there.
  const sleeper = await trapped({ call: 'link', count: 2, signal: 'SIGSTOP' })
  const other = await UdsChild.start()
  assert.is(await other.ask({ do: 'listen', endpoint }), 'listening')
  const { ino } = statSync(join(directory, readdirSync(directory)[0] ?? ''))

  sleeper.goOn()

  assert.is(await sleeper.answer(), 'PORT_IN_USE')
  assert.is(await whoAnswers(), other.pid)
  assert.equal(
    readdirSync(directory).map((file) => statSync(join(directory, file)).ino),
    [ino],
  )
})

test('one that sleeps before it replaces a stale socket keeps its right to it', async () => {
  await leaveStale()
  const heir = await trapped({ call: 'rename', count: 1, signal: 'SIGSTOP' })

  assert.is(await listen(), 'PORT_IN_USE')
  heir.goOn()

  assert.is(await heir.answer(), 'listening')
  assert.is(await whoAnswers(), heir.pid)
  assert.is(readdirSync(directory).length, 1)
})

test('processes that die one after the other while they take over are all inherited from', async () => {
  await leaveStale()
  for (let n = 0; n < 3; n++) await trapped({ call: 'rename', count: 1, signal: 'SIGKILL' })
  // With the name already, and what led there not cleared away.
  await trapped({ call: 'unlink', count: 1, signal: 'SIGKILL' })
  assert.ok(readdirSync(directory).length > 4)

  const child = await UdsChild.start()
  assert.is(await child.ask({ do: 'listen', endpoint }), 'listening')

  assert.is(await whoAnswers(), child.pid)
  assert.is(readdirSync(directory).length, 1)
})

for (const stale of [false, true]) {
  const left = stale ? 'with a stale socket there' : 'with nothing there'
  test(`of processes that listen at the same time one wins, ${left}, 40 times`, async () => {
    const racers = await Promise.all(Array.from({ length: 5 }, () => UdsChild.start()))
    assert.is(await racers[0]?.ask({ do: 'listen', endpoint }), 'listening')
    const file = readdirSync(directory)[0] ?? ''
    assert.is(await racers[0]?.ask({ do: 'close' }), 'closed')

    for (let round = 0; round < 40; round++) {
      if (stale) await leaveStaleAs(join(directory, file))
      const atNs = process.hrtime.bigint() + 3_000_000n
      for (const racer of racers) racer.tell({ do: 'listen', endpoint, atNs })
      const results = await Promise.all(racers.map((racer) => racer.answer()))

      assert.equal(results.toSorted(), [
        'PORT_IN_USE',
        'PORT_IN_USE',
        'PORT_IN_USE',
        'PORT_IN_USE',
        'listening',
      ])
      const winner = racers[results.indexOf('listening')]
      assert.is(await whoAnswers(), winner?.pid)
      assert.equal(readdirSync(directory), [file])
      assert.is(await winner?.ask({ do: 'close' }), 'closed')
    }
  })
}

test('processes that are killed at random moments of a race leave a name that works', async () => {
  for (let round = 0; round < 6; round++) {
    const racers = await Promise.all(Array.from({ length: 3 }, () => UdsChild.start()))
    const [victim] = racers
    const atNs = process.hrtime.bigint() + 3_000_000n
    for (const racer of racers) racer.tell({ do: 'listen', endpoint, atNs })
    const killAtNs = atNs + BigInt(Math.trunc(Math.random() * 4_000_000))
    while (process.hrtime.bigint() < killAtNs);
    await victim?.kill()
    const others = racers.slice(1)
    const results = await Promise.all(others.map((racer) => racer.answer()))
    const winner = others[results.indexOf('listening')]

    assert.equal(
      results.filter((result) => result !== 'PORT_IN_USE' && result !== 'listening'),
      [],
    )
    assert.ok(results.filter((result) => result === 'listening').length <= 1)
    if (winner !== undefined) {
      assert.is(await whoAnswers(), winner.pid)
      assert.is(await listen(), 'PORT_IN_USE')
      // It dies with the name, and the next round finds that too.
      await winner.kill()
    } else assert.is(await listen(), 'no error')
    await endChildren()
  }
})

test('of many calls of one process one wins, with and without a stale socket, 200 times', async () => {
  const first = await transport.listen(endpoint, () => undefined)
  const file = readdirSync(directory)[0] ?? ''
  await first.close()

  for (let round = 0; round < 200; round++) {
    if (round % 2 === 1) await leaveStaleAs(join(directory, file))
    const won: { caller: number; listener: Listener }[] = []
    const linked = new Set<number>()
    const calls = Array.from({ length: 12 }, async (_, caller) => {
      const onLink = (link: Link): void => {
        linked.add(caller)
        link.send(Buffer.from('7'))
      }
      won.push({ caller, listener: await transport.listen(endpoint, onLink) })
    })
    const codes = await Promise.all(calls.map(codeOf))

    assert.is(codes.filter((code) => code === 'PORT_IN_USE').length, 11, codes.join(' '))
    assert.is(won.length, 1)
    assert.is(await whoAnswers(), 7)
    assert.equal([...linked], [won[0]?.caller], 'who did not win has no links')
    assert.equal(readdirSync(directory), [file])
    await won[0]?.listener.close()
  }
})

test.run()

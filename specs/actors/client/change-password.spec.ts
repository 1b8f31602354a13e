/** `changePassword` as applications call it, and what kill -9 leaves of it. */
// time limit: 120 s
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeDBClient, openIn } from '../../../actors/client/index.ts'
import { BlazeError, createChance } from '../../../runtime/index.ts'
import { createClientWorld, KEY } from './simulated-client.ts'
import { loaderArgs } from '../../../scripts/typescript/loader.ts'

const child = fileURLToPath(new URL('password-child.ts', import.meta.url))
const other = new Uint8Array(32).fill(9)

test('the database goes on while its password changes, and opens by the new one from then on', async () => {
  const { open, world, settle, code } = createClientWorld()
  const db = await open()
  const records = db.collection('records')
  const writes = Array.from({ length: 50 }, (_, n) => records.insert({ id: `r${n}`, n }))

  await settle(Promise.all([db.changePassword({ from: { key: KEY }, to: { key: other } }), ...writes]))
  assert.is(await settle(records.query().count()), 50)
  await settle(db.close())

  assert.is(await code(() => openIn(world, { name: 'db', at: '/db', key: KEY })), 'WRONG_PASSWORD')
  const again = await settle(openIn(world, { name: 'db', at: '/db', key: other }))
  assert.is(await settle(again.collection('records').query().count()), 50)
})

test('a change of the password writes the header and nothing of the store', async () => {
  const { open, settle, volume } = createClientWorld()
  const db = await open()
  await settle(db.collection('records').insert({ id: 'a', n: 1 }))
  const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255), limit: 10_000 }
  const rows = (): Promise<unknown> => settle(volume('/db').rows('store').range(everything))
  const [before, header] = [await rows(), await settle(volume('/db').readFile('header.0'))]

  await settle(db.changePassword({ from: { key: KEY }, to: { key: other } }))

  assert.equal(await rows(), before)
  assert.not.equal(await settle(volume('/db').readFile('header.0')), header)
})

test('a wrong old password is WRONG_PASSWORD, bad options are TypeErrors, and neither changes anything', async () => {
  const { open, settle, code } = createClientWorld()
  const db = await open()
  const change = (options: object): Promise<string> => code(() => db.changePassword(options as never))

  assert.is(await change({ from: { key: other }, to: 'new' }), 'WRONG_PASSWORD')
  for (const options of [
    {},
    { from: { key: KEY } },
    { from: { key: KEY }, to: '' },
    { from: { key: KEY }, to: { key: KEY.subarray(1) } },
    { from: { key: KEY }, to: { key: KEY, password: 'both' } },
    { from: { key: KEY }, to: 'new', kdf: 'none' },
    { from: { key: KEY }, to: 'new', timeoutMs: -1 },
    { from: { key: KEY }, to: 'new', signal: {} },
  ]) {
    assert.is(await change(options), 'TypeError', JSON.stringify(options))
  }

  await settle(db.close())
  assert.is(await change({ from: { key: KEY }, to: 'new' }), 'CLOSED')
  await open()
})

test('an old handle of the store opens again by itself after the password has changed', async () => {
  const { open, volume, settle, code, simulation } = createClientWorld()
  const db = await open()
  await settle(db.changePassword({ from: { key: KEY }, to: { key: other } }))
  volume('/db').failNextBatch()
  assert.is(await code(() => db.collection('c').insert({ id: 'lost' })), 'POISONED')
  await simulation.pass(2_000)

  assert.is(await settle(db.collection('c').insert({ id: 'kept' })), 'kept')
})

test('kill -9 at any moment leaves a database that exactly one of the two keys opens', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-password-'))
  const chance = createChance(7)
  const at = join(directory, 'db')
  const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n % 251)
  const opens = async (n: number): Promise<boolean> => {
    try {
      const db = await BlazeDBClient.open({ name: 'db', at, key: keyOf(n) })
      await db.collection('records').get('last')
      await db.close()
      return true
    } catch (error) {
      if (error instanceof BlazeError && error.code === 'WRONG_PASSWORD') return false
      throw error
    }
  }
  let current = 1
  try {
    for (let round = 0; round < 6; round += 1) {
      const acknowledged = await killed(at, current, 3 + Math.floor(chance() * 12), chance() * 8)
      assert.ok(acknowledged > current, 'the child has changed the key')

      const found = [await opens(acknowledged), await opens(acknowledged + 1)]

      assert.is(found.filter(Boolean).length, 1, `round ${round}: ${found.join(', ')}`)
      assert.not.ok(await opens(acknowledged - 1), 'no key before the last acknowledged one opens')
      current = found[0] === true ? acknowledged : acknowledged + 1
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

/** Kills the child a moment after so many changes; resolves with the last number that it acknowledged. */
async function killed(at: string, first: number, changes: number, afterMs: number): Promise<number> {
  const started = spawn(process.execPath, [...loaderArgs(), child, at, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  started.stdout.on('data', (chunk: Buffer) => {
    const before = text.split('\n').length
    text += chunk.toString()
    const lines = text.split('\n').length
    if (before <= changes && lines > changes) setTimeout(() => started.kill('SIGKILL'), afterMs)
  })
  await new Promise((resolve) => started.once('close', resolve))
  return Number(text.split('\n').at(-2))
}

test.run()

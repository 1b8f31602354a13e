// time limit: 60 s
/** Codes that are guessed, half known, used or too old, over real sockets; and what guessing costs the guesser. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeDBClient, RemoteNode, SyncPolicy } from '../../../actors/index.ts'
import { limits } from '../../../runtime/index.ts'
import { dialChannel } from '../../../transports/index.ts'
import type { DialChannelOptions } from '../../../transports/index.ts'
import { SpecDevice } from '../../server/device.ts'
import { codeOf } from '../../server/world.ts'
import { HostileWorld, pause } from './hostile-world.ts'

/** The first wait of a minute takes three seconds. */
const SPEED = 20
const world = new HostileWorld({ speed: SPEED })
const directory = mkdtempSync(join(tmpdir(), 'blazedb-codes-'))
test.before(() => world.open())
test.after(async () => {
  await world.close()
  rmSync(directory, { recursive: true, force: true })
})

async function pair(options: DialChannelOptions): Promise<string> {
  const dialled = dialChannel(await world.dial(), options)
  return codeOf(
    dialled.then(({ channel }) => {
      channel.close()
      throw Object.assign(new Error('it was let in'), { code: 'ok' })
    }),
  )
}

test('a used code is CODE_USED for another device, and good for its own again', async () => {
  const options = await world.pairing()
  assert.is(await pair(options), 'ok')
  assert.is(await pair(options), 'ok')
  const { signer, dhScalar } = new SpecDevice(world.env, world.transport).identity
  await world.attack(2, async () => {
    for (let n = 0; n < 2; n++)
      assert.is(await pair({ ...options, device: signer, staticKey: dhScalar }), 'CODE_USED')
  })
})

test('an expired invite is CODE_EXPIRED', async () => {
  const at = (name: string): string => join(directory, name)
  const key = new Uint8Array(32).fill(3)
  const owner = await BlazeDBClient.open({ name: 'owner', at: at('owner'), key })
  try {
    const remote = new RemoteNode({ code: await world.code() })
    await owner.enableSync({ remote, database: 'invited', policy: new SyncPolicy({ encryption: 'e2eOnly' }) })
    const invite = await owner.invite({ role: 'writer', expiresInMs: 200 })
    await pause(300)
    assert.is(await codeOf(BlazeDBClient.join({ name: 'late', at: at('late'), key, invite })), 'CODE_EXPIRED')
    const { refused } = await world.status()
    assert.is(refused['CODE_EXPIRED'], 1)
  } finally {
    await owner.close()
  }
})

test('guessed codes: each is refused alike, at the limit the next waits, each further one twice as long, and nobody else does', async () => {
  const known = await world.pairing()
  const wrong = [
    { ...known, id: new Uint8Array(16) },
    { ...known, psk: new Uint8Array(32) },
  ]
  await world.attack(limits.attemptsMax + 1, async () => {
    for (let n = 0; n < limits.attemptsMax; n++)
      assert.is(await pair(wrong[n % 2] ?? known), 'CODE_INVALID', `attempt ${n + 1}`)
    assert.is(await pair(known), 'BUSY', 'one over: the right code too')
  })
  assert.match((await world.status()).reason, /wait \d+ s/)

  const firstMs = limits.attemptPeriodMs / SPEED
  await pause(firstMs)
  await world.attack(2, async () => {
    assert.is(await pair(wrong[0] ?? known), 'CODE_INVALID')
    await pause(firstMs)
    assert.is(await pair(known), 'BUSY', 'the wait of before is not long enough any more')
  })
  await pause(firstMs)
  assert.is(await pair(known), 'ok')
})

test.run()

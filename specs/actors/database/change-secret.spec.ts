/** Another password: what opens before, after, and when the power goes in between. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHeader, unlockHeader } from '../../../actors/database/header-file.ts'
import type { HeaderFile } from '../../../actors/database/header-file.ts'
import { parseHeader } from '../../../actors/database/header.ts'
import { foundSpace } from '../../../actors/database/identity.ts'
import { BlazeError, createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { createHeaderVolume } from './header-volume.ts'
import type { HeaderVolume } from './header-volume.ts'
import { codeOfWork } from '../../fixtures/code-of.ts'

type Secret = { readonly password: string } | { readonly key: Uint8Array }

const env = createNodeEnv()
const crypto = nodeCrypto
const oldKey = { key: new Uint8Array(32).fill(1) }
const newKey = { key: new Uint8Array(32).fill(2) }

async function created(secret: Secret = oldKey): Promise<{ volume: HeaderVolume; file: HeaderFile }> {
  const volume = createHeaderVolume()
  const identity = foundSpace({ crypto, env })
  return { volume, file: await createHeader({ volume, crypto, env }, { secret, profile: 'small', identity }) }
}

/** Of the disk as it is now, whatever became of the machine; opening heals only a copy of it. */
async function opens(volume: HeaderVolume, secret: Secret): Promise<HeaderFile | string> {
  try {
    const found = await unlockHeader(
      { volume: createHeaderVolume(new Map(volume.files)), crypto, env },
      secret,
    )
    return found ?? 'nothing'
  } catch (error) {
    if (error instanceof BlazeError) return error.code
    throw error
  }
}

const outcomeOf = async (volume: HeaderVolume, secret: Secret): Promise<string> => {
  const found = await opens(volume, secret)
  return typeof found === 'string' ? found : 'open'
}

test('the new secret opens and the old one does not, with the same identity and local keys', async () => {
  const { volume, file } = await created({ password: 'old' })
  const local = file.localKey('index')

  await file.changeSecret({ from: { password: 'old' }, to: { password: 'new' } })

  assert.is(await outcomeOf(volume, { password: 'old' }), 'WRONG_PASSWORD')
  const again = await opens(volume, { password: 'new' })
  assert.ok(typeof again !== 'string')
  assert.equal(again.identity, file.identity)
  assert.equal(again.localKey('index'), local)
  assert.equal(volume.files.get('header.0'), volume.files.get('header.1'))
})

test('each change takes a fresh salt and fresh nonces, also for the same password', async () => {
  const { volume, file } = await created({ password: 'same' })
  const seen: string[] = []
  const look = (): void => {
    const found = parseHeader(volume.files.get('header.0') as Uint8Array, crypto)
    const fresh = [found.kdf.salt, found.masterNonce, found.identityNonce]
    seen.push(...fresh.map((bytes) => Buffer.from(bytes).toString('hex')))
  }
  look()
  for (let n = 0; n < 3; n += 1) {
    await file.changeSecret({ from: { password: 'same' }, to: { password: 'same' } })
    look()
  }

  assert.is(new Set(seen).size, seen.length)
})

test('a password becomes a key and a key a password, each under its own derivation', async () => {
  const { volume, file } = await created({ password: 'old' })
  const costOf = (): unknown => parseHeader(volume.files.get('header.0') as Uint8Array, crypto).kdf.cost
  const small = { N: 2 ** 15, r: 8, p: 1 }

  await file.changeSecret({ from: { password: 'old' }, to: newKey })
  assert.is(costOf(), undefined)
  assert.is(await outcomeOf(volume, newKey), 'open')
  assert.is(await outcomeOf(volume, { password: 'old' }), 'WRONG_PASSWORD')

  await file.changeSecret({ from: newKey, to: { password: 'again' }, kdf: 'small' })
  assert.equal(costOf(), small)
  await file.changeSecret({ from: { password: 'again' }, to: { password: 'kept cost' } })
  assert.equal(costOf(), small)
  assert.is(await outcomeOf(volume, { password: 'kept cost' }), 'open')
})

test('a wrong old secret is WRONG_PASSWORD and changes nothing', async () => {
  const { volume, file } = await created({ password: 'old' })
  const before = new Map(volume.files)

  for (const from of [{ password: 'other' }, newKey]) {
    assert.is(await codeOfWork(file.changeSecret({ from, to: newKey })), 'WRONG_PASSWORD')
  }

  assert.equal(volume.files, before)
})

test('changes of secret and identity at the same time all count, in the order of their calls', async () => {
  const { volume, file } = await created()

  const work = [
    file.changeSecret({ from: oldKey, to: newKey }),
    file.update({ remote: 'pi' }),
    codeOfWork(file.changeSecret({ from: oldKey, to: { password: 'late' } })),
    file.changeSecret({ from: newKey, to: oldKey }),
    file.update({ mirrors: [{ collection: 'c', source: new Uint8Array(16) }] }),
    file.changeSecret({ from: oldKey, to: newKey }),
  ]

  assert.is((await Promise.all(work))[2], 'WRONG_PASSWORD')
  assert.is(await outcomeOf(volume, oldKey), 'WRONG_PASSWORD')
  const again = await opens(volume, newKey)
  assert.ok(typeof again !== 'string')
  assert.is(again.identity.remote, 'pi')
  assert.is(again.identity.mirrors.length, 1)
})

test('a power cut at any step leaves a header that exactly one of the two secrets opens', async () => {
  const seen: string[] = []
  for (const how of ['cut before', 'cut after'] as const) {
    for (const step of [0, 1]) {
      const { volume, file } = await created()
      volume.failAt(step, how)

      assert.is(await codeOfWork(file.changeSecret({ from: oldKey, to: newKey })), 'DISK_FULL')

      const outcomes = [await outcomeOf(volume, oldKey), await outcomeOf(volume, newKey)]
      assert.equal(outcomes.toSorted(), ['WRONG_PASSWORD', 'open'], `${how} ${step}: ${outcomes.join(', ')}`)
      seen.push(outcomes[0] === 'open' ? 'old' : 'new')
    }
  }
  assert.equal(seen, ['old', 'new', 'new', 'new'])
})

test('a power cut while an opening heals the older copy keeps the same secret', async () => {
  const { volume, file } = await created()
  volume.failAt(1, 'cut before')
  assert.is(await codeOfWork(file.changeSecret({ from: oldKey, to: newKey })), 'DISK_FULL')

  for (const how of ['cut before', 'cut after'] as const) {
    for (const step of [0, 1]) {
      const next = createHeaderVolume(new Map(volume.files))
      next.failAt(step, how)
      assert.is(await codeOfWork(unlockHeader({ volume: next, crypto, env }, newKey)), 'DISK_FULL')
      assert.is(await outcomeOf(next, newKey), 'open')
      assert.is(await outcomeOf(next, oldKey), 'WRONG_PASSWORD')
    }
  }
})

test('when the disk refuses the change, the old secret goes on to count, also in later changes', async () => {
  for (const how of ['fail before', 'fail after'] as const) {
    for (const step of [0, 1]) {
      const { volume, file } = await created()
      volume.failAt(step, how)

      assert.is(await codeOfWork(file.changeSecret({ from: oldKey, to: newKey })), 'DISK_FULL')

      assert.is(await outcomeOf(volume, oldKey), 'open', `${how} ${step}`)
      assert.is(await outcomeOf(volume, newKey), 'WRONG_PASSWORD', `${how} ${step}`)
      await file.changeSecret({ from: oldKey, to: newKey })
      assert.is(await outcomeOf(volume, newKey), 'open')
    }
  }
})

test('after close nothing is written, and what was being written is done', async () => {
  const { volume, file } = await created()
  const change = file.changeSecret({ from: oldKey, to: newKey })
  const update = file.update({ remote: 'pi' })

  await file.close()
  const files = new Map(volume.files)

  assert.is(await codeOfWork(change), 'CLOSED')
  await update.catch(() => undefined)
  assert.is(await codeOfWork(file.update({ remote: 'late' })), 'CLOSED')
  assert.equal(volume.files, files)
})

test.run()

/** The apps of a group: their keys stay, others recognise them, and one damaged or missing file is told from a stranger. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume } from '../../../../actors/replica/index.ts'
import type { Volume } from '../../../../actors/replica/index.ts'
import { limits, nodeCrypto, toHex } from '../../../../runtime/index.ts'
import { refusal, withPlace } from './group-world.ts'
import type { Place } from './group-world.ts'

test(
  'an app keeps its keys, and each app has its own',
  withPlace(async (place) => {
    const group = await place.open()
    const made = await group.app('dashboard')
    const other = await group.app('tracker')
    const found = await (await place.open()).app('dashboard')

    assert.is(made.id, 'dashboard')
    assert.is(toHex(found.device.publicKey), toHex(made.device.publicKey))
    assert.is(toHex(found.staticKey), toHex(made.staticKey))
    assert.is.not(toHex(other.device.publicKey), toHex(made.device.publicKey))
    assert.is.not(toHex(other.staticKey), toHex(made.staticKey))
    assert.is(nodeCrypto.createP256(made.staticKey).publicKey.length, 65)
    const message = Uint8Array.of(1)
    assert.ok(nodeCrypto.createVerifier(made.device.publicKey).verify(message, found.device.sign(message)))
    assert.equal(JSON.parse(place.text('apps/dashboard/app.json')), {
      version: 1,
      app: 'dashboard',
      key: toHex(made.device.publicKey),
    })
    assert.is(statSync(place.at('apps/dashboard')).mode & 0o777, 0o700)
    assert.is(statSync(place.at('apps/dashboard/identity')).mode & 0o777, 0o600)
  }),
)

test(
  'a registration that was cut short is finished with the same keys',
  withPlace(async (place) => {
    const group = await place.open()
    const made = await group.app('dashboard')
    rmSync(place.at('apps/dashboard/app.json'))

    const found = await group.app('dashboard')

    assert.is(toHex(found.device.publicKey), toHex(made.device.publicKey))
    assert.ok(existsSync(place.at('apps/dashboard/app.json')))
  }),
)

test(
  'an identity that is damaged, missing or open to others is refused by name',
  withPlace(async (place) => {
    const group = await place.open()
    await group.app('dashboard')
    const identity = place.at('apps/dashboard/identity')
    const good = readFileSync(identity)

    for (const bytes of [
      good.subarray(1),
      Buffer.concat([good, Buffer.of(0)]),
      Buffer.concat([good.subarray(0, 32), Buffer.alloc(32)]),
    ]) {
      writeFileSync(identity, bytes)
      assert.is(await refusal(group.app('dashboard'), identity), 'DAMAGED')
    }
    writeFileSync(identity, good)
    chmodSync(identity, 0o644)
    assert.is(await refusal(group.app('dashboard'), identity), 'UNSAFE_DIRECTORY')
    rmSync(identity)
    assert.is(await refusal(group.app('dashboard'), identity), 'DAMAGED')
    assert.not(existsSync(identity), 'no other identity takes its place')
  }),
)

test(
  'a registration with another key than the identity, or that does not read, is damage',
  withPlace(async (place) => {
    const group = await place.open()
    const other = await group.app('tracker')
    await group.app('dashboard')
    const name = 'apps/dashboard/app.json'
    const key = toHex(other.device.publicKey)

    for (const json of [
      JSON.stringify({ version: 1, app: 'dashboard', key }),
      JSON.stringify({ version: 1, app: 'tracker', key }),
      JSON.stringify({ version: 1, app: 'dashboard', key: key.slice(2) }),
      JSON.stringify({ version: 1, app: 'dashboard' }),
      'x',
    ]) {
      place.write(name, json)
      assert.is(await refusal(group.app('dashboard'), place.at(name)), 'DAMAGED', json)
    }
    place.write(name, JSON.stringify({ version: 2, app: 'dashboard', key }))
    assert.is(await refusal(group.app('dashboard'), place.at(name)), 'BAD_CONFIG')
  }),
)

test(
  'the app of a key is found, also when it registers later or is removed',
  withPlace(async (place) => {
    const host = await place.open()
    const guest = await place.open()
    const { device } = await guest.app('dashboard')
    const stranger = nodeCrypto.createSigner(new Uint8Array(32).fill(7)).publicKey

    assert.is(await host.appOf(device.publicKey), 'dashboard')
    assert.is(await host.appOf(stranger), undefined)
    const later = await guest.app('tracker')
    assert.is(await host.appOf(later.device.publicKey), 'tracker')
    rmSync(place.at('apps/dashboard'), { recursive: true })
    assert.is(await host.appOf(device.publicKey), undefined)
    assert.is(await host.appOf(later.device.publicKey), 'tracker')
  }),
)

test(
  'a directory under another name gives its app no second name',
  withPlace(async (place) => {
    const group = await place.open()
    const { device } = await group.app('tracker')
    cpSync(place.at('apps/tracker'), place.at('apps/admin'), { recursive: true })

    assert.is(await group.appOf(device.publicKey), 'tracker')
    assert.is(await refusal(group.app('admin'), 'admin/app.json'), 'DAMAGED')
    rmSync(place.at('apps/tracker'), { recursive: true })
    assert.is(await refusal(group.appOf(device.publicKey), 'admin/app.json'), 'DAMAGED')
  }),
)

test(
  'a key that two apps claim is of the first by name',
  withPlace(async (place) => {
    const group = await place.open()
    const { device } = await group.app('tracker')
    mkdirSync(place.at('apps/zebra'))
    place.write(
      'apps/zebra/app.json',
      JSON.stringify({ version: 1, app: 'zebra', key: toHex(device.publicKey) }),
    )

    assert.is(await group.appOf(device.publicKey), 'tracker')
  }),
)

test(
  'nobody is an app in a group without apps',
  withPlace(async (place) => {
    const group = await place.open()

    assert.is(await group.appOf(new Uint8Array(32)), undefined)
  }),
)

test(
  'a key that is known costs one read, an unknown one reads each app once',
  withPlace(async (place) => {
    const reads: string[] = []
    const group = await place.open('desk', counting(reads))
    const apps = await Promise.all(['a', 'b', 'c'].map((id) => group.app(id)))
    const keyOf = (at: number): Uint8Array => apps[at]?.device.publicKey ?? new Uint8Array()

    reads.length = 0
    assert.is(await group.appOf(keyOf(1)), 'b')
    assert.equal(reads, ['apps/a/app.json', 'apps/b/app.json', 'apps/c/app.json'])
    reads.length = 0
    assert.is(await group.appOf(keyOf(2)), 'c')
    assert.is(await group.appOf(keyOf(1)), 'b')
    assert.equal(reads, ['apps/c/app.json', 'apps/b/app.json'])
  }),
)

test(
  'a damaged app hinders no other, and makes no stranger of a key that may be its own',
  withPlace(async (place) => {
    const group = await place.open()
    const good = await group.app('tracker')
    const bad = await group.app('dashboard')
    place.write('apps/dashboard/app.json', '{')
    mkdirSync(place.at('apps/empty'))
    place.write('apps/file', 'x')

    assert.is(await group.appOf(good.device.publicKey), 'tracker')
    assert.is(await refusal(group.appOf(bad.device.publicKey), 'dashboard/app.json'), 'DAMAGED')
  }),
)

test(
  'thousands of entries are neither read nor taken for apps',
  withPlace(async (place) => {
    const reads: string[] = []
    const group = await place.open('desk', counting(reads))
    const known = await group.app('tracker')
    await group.appOf(known.device.publicKey)
    const unread = await (await place.open()).app('zebra')
    flood(place, limits.groupAppsMax - 2)

    assert.is(await group.appOf(unread.device.publicKey), 'zebra', 'as many apps as may be')
    assert.is(await refusal(group.app('another'), 'remove'), 'QUOTA')
    mkdirSync(place.at('apps/one-too-many'))
    reads.length = 0
    assert.is(await group.appOf(known.device.publicKey), 'tracker')
    assert.is(await refusal(group.appOf(new Uint8Array(32)), 'remove'), 'QUOTA')
    assert.is(reads.length, 1)
    assert.is(toHex((await group.app('tracker')).staticKey), toHex(known.staticKey))
    assert.is(readdirSync(place.at('apps')).includes('another'), false)
  }),
)

test.run()

function counting(reads: string[]): (at: string) => Volume {
  return (at) => {
    const volume = createDirectoryVolume(at)
    return {
      ...volume,
      readPrivate: (name) => {
        reads.push(name)
        return volume.readPrivate(name)
      },
    }
  }
}

function flood(place: Place, entries: number): void {
  for (let n = 0; n < entries; n += 1) mkdirSync(place.at(`apps/junk-${n}`))
}

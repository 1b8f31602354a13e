/** The directory of an app group: what is made, what is found again, and what is refused by its exact code. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createSimulatedVolume } from '../../../../actors/replica/index.ts'
import { checkGroupName, openAppGroup } from '../../../../actors/topology/group/index.ts'
import { createSimulation, limits, nodeCrypto, toHex } from '../../../../runtime/index.ts'
import { settle } from '../../replica/replica-world.ts'
import { env, refusal, withPlace } from './group-world.ts'

const isRoot = process.geteuid?.() === 0

test(
  'a group is made for this user alone, and found again with its keys',
  withPlace(async (place) => {
    const made = await place.open()
    const found = await place.open()

    assert.is(made.name, 'desk')
    assert.is(made.directory, place.directory)
    assert.is(toHex(found.psk), toHex(made.psk))
    assert.is(toHex(found.id), toHex(made.id))
    assert.equal(JSON.parse(place.text('manifest.json')), { version: 1, group: 'desk' })
    assert.is(statSync(place.directory).mode & 0o777, 0o700)
    for (const file of ['key', 'manifest.json']) assert.is(statSync(place.at(file)).mode & 0o777, 0o600)
    assert.is(statSync(place.at('key')).size, 32)
    assert.equal(readdirSync(place.directory).sort(), ['key', 'manifest.json'])
  }),
)

test(
  'two groups of one name have different keys and the same id',
  withPlace(async (place) => {
    const one = await place.open()
    renameSync(place.directory, join(place.parent, 'other'))
    const two = await place.open()

    assert.is.not(toHex(one.psk), toHex(two.psk))
    assert.is(toHex(one.id), toHex(two.id))
  }),
)

test('the same group works on a simulated disk, and a cut between key and manifest is healed with that key', async () => {
  const simulation = createSimulation(1)
  const volume = createSimulatedVolume(simulation.env('disk'))
  const world = { volume: () => volume, env: simulation.env('app'), crypto: nodeCrypto }
  const open = async (): Promise<string> => {
    const group = await settle(simulation, openAppGroup(world, { id: 'desk', directory: '/group' }))
    return toHex(group.psk)
  }

  const first = await open()
  await volume.remove('manifest.json')

  assert.is(await open(), first)
  assert.ok((await volume.list('')).includes('manifest.json'))
})

test(
  'a directory that others may enter, and what is no directory of ours, is refused',
  withPlace(async (place) => {
    for (const mode of [0o777, 0o1777, 0o770, 0o750, 0o740, 0o701, 0o720]) {
      place.make(mode)
      assert.is(await refusal(place.open(), place.directory), 'UNSAFE_DIRECTORY', mode.toString(8))
      assert.equal(readdirSync(place.directory), [], 'nothing was made there')
      rmSync(place.directory, { recursive: true })
    }
    mkdirSync(join(place.parent, 'target'), { mode: 0o700 })
    symlinkSync(join(place.parent, 'target'), place.directory)
    assert.is(await refusal(place.open(), 'symbolic link'), 'UNSAFE_DIRECTORY')
    rmSync(place.directory)
    symlinkSync(join(place.parent, 'nowhere'), place.directory)
    assert.is(await refusal(place.open()), 'UNSAFE_DIRECTORY')
    rmSync(place.directory)
    writeFileSync(place.directory, '')
    assert.is(await refusal(place.open()), 'UNSAFE_DIRECTORY')
  }),
)

test(
  'a directory or a key of another user is refused',
  withPlace(async (place) => {
    if (!isRoot) {
      console.log('SKIPPED: a directory of another user needs root')
      return
    }
    place.make()
    chownSync(place.directory, 12_345, 12_345)
    assert.is(await refusal(place.open(), '12345'), 'UNSAFE_DIRECTORY')
    chownSync(place.directory, 0, 0)

    await place.open()
    chownSync(place.at('key'), 12_345, 12_345)
    assert.is(await refusal(place.open(), '12345'), 'UNSAFE_DIRECTORY')
  }),
)

test(
  'a key that others may read, or that is no file, is refused',
  withPlace(async (place) => {
    await place.open()
    const key = place.at('key')
    for (const mode of [0o640, 0o604, 0o620, 0o601]) {
      chmodSync(key, mode)
      assert.is(await refusal(place.open(), key), 'UNSAFE_DIRECTORY', mode.toString(8))
    }
    chmodSync(key, 0o600)
    renameSync(key, place.at('moved'))
    symlinkSync(place.at('moved'), key)
    assert.is(await refusal(place.open(), 'symbolic link'), 'UNSAFE_DIRECTORY')
    rmSync(key)
    mkdirSync(key, { mode: 0o700 })
    assert.is(await refusal(place.open(), key), 'UNSAFE_DIRECTORY')
    rmSync(key, { recursive: true })
    execFileSync('mkfifo', ['-m', '600', key])
    assert.is(await refusal(place.open(), key), 'UNSAFE_DIRECTORY')
  }),
)

test(
  'a key of the wrong length, or one that is gone, is damage with the name of the file',
  withPlace(async (place) => {
    const group = await place.open()
    const key = place.at('key')
    for (const length of [0, 31, 33, limits.privateFileBytesMax + 1]) {
      place.write('key', new Uint8Array(length))
      assert.is(await refusal(place.open(), key), 'DAMAGED', String(length))
    }
    rmSync(key)
    assert.is(await refusal(place.open(), key), 'DAMAGED')
    assert.not(existsSync(key), 'no other key takes its place')
    assert.is(group.psk.length, 32)
  }),
)

test(
  'the directory of another group or of another version is refused, and nothing is made in it',
  withPlace(async (place) => {
    place.make()
    for (const json of [
      '{"version":1,"group":"other"}',
      '{"version":2,"group":"desk"}',
      '{"group":"desk"}',
      '{"version":1}',
    ]) {
      place.write('manifest.json', json)
      assert.is(await refusal(place.open(), place.directory), 'BAD_CONFIG', json)
    }
    assert.equal(readdirSync(place.directory), ['manifest.json'])
  }),
)

test(
  'a manifest that does not read is damage with the name of the file',
  withPlace(async (place) => {
    place.make()
    for (const content of [
      '',
      '{',
      '[]',
      'null',
      '7',
      Buffer.from('{"version":1,"group":"desk","x":"\xff"}', 'latin1'),
      '{"version":1,"group":"desk"} x',
    ]) {
      place.write('manifest.json', content)
      assert.is(await refusal(place.open(), place.at('manifest.json')), 'DAMAGED', String(content))
    }
    place.write(
      'manifest.json',
      `{"version":1,"group":"desk","x":"${'x'.repeat(limits.privateFileBytesMax)}"}`,
    )
    assert.is(await refusal(place.open(), place.at('manifest.json')), 'DAMAGED')
  }),
)

test('names that could lead elsewhere are refused', async () => {
  for (const name of ['a', 'desk', '0', '_x', 'a.b-c_d', 'x'.repeat(64)])
    assert.is(checkGroupName(name, 'app'), name)
  for (const name of [
    '',
    '.',
    '..',
    '.desk',
    '-desk',
    '../desk',
    'a/b',
    '/a',
    'a\\b',
    'a\0b',
    'Desk',
    'dësk',
    'a b',
    'a\n',
    'x'.repeat(65),
    7,
    undefined,
    ['desk'],
  ]) {
    assert.throws(
      () => checkGroupName(name, 'app'),
      (error: unknown) => error instanceof TypeError && error.message.startsWith('app: expected '),
      String(name),
    )
  }
})

test(
  'every name that a group takes is checked before anything is touched',
  withPlace(async (place) => {
    for (const name of ['..', '../desk', 'a/b', 'x'.repeat(65)]) {
      assert.is(await refusal(place.open(name)), 'TypeError')
      assert.not(existsSync(place.directory))
    }
    const group = await place.open()
    for (const name of ['..', '../desk', 'a/b', 'x'.repeat(65)]) {
      assert.is(await refusal(group.app(name)), 'TypeError')
      assert.throws(() => group.guestKey(name, 'bugs'), TypeError)
      assert.throws(() => group.guestDirectory(name, 'bugs', 0), TypeError)
    }
    assert.equal(readdirSync(place.directory).sort(), ['key', 'manifest.json'])
  }),
)

test(
  'each copy has a directory of its own within the group, whatever the database is called',
  withPlace(async (place) => {
    const group = await place.open()
    const databases = ['bugs', '../bugs', 'x'.repeat(200), 'bügs/..']
    const paths = databases.flatMap((database) =>
      [0, 63].map((slot) => group.guestDirectory('dashboard', database, slot)),
    )

    assert.is(new Set(paths).size, paths.length)
    for (const path of paths) {
      assert.match(path.slice(place.directory.length), /^\/guests\/dashboard\/[0-9a-f]{32}\/\d+$/)
    }
    assert.equal(group.endpoint('../bugs'), { transport: 'uds', directory: place.directory, name: '../bugs' })
    for (const slot of [-1, 64, 0.5, Number.NaN]) assert.throws(() => group.guestDirectory('a', 'bugs', slot))
  }),
)

test(
  'a copy has a key of its own by app, database and group',
  withPlace(async (place) => {
    const group = await place.open()
    renameSync(place.directory, join(place.parent, 'other'))
    const other = await place.open()

    const keys = [
      group.psk,
      group.guestKey('a', 'bugs'),
      group.guestKey('b', 'bugs'),
      group.guestKey('a', 'people'),
      other.guestKey('a', 'bugs'),
    ].map(toHex)

    assert.is(new Set(keys).size, keys.length)
    assert.ok(keys.every((key) => key.length === 64))
    assert.is(toHex(group.guestKey('a', 'bugs')), keys[1])
  }),
)

test(
  'nothing secret stands in a file that is not a secret',
  withPlace(async (place) => {
    const group = await place.open()
    const app = await group.app('dashboard')
    const policy = toHex(env.entropy(16))
    const space = toHex(env.entropy(16))
    await group.publish({ database: 'bugs', app: 'dashboard', space, pid: 7, policy, grants: undefined })

    const seed = await readBytes(place.at('apps/dashboard/identity'))
    const secrets = [
      await readBytes(place.at('key')),
      group.psk,
      group.guestKey('dashboard', 'bugs'),
      seed.slice(0, 32),
      app.staticKey,
    ]
    const [entry = ''] = readdirSync(place.at('databases'))
    for (const file of ['manifest.json', 'apps/dashboard/app.json', `databases/${entry}`]) {
      const text = place.text(file)
      for (const secret of secrets) {
        const bytes = Buffer.from(secret)
        for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
          assert.not(
            text.toLowerCase().includes(bytes.toString(form).slice(0, 16).toLowerCase()),
            `${file} ${form}`,
          )
        }
      }
    }
    assert.ok(
      place.text('apps/dashboard/app.json').includes(toHex(app.device.publicKey)),
      'the search would find a key',
    )
  }),
)

test.run()

async function readBytes(path: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(path))
}

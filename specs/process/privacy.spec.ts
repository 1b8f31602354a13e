// time limit: 180 s
/**
 * Nobody but the devices of a team can read: eight bytes of any text of a record are found neither in the directories nor on the wire,
 * and the secret of an invite never reaches the supervisor. Each search is shown to find what is there.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume, openIn } from '../../actors/index.ts'
import type { World } from '../../actors/index.ts'
import { partsOf } from '../../actors/client/client.ts'
import { deriveInviteKeys, parseCode } from '../../actors/team/index.ts'
import type { InviteCode } from '../../actors/team/index.ts'
import { createSimulatedFiles } from '../../actors/replica/index.ts'
import { createSystem, nodeCrypto } from '../../runtime/index.ts'
import { Stage } from '../../scripts/process/stage.ts'
import { startSupervisor } from '../../server/supervisor.ts'
import type { Transport } from '../../transports/index.ts'
import { ByteSearch } from '../fixtures/byte-search.ts'
import { cities } from '../fixtures/city.ts'
import { DeviceProcess } from '../fixtures/device-process.ts'
import { recordCrypto } from '../fixtures/recording-crypto.ts'
import { startRecordingProxy } from '../fixtures/recording-proxy.ts'
import { SupervisorProcess } from '../fixtures/supervisor-process.ts'
import { SimulatedWorld } from '../simulation/world.ts'

const RECORDS = 2_000
const DATABASE = 'name-that-the-supervisor-may-see'
const PASSWORD = 'long password of the first device'
const collection = 'collection-of-cities'

const stages: Stage[] = []

function createStage(): Stage {
  const stage = new Stage('privacy-spec')
  stages.push(stage)
  return stage
}

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

/** Rows whose only texts are names and notes: coordinates as text could stand in a log by chance. */
const rows = cities(RECORDS).map(({ id, name, lat, lng, at }) => ({
  id: `record-id-${id}`,
  nameOfTheCity: name,
  lat: Number(lat),
  lng: Number(lng),
  note: `note ${at} about ${name}, which nobody else may read`,
}))

/** Everything that can be read in the rows, plus 32 planted bytes. */
function secretsOf(canary: Buffer, canaryText: string): ByteSearch {
  const search = new ByteSearch()
  search.add('collection', collection)
  for (const row of rows) {
    for (const [field, value] of Object.entries(row)) {
      search.add('field name', field)
      if (typeof value === 'string') search.add(`text of ${row.id}`, value)
    }
  }
  search.addEncoded('canary', canary)
  search.addEncoded('canary text', canaryText)
  return search
}

function inviteOf(url: string): InviteCode {
  const code = parseCode(url)
  if (code.kind !== 'invite') throw new Error('expected an invite')
  return code
}

/** What only the devices may have of an invite. */
function addInvite(search: ByteSearch, { secret, spaceId }: InviteCode): void {
  const { boxKey } = deriveInviteKeys({ crypto: nodeCrypto, secret, spaceId })
  search.addEncoded('invite secret', secret)
  search.addEncoded('box key', boxKey)
  search.addEncoded('join key', nodeCrypto.hkdfSha256(secret, spaceId, 'blazedb/invite/join', 32))
}

test('the search finds eight bytes of a secret in a file, in a store, and in base64 at any place', async () => {
  const stage = createStage()
  const canary = randomBytes(32)
  const canaryText = randomBytes(24).toString('base64url')
  const search = secretsOf(canary, canaryText)
  const note = Buffer.from(rows[1_234]?.note ?? '')
  const inFile = stage.makeDirectory('in-file')
  mkdirSync(join(inFile, 'deep'))
  writeFileSync(
    join(inFile, 'deep', 'file'),
    Buffer.concat([randomBytes(1_001), note.subarray(0, 8), randomBytes(99)]),
  )
  const store = await createDirectoryVolume(stage.makeDirectory('in-store')).openStore('store')
  await store.batch([{ type: 'put', key: randomBytes(20), value: Buffer.concat([randomBytes(300), canary]) }])
  await store.close()

  // A random neighbour may happen to continue the text, so that a second window is found.
  assert.ok(search.findBelow(inFile).length >= 1)
  assert.match(search.findBelow(join(stage.directory, 'in-store')).join(), 'canary (raw)')
  for (const prefix of ['', '1', '22', '333']) {
    const text = Buffer.concat([Buffer.from(prefix), canary, Buffer.from('end')]).toString('base64')
    assert.match(search.find(Buffer.from(text)).join(), 'canary (base64')
  }
  assert.match(search.find(Buffer.from(canary.toString('hex'))).join(), 'canary (hex)')
  assert.match(search.find(Buffer.from(canaryText)).join(), 'canary text (raw)')
  assert.equal(search.find(randomBytes(2_000_000)), [])
})

test('neither the directories nor the bytes on the wire show a text of a record, a canary or a key', async () => {
  const stage = createStage()
  const supervisor = await SupervisorProcess.start(stage)
  const proxy = await startRecordingProxy(stage, supervisor.port)
  const [a, b] = [new DeviceProcess(stage, 'a'), new DeviceProcess(stage, 'b')]
  const [atA, atB] = [join(stage.directory, 'a'), join(stage.directory, 'b')]
  const canary = randomBytes(32)
  const canaryText = randomBytes(24).toString('base64url')
  const planted = {
    id: canaryText,
    [canaryText]: canary.toString('hex'),
    base64: canary.toString('base64'),
    bytes: canary,
  }

  await a.call('open', { at: atA, password: PASSWORD })
  const code = supervisor.enrolment ?? ''
  await a.call('enableSync', { at: atA, code, database: DATABASE, port: proxy.port })
  const invite = inviteOf(await a.call('invite', { at: atA, role: 'writer' }))
  const url = await a.call('invite', { at: atA, role: 'writer' })
  await b.call('join', { at: atB, invite: url })
  await a.insertMany(atA, collection, [...rows, planted])
  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })
  await b.call('update', { at: atB, collection, id: canaryText, patch: { text: canaryText } })
  await b.call('caughtUp', { at: atB })
  await a.call('caughtUp', { at: atA })
  const arrived = await b.rows(atB, collection)
  assert.is(arrived.size, RECORDS + 1)
  assert.equal(arrived.get(rows[77]?.id ?? ''), rows[77])
  assert.equal((await a.rows(atA, collection)).get(canaryText), {
    ...planted,
    text: canaryText,
    bytes: new Uint8Array(canary),
  })

  const search = secretsOf(canary, canaryText)
  search.addEncoded('password', PASSWORD)
  for (const each of [invite, inviteOf(url)]) addInvite(search, each)
  const enrolment = parseCode(code)
  const onWire = new ByteSearch()
  onWire.addEncoded('enrolment secret', enrolment.secret)
  const directories = [supervisor.data, atA, atB]
  for (const directory of directories) assert.equal(search.findBelow(directory), [], 'while it is open')
  await supervisor.kill()
  await Promise.all([a.stop(), b.stop()])
  for (const directory of directories) assert.equal(search.findBelow(directory), [], 'when it is closed')
  const recorded = proxy.recorded()
  for (const bytes of recorded) assert.equal([...search.find(bytes), ...onWire.find(bytes)], [])

  // What the search had to find, had it been there: as many bytes as the records have, and known bytes in each place.
  const sizes = recorded.map((bytes) => bytes.length)
  console.log(`searched ${search.searched} bytes; on the wire ${sizes.join(', ')}`)
  const known = new ByteSearch()
  known.add('protocol name in the TLS hello', 'blazed/1')
  known.add('database name', DATABASE)
  assert.ok(
    recorded.filter((bytes) => known.find(bytes).length > 0).length >= 2,
    'both devices went through the proxy',
  )
  assert.match(known.findBelow(supervisor.data).join(), 'database name')
  assert.ok(Math.max(...sizes) > RECORDS * 100, 'the records went through the proxy')
})

test('what the supervisor receives, decrypts and uses as a key holds the channel key of an invite and nothing else of it', async () => {
  const sim = new SimulatedWorld(1)
  const { crypto, seen } = recordCrypto(nodeCrypto)
  const received: Uint8Array[] = []
  sim.supervisor = await sim.settle(
    startSupervisor({
      world: {
        env: sim.simulation.env('pi'),
        crypto,
        volume: sim.volume('pi'),
        transport: recordTransport(sim.network.transport('pi'), received),
      },
      listen: { transport: 'memory', host: 'pi', port: 8080 },
    }),
  )
  const key = new Uint8Array(32).fill(3)
  const owner: World = {
    env: sim.simulation.env('a'),
    system: createSystem({ env: sim.simulation.env('a'), name: 'a' }),
    crypto: nodeCrypto,
    transport: sim.network.transport('a'),
    local: sim.network.transport('a'),
    pid: 1,
    isRunning: (pid) => pid === 1,
    groupDirectory: (name) => `/groups/${name}`,
    volume: () => sim.volume('a'),
    files: createSimulatedFiles(),
  }
  const canary = randomBytes(32)
  const canaryText = randomBytes(24).toString('base64url')

  const a = await sim.settle(openIn(owner, { name: 'a', at: 'a', key }))
  await sim.settle(a.enableSync({ remote: sim.remote(), database: DATABASE }))
  const url = await sim.settle(a.invite({ role: 'writer' }))
  const b = await sim.join('b', url)
  await sim.settle(a.collection(collection).insertMany([...rows.slice(0, 200), { id: canaryText, canary }]))
  for (const client of [a, b])
    await sim.settle(client.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  const arrived = await sim.settle(b.collection(collection).query().count())

  const invite = inviteOf(url)
  const search = secretsOf(canary, canaryText)
  addInvite(search, invite)
  for (const client of [a, b]) {
    const { identity } = partsOf(client).database
    search.addEncoded('tag key', identity.tagKey)
    search.addEncoded('seed of a device', identity.signSeed)
    search.addEncoded('scalar of a device', identity.dhScalar)
    for (const epoch of identity.epochs) search.addEncoded('epoch key', epoch.key)
  }
  assert.is(arrived, 201)
  for (const bytes of [...seen, ...received]) assert.equal(search.find(bytes), [])
  assert.equal(search.find(Buffer.concat(received)), [])

  const known = new ByteSearch()
  const { channelKey, joinSigner } = deriveInviteKeys({
    crypto: nodeCrypto,
    secret: invite.secret,
    spaceId: invite.spaceId,
  })
  known.add('channel key', channelKey)
  known.add('public half of the join key', joinSigner.publicKey)
  known.add('invite id', invite.inviteId)
  known.add('database name', DATABASE)
  const found = new Set(seen.flatMap((bytes) => known.find(bytes)))
  assert.equal([...found].sort(), [
    'channel key',
    'database name',
    'invite id',
    'public half of the join key',
  ])
})

test.run()

/** Keeps every record that a link delivers. */
function recordTransport(transport: Transport, into: Uint8Array[]): Transport {
  return {
    ...transport,
    listen: (endpoint, onLink) =>
      transport.listen(endpoint, (link) => {
        const attach = link.attach.bind(link)
        link.attach = (handlers) =>
          attach({
            record: (bytes) => {
              into.push(bytes.slice())
              handlers.record(bytes)
            },
            drain: () => handlers.drain(),
            closed: (error) => handlers.closed(error),
          })
        onLink(link)
      }),
  }
}

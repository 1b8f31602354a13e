/** Decoders of files: tables of LevelDB, backups, what a supervisor keeps and is told, and app groups: PROTOCOL §6.4, §8.3, §12.1. */
import { decodeRemote, encodeRemote } from '../../../actors/client/remote-node.ts'
import { BackupReader, encodeHead, FrameSealer } from '../../../actors/database/moving/backup-frame.ts'
import { maskedCrc32c } from '../../../actors/replica/disk/crc32c.ts'
import { tableFlaw } from '../../../actors/replica/disk/level-table.ts'
import type { Volume } from '../../../actors/replica/index.ts'
import { createDeviceIdentity } from '../../../actors/team/device.ts'
import { formatDeviceId, parseDeviceId } from '../../../actors/team/device-id.ts'
import { openAppGroup } from '../../../actors/topology/group/app-group.ts'
import { AppRegistry } from '../../../actors/topology/group/app-registry.ts'
import { GroupFiles } from '../../../actors/topology/group/group-file.ts'
import {
  BlazeError,
  concatBytes,
  createSimulation,
  decodeCbor,
  encodeCbor,
  nodeCrypto,
  toHex,
} from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { resolveConfig } from '../../../server/config.ts'
import { answerControl } from '../../../server/control.ts'
import { openIdentity } from '../../../server/identity.ts'
import type { FuzzTarget } from '../fuzz.ts'
import { vectorBytes } from '../vector-bytes.ts'

const crypto = nodeCrypto
const env = createSimulation(2).env('fuzz')
const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

/** A volume of these files alone. */
function volumeOf(files: Readonly<Record<string, Uint8Array>>): Volume {
  const read = async (name: string): Promise<Uint8Array | undefined> => files[name]
  const nothing = async (): Promise<void> => undefined
  return {
    at: '/group',
    readFile: read,
    readPrivate: read,
    private: nothing,
    writeFile: nothing,
    remove: nothing,
    createFile: async () => false,
    list: async () => ['app'],
    openStore: () => Promise.reject(new Error('no store is opened')),
  }
}

const FOOTER_BYTES = 48
const TABLE_MAGIC = Uint8Array.of(0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb)

async function readTable(bytes: Uint8Array): Promise<void> {
  const file = {
    size: bytes.length,
    read: async (from: number, to: number) => bytes.subarray(from, to),
  }
  const flaws = [await tableFlaw(file, 'whole'), await tableFlaw(file, 'frame')]
  for (const flaw of flaws) if (flaw !== undefined) throw new BlazeError('DAMAGED', flaw)
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

function sealedBlock(content: Uint8Array): Uint8Array {
  const block = new Uint8Array(content.length + 5)
  block.set(content)
  new DataView(block.buffer).setUint32(content.length + 1, maskedCrc32c(block, 0, content.length + 1), true)
  return block
}

/** Entries that name blocks, with one restart at 0. */
function indexBlock(entries: readonly (readonly [key: number, from: number, length: number])[]): Uint8Array {
  const bytes = entries.flatMap(([key, from, length]) => {
    const handle = [...varint(from), ...varint(length)]
    return [0, 1, handle.length, key, ...handle]
  })
  return Uint8Array.of(...bytes, 0, 0, 0, 0, 1, 0, 0, 0)
}

/** Blocks of data, then the meta and the index block, all of them with checksums that are right. */
function tableOf(data: Uint8Array, meta: Uint8Array, index: Uint8Array): Uint8Array {
  const blocks = [data, meta, index].map(sealedBlock)
  const [, metaAt, indexAt] = [0, data.length + 5, data.length + 5 + meta.length + 5]
  const footer = new Uint8Array(FOOTER_BYTES)
  footer.set([...varint(metaAt), ...varint(meta.length), ...varint(indexAt), ...varint(index.length)])
  footer.set(TABLE_MAGIC, FOOTER_BYTES - TABLE_MAGIC.length)
  return concatBytes([...blocks, footer])
}

/** Blocks of data are looked at by their checksum alone. */
const data = fill(50_000, 97)
const noMeta = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)
const goodIndex = indexBlock([[98, 0, data.length]])

/** Whoever can write the file can put checksums right. */
function readIndexBlock(bytes: Uint8Array): Promise<void> {
  return readTable(tableOf(data, noMeta, bytes))
}

const backupHead = { backupId: fill(16, 1), header: vectorBytes('moving', 'header') }
const backupKey = fill(32, 7)

function sourceOf(bytes: Uint8Array): ConstructorParameters<typeof BackupReader>[0] {
  let at = 0
  return {
    async read(count: number) {
      const part = bytes.subarray(at, at + count)
      at += part.length
      return part
    },
    sizeBytes: bytes.length,
    close: async () => undefined,
  }
}

function backupFrames(): Uint8Array {
  const sealer = new FrameSealer(crypto, backupKey, backupHead)
  return concatBytes([sealer.seal(text('first'), false), sealer.seal(text('last'), true)])
}

async function readFrames(bytes: Uint8Array): Promise<void> {
  const reader = new BackupReader(sourceOf(concatBytes([encodeHead(backupHead), bytes])))
  await reader.frames(crypto, { key: backupKey, head: await reader.head() }, async () => undefined)
}

/** With the checksum put right, so that the fields are reached. */
function readServerIdentity(bytes: Uint8Array): Promise<unknown> {
  const identity = concatBytes([bytes, crypto.sha256(bytes).subarray(0, 8)])
  return openIdentity({ volume: volumeOf({ identity }), env, crypto })
}

function serverIdentity(version: number, retired: readonly Uint8Array[]): Uint8Array {
  const keys = [fill(32, 1), fill(32, 2), fill(32, 3)]
  const rest = version === 1 ? [] : [Uint8Array.of(retired.length), ...retired]
  return concatBytes([text('BLZS'), Uint8Array.of(version), ...keys, fill(6, 1), ...rest])
}

const app = createDeviceIdentity({ crypto, env })
const appSecret = concatBytes([app.signSeed, app.dhScalar])
const appJson = text(`{"version":1,"app":"app","key":"${toHex(app.signer.publicKey)}"}`)

function readApp(files: Readonly<Record<string, Uint8Array>>): Promise<unknown> {
  const registry = new AppRegistry({ files: new GroupFiles(volumeOf(files)), env, crypto })
  return registry.open('app')
}

const control = {
  createCode: async () => 'code',
  rotateKey: async () => 'key',
  status: () => ({}) as never,
}

async function answerLine(bytes: Uint8Array): Promise<void> {
  let request: unknown
  try {
    request = JSON.parse(textOf(bytes))
  } catch {
    // Whoever reads the line refuses it.
    throw new BlazeError('PROTOCOL_VIOLATION', 'no JSON')
  }
  const answer = JSON.stringify(await answerControl(control, request))
  if (answer.includes('"ok":false')) throw new BlazeError('PROTOCOL_VIOLATION', answer)
}

const remote = {
  host: 'pi.local',
  port: 8080,
  serverKey: crypto.createP256(fill(32, 3)).publicKey,
  serverDevice: fill(32, 4),
  database: 'bugs',
  transports: ['tls'],
  formerKeys: [fill(65, 4)],
} as const

export const fileTargets: readonly FuzzTarget[] = [
  {
    name: 'table of LevelDB',
    codes: ['DAMAGED'],
    decode: readTable,
    seeds: [tableOf(data, noMeta, goodIndex)],
  },
  {
    name: 'index block of a table of LevelDB',
    codes: ['DAMAGED'],
    decode: readIndexBlock,
    seeds: [goodIndex],
    hostile: [
      // One block, named again and again.
      indexBlock(Array.from({ length: 8_000 }, () => [98, 0, data.length] as const)),
    ],
  },
  {
    name: 'head of a backup',
    codes: ['BACKUP_INVALID', 'NOT_SUPPORTED'],
    decode: (bytes) => new BackupReader(sourceOf(bytes)).head(),
    seeds: [encodeHead(backupHead)],
  },
  { name: 'frames of a backup', codes: ['BACKUP_INVALID'], decode: readFrames, seeds: [backupFrames()] },
  {
    name: 'identity of a supervisor',
    codes: ['DAMAGED'],
    decode: readServerIdentity,
    seeds: [serverIdentity(1, []), serverIdentity(2, []), serverIdentity(2, [fill(32, 4), fill(32, 5)])],
    bytesMax: 400,
  },
  {
    name: 'configuration of a supervisor',
    codes: ['BAD_CONFIG'],
    decode: (bytes) =>
      resolveConfig({ flags: { config: 'c' }, environment: {}, readFile: () => textOf(bytes) }),
    seeds: [
      text(
        'data = "/d"\nlisten = "tls://[::1]:8080"\nops = "http://127.0.0.1:1"\nadvertise = "pi:8080"\nlocal = "none"\n',
      ),
    ],
    hostile: [text(`data = ${'['.repeat(50_000)}`), text(`${'a.'.repeat(30_000)}b = 1`)],
  },
  {
    name: 'request on the control socket',
    codes: ['PROTOCOL_VIOLATION'],
    decode: answerLine,
    seeds: ['enroll', 'status', 'rotate-key'].map((op) => text(`{"op":"${op}"}`)),
  },
  {
    name: 'manifest of an app group',
    codes: ['DAMAGED', 'BAD_CONFIG'],
    decode: (bytes) =>
      openAppGroup(
        { env, crypto, volume: () => volumeOf({ 'manifest.json': bytes, key: fill(32, 1) }) },
        { id: 'group', directory: '/group' },
      ),
    seeds: [text('{"version":1,"group":"group"}')],
  },
  {
    name: 'app of an app group',
    codes: ['DAMAGED', 'BAD_CONFIG'],
    decode: (bytes) => readApp({ 'apps/app/identity': appSecret, 'apps/app/app.json': bytes }),
    seeds: [appJson],
  },
  {
    name: 'identity of an app',
    codes: ['DAMAGED'],
    decode: (bytes) => readApp({ 'apps/app/identity': bytes, 'apps/app/app.json': appJson }),
    seeds: [appSecret],
    hostile: [fill(64, 0), fill(64, 255)],
  },
  {
    name: 'remote of a database',
    codes: ['BAD_VALUE'],
    decode: (bytes) => decodeRemote(decodeCbor(bytes) as Value),
    seeds: [encodeCbor(encodeRemote(remote))],
  },
  {
    name: 'device id',
    codes: ['TypeError'],
    decode: (bytes) => parseDeviceId(textOf(bytes)),
    seeds: [text(formatDeviceId(crypto, fill(32, 1)))],
  },
]

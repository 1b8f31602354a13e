/**
 * Frozen bytes of PROTOCOL §6.2 and §6.4 (specs/vectors/moving.json): a header, and a backup of it; both providers agree.
 * `REWRITE=1` writes the file anew; the difference is then read by a person, because every change of it is a change of the format.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { localKeyOf, openHeader } from '../../../actors/database/header-file.ts'
import { encodeHeader, parseHeader } from '../../../actors/database/header.ts'
import { encodeIdentity } from '../../../actors/database/identity.ts'
import type { DatabaseIdentity } from '../../../actors/database/identity.ts'
import { BACKUP_KEY_LABEL } from '../../../actors/database/moving/backup.ts'
import { BackupReader, encodeHead, FrameSealer } from '../../../actors/database/moving/backup-frame.ts'
import {
  encodeManifest,
  encodeRow,
  encodeTotals,
  ItemReader,
} from '../../../actors/database/moving/backup-item.ts'
import type { StoreRow } from '../../../actors/replica/index.ts'
import { concatBytes, createNodeEnv, fromHex, nodeCrypto, toHex } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'

const path = fileURLToPath(new URL('../../vectors/moving.json', import.meta.url))
const count = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, n) => (first + n) % 256)
const env = { ...createNodeEnv(), entropy: (bytes: number) => count(bytes, 0x10) }
const secret = { key: count(32, 1) }
const masterKey = count(32, 0x40)
const identity: DatabaseIdentity = {
  space: count(16, 0x20),
  replica: count(8, 0x30),
  replicaN: 1,
  signSeed: count(32, 0x50),
  dhScalar: count(32, 0x60),
  tagKey: count(32, 0x70),
  epochs: [{ epoch: 1, key: count(32, 0x80) }],
  mirrors: [],
}
const rows: StoreRow[] = [
  [Uint8Array.of(0x72, ...count(8, 0x30)), count(20, 0x90)],
  [Uint8Array.of(0x74, ...count(16, 0xa0)), count(50, 0xb0)],
]

function build(crypto: CryptoProvider): Record<string, string> {
  const kdf = { cost: undefined, salt: count(16, 0xe0) }
  const draft = { generation: 3, kdf, derivedKey: secret.key, masterKey, identity: encodeIdentity(identity) }
  const header = encodeHeader(draft, crypto, env)
  const key = localKeyOf(masterKey, BACKUP_KEY_LABEL, crypto)
  const head = { backupId: count(16, 0xf0), header }
  const frames = new FrameSealer(crypto, key, head)
  const manifest = { space: identity.space, madeAtMs: 5, lastOwnSeq: 7, tags: 1, envelopes: 1 }
  const plain = concatBytes([encodeManifest(manifest), ...rows.map(encodeRow), encodeTotals(rows.length)])
  return {
    secretKey: toHex(secret.key),
    masterKey: toHex(masterKey),
    header: toHex(header),
    backupKey: toHex(key),
    items: toHex(plain),
    backup: toHex(
      concatBytes([
        encodeHead(head),
        frames.seal(plain.subarray(0, 100), false),
        frames.seal(plain.subarray(100), true),
      ]),
    ),
  }
}

test('header and backup have the frozen bytes, under both providers', () => {
  const built = build(nodeCrypto)
  if (process.env['REWRITE'] === '1' || !existsSync(path)) {
    writeFileSync(path, `${JSON.stringify(built, undefined, 2)}\n`)
  }
  const frozen = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>

  assert.equal(built, frozen)
  assert.equal(build(nobleCrypto), frozen)
})

test('the frozen bytes are read as what they were made of', async () => {
  const { header = '', backup = '' } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
  const opened = await openHeader(parseHeader(fromHex(header), nobleCrypto), secret, nobleCrypto)
  assert.equal(opened?.identity, identity)

  let rest = fromHex(backup)
  const reader = new BackupReader({
    sizeBytes: rest.length,
    async read(bytesMax) {
      const piece = rest.subarray(0, bytesMax)
      rest = rest.subarray(piece.length)
      return piece
    },
    async close() {},
  })
  const head = await reader.head()
  const key = localKeyOf(masterKey, BACKUP_KEY_LABEL, nodeCrypto)
  const items = new ItemReader()
  const found: StoreRow[] = []
  await reader.frames(nodeCrypto, { key, head }, async (plain, frame) => {
    found.push(...items.add(plain, frame))
  })

  assert.equal(toHex(head.header), header)
  assert.equal(found, rows)
  assert.is(items.manifest?.lastOwnSeq, 7)
})

test.run()

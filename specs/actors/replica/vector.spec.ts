/**
 * Frozen bytes of PROTOCOL §1–§3, §6.1, §10 and §14 (specs/vectors/replica.json). `REWRITE=1` writes the file anew; the difference is
 * then read by a person, because every change of it is a change of the protocol.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeCommitItem,
  signCommit,
  verifyCommit,
  parseCommitItem,
} from '../../../actors/replica/commit.ts'
import { assembleEnvelope, encodeHeader, parseEnvelope } from '../../../actors/replica/envelope.ts'
import { encodeItems, vectorDigest } from '../../../actors/replica/index.ts'
import {
  arrivalKey,
  batchKey,
  commitKey,
  confirmedKey,
  cursorKey,
  encodeBatch,
  encodeCommitRow,
  encodeConfirmed,
  encodeCursor,
  encodeIncarnations,
  encodeSoundness,
  encodeTagRow,
  encodeVectorRow,
  formatKey,
  headKey,
  incarnationsKey,
  rebaseKey,
  soundnessKey,
  tagKey,
  vectorKey,
} from '../../../actors/replica/row.ts'
import { encodeRebase } from '../../../actors/replica/rebase/rebase.ts'
import {
  encodeScrubNodes,
  encodeScrubPrefixes,
  encodeScrubTags,
} from '../../../actors/replica/scrub-message.ts'
import { ScrubTree, scrubLeaf } from '../../../actors/replica/scrub-tree.ts'
import { SetHash } from '../../../actors/replica/set-hash.ts'
import { bytesKey, fromHex, nodeCrypto, toHex } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'

const path = fileURLToPath(new URL('../../vectors/replica.json', import.meta.url))

/** All bytes from fixed inputs; both providers must agree on them. */
function build(crypto: CryptoProvider): Record<string, string> {
  const count = (length: number, from: number): Uint8Array =>
    Uint8Array.from({ length }, (_, at) => from + at)
  const spaceId = count(16, 0)
  const signer = crypto.createSigner(count(32, 0x40))
  const [replicaId, otherId, bootId, tag] = [count(8, 0x10), count(8, 0x18), count(16, 0x20), count(16, 0x30)]
  const [seq, life, keyId] = [0x0102_0304_0506, 1, count(16, 0x60)]
  const context = [
    { replicaId, seq: seq - 1 },
    { replicaId: otherId, seq: 9 },
  ]
  const both = { tag, replicaId, keyId, bootId }
  const header = encodeHeader({ ...both, deleted: false, seq, life, sealNumber: 77, context })
  const envelope = assembleEnvelope(header, count(48, 0x80), crypto)
  const ending = encodeHeader({ ...both, deleted: true, seq: seq + 1, life: 2, sealNumber: 78, context: [] })
  const tombstone = assembleEnvelope(ending, count(16, 0xc0), crypto)
  const fields = { replicaId, bootId, firstSeqOfBoot: 5, firstSeq: envelope.seq, previous: count(32, 0xa0) }
  const { record, lists } = signCommit(fields, [envelope.hash, tombstone.hash], { spaceId, signer, crypto })
  const many = signCommit(
    { ...fields, previous: record.hash },
    Array.from({ length: 65 }, () => envelope.hash),
    {
      spaceId,
      signer,
      crypto,
    },
  )
  const entry = { replicaId, seq: record.lastSeq, commitHash: record.hash, commitFirstSeq: record.firstSeq }
  const other = { replicaId: otherId, seq: 1, commitHash: count(32, 1) }
  const setHash = SetHash.of(envelope.hash)
  setHash.add(tombstone.hash)
  setHash.add(new Uint8Array(16).fill(0xff))
  const held = [envelope, tombstone].map((one) => ({ envelope: one, commitFirstSeq: record.firstSeq }))
  const tree = new ScrubTree()
  for (const one of [envelope, tombstone]) tree.add(tag, one.hash)
  const nodes = [{ depth: 0, nibbles: 0 }, { depth: 1, nibbles: 3 }, scrubLeaf(tag)]
  const vector = new Map([entry, other].map((one) => [bytesKey(one.replicaId), one]))
  const made = {
    spaceId,
    publicKey: signer.publicKey,
    envelopeHeader: header,
    envelope: envelope.bytes,
    envelopeHash: envelope.hash,
    tombstone: tombstone.bytes,
    commitRecord: record.bytes,
    commitHash: record.hash,
    commitItem: encodeCommitItem(record, lists),
    commitItemSecondBlockOf65: encodeCommitItem(many.record, [undefined, many.lists[1], undefined]),
    items: encodeItems([
      { kind: 'commit', bytes: encodeCommitItem(record, lists) },
      { kind: 'envelope', commitFirstSeq: record.firstSeq, bytes: envelope.bytes },
      { kind: 'vector', entry, commitFirstSeq: record.firstSeq },
    ]),
    vectorDigest: vectorDigest(vector, crypto),
    setHash: setHash.bytes(),
    keyIncarnations: incarnationsKey,
    keyFormat: formatKey,
    keyArrival: arrivalKey(0x0a0b_0c0d),
    keyTag: tagKey(tag),
    keyCommit: commitKey(replicaId, 258),
    keyVector: vectorKey(replicaId),
    keyHead: headKey(258),
    keyCursor: cursorKey(signer.publicKey),
    keyBatch: batchKey(258),
    keyConfirmed: confirmedKey,
    keyRebase: rebaseKey,
    rowIncarnations: encodeIncarnations([{ id: bootId, firstArrival: 3 }]),
    rowTag: encodeTagRow({ arrival: 12, live: held }),
    rowCommit: encodeCommitRow({ record: many.record, live: [0, 2, 0], lists: [...many.lists] }),
    rowVector: encodeVectorRow(entry),
    rowCursor: encodeCursor({ incarnation: bootId, arrival: 99 }),
    rowBatch: encodeBatch({
      firstArrival: 4,
      lastArrival: 6,
      setHash: setHash.bytes(),
      liveEnvelopes: 7,
      tags: 5,
      liveBytes: 5_432,
      bytes: 1_234,
      firstKept: 195,
    }),
    keySoundness: soundnessKey,
    rowSoundness: encodeSoundness({ isOpen: true, isDamaged: false, verifiedAtMs: 0x0102_0304_0506 }),
    rowConfirmed: encodeConfirmed(258),
    rowRebaseOfDevice: encodeRebase({
      step: 'reissue',
      reason: 'forked',
      left: { replicaId, forkPoint: 0x0a0b_0c0d },
    }),
    rowRebaseOfRelay: encodeRebase({ step: 'round', reason: 'damaged' }),
    scrubPrefixes: encodeScrubPrefixes(nodes),
    scrubNodes: encodeScrubNodes(nodes.map((prefix) => tree.node(prefix))),
    scrubTags: encodeScrubTags([{ tag, sum: setHash.bytes() }]),
  }
  return Object.fromEntries(Object.entries(made).map(([name, bytes]) => [name, toHex(bytes)]))
}

if (process.env['REWRITE'] === '1') writeFileSync(path, `${JSON.stringify(build(nodeCrypto), null, 2)}\n`)
if (!existsSync(path)) throw new Error('specs/vectors/replica.json is missing; REWRITE=1 makes it')
const frozen = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>

for (const crypto of [nodeCrypto, nobleCrypto]) {
  test(`the bytes of the protocol are the frozen ones (${crypto.name})`, () => {
    assert.equal(build(crypto), frozen)
  })
}

test('frozen envelopes and commits are accepted', () => {
  const bytes = (name: string): Uint8Array => fromHex(frozen[name] ?? '')
  const envelope = parseEnvelope(bytes('envelope'), nodeCrypto)
  const tombstone = parseEnvelope(bytes('tombstone'), nodeCrypto)
  const { record, lists } = parseCommitItem(bytes('commitItem'), nodeCrypto)

  assert.is(envelope.seq, 0x0102_0304_0506)
  assert.ok(tombstone.deleted)
  assert.ok(verifyCommit(record, bytes('spaceId'), nodeCrypto.createVerifier(bytes('publicKey'))))
  const list = lists[0] ?? new Uint8Array()
  assert.equal(
    [envelope, tombstone].map(({ seq }) => toHex(record.hashIn(list, seq))),
    [toHex(envelope.hash), toHex(tombstone.hash)],
  )
})

test.run()

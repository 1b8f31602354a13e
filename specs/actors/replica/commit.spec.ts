/** Specs of commit records and of the items of a part (PROTOCOL §3, §10). */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeCommitItem,
  parseCommitItem,
  signCommit,
  verifyCommit,
} from '../../../actors/replica/commit.ts'
import type { CommitRecord } from '../../../actors/replica/commit.ts'
import { encodeItems, itemBytes, parseItems } from '../../../actors/replica/index.ts'
import type { PartItem } from '../../../actors/replica/index.ts'
import { nodeCrypto, toHex } from '../../../runtime/index.ts'
import { device, spaceId } from './replica-world.ts'

const self = device(1)
const verifier = nodeCrypto.createVerifier(self.signer.publicKey)

function hashesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => nodeCrypto.sha256(Uint8Array.of(n >> 8, n)).subarray(0, 16))
}

function sign(count: number): { record: CommitRecord; lists: Uint8Array[] } {
  const fields = {
    replicaId: self.replicaId,
    bootId: new Uint8Array(16).fill(7),
    firstSeqOfBoot: 3,
    firstSeq: 10,
    previous: new Uint8Array(32),
  }
  return signCommit(fields, hashesOf(count), { spaceId, signer: self.signer, crypto: nodeCrypto })
}

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

test('a commit item parses to what was signed, with the blocks that were asked for', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1024 }), fc.infiniteStream(fc.boolean()), (count, wanted) => {
      const { record, lists } = sign(count)
      const chosen = lists.map((list) => (wanted.next().value === true ? list : undefined))

      const parsed = parseCommitItem(encodeCommitItem(record, chosen), nodeCrypto)

      assert.is(toHex(parsed.record.bytes), toHex(record.bytes))
      assert.is(parsed.record.lastSeq, 9 + count)
      assert.equal(
        parsed.lists.map((list) => list && toHex(list)),
        chosen.map((list) => list && toHex(list)),
      )
      assert.ok(verifyCommit(parsed.record, spaceId, verifier))
      for (const [n, hash] of hashesOf(count).entries()) {
        const list = parsed.lists[parsed.record.blockOf(10 + n)]
        if (list !== undefined) assert.is(toHex(parsed.record.hashIn(list, 10 + n)), toHex(hash))
      }
    }),
    { numRuns: 30 },
  )
})

test('every truncation and every extension of a commit item is refused', () => {
  for (const count of [1, 32, 33]) {
    const { record, lists } = sign(count)
    const bytes = encodeCommitItem(record, lists)

    for (let length = 0; length < bytes.length; length += 1) {
      assert.is(
        codeOf(() => parseCommitItem(bytes.subarray(0, length), nodeCrypto)),
        'PROTOCOL_VIOLATION',
      )
    }
    assert.is(
      codeOf(() => parseCommitItem(Uint8Array.of(...bytes, 0), nodeCrypto)),
      'PROTOCOL_VIOLATION',
    )
  }
})

test('a flipped bit anywhere is refused by the parser, by the block hash or by the signature', () => {
  const { record, lists } = sign(40)
  const bytes = encodeCommitItem(record, lists)

  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = bytes.slice()
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    let accepted = false
    const code = codeOf(() => {
      accepted = verifyCommit(parseCommitItem(flipped, nodeCrypto).record, spaceId, verifier)
    })
    assert.not.ok(accepted, `byte ${at}`)
    assert.ok(['none', 'PROTOCOL_VIOLATION', 'BAD_SIGNATURE'].includes(code), code)
  }
})

test('a signature is for one space', () => {
  const { record } = sign(1)

  assert.not.ok(verifyCommit(record, new Uint8Array(16), verifier))
})

test('items parse to what was encoded, and their sizes add up', () => {
  const bytes = fc.uint8Array({ maxLength: 60 })
  const number = fc.integer({ min: 0, max: 2 ** 48 - 1 })
  const id = (length: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: length, maxLength: length })
  const item: fc.Arbitrary<PartItem> = fc.oneof(
    bytes.map((made) => ({ kind: 'commit' as const, bytes: made })),
    fc.tuple(number, bytes).map(([commitFirstSeq, made]) => {
      return { kind: 'envelope' as const, commitFirstSeq, bytes: made }
    }),
    fc.tuple(id(8), number, id(32), number).map(([replicaId, seq, commitHash, commitFirstSeq]) => {
      return { kind: 'vector' as const, entry: { replicaId, seq, commitHash }, commitFirstSeq }
    }),
  )
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), (items) => {
      const encoded = encodeItems(items)

      assert.is(
        encoded.length,
        items.reduce((sum, one) => sum + itemBytes(one), 0),
      )
      assert.equal(parseItems(encoded), items)
      const whole = new Set([0])
      for (let at = 0; at < items.length; at += 1) whole.add(encodeItems(items.slice(0, at + 1)).length)
      for (let length = 0; length < encoded.length; length += 1) {
        const code = codeOf(() => parseItems(encoded.subarray(0, length)))
        assert.is(code, whole.has(length) ? 'none' : 'PROTOCOL_VIOLATION')
      }
    }),
  )
  assert.is(
    codeOf(() => parseItems(Uint8Array.of(9, 0, 0, 0, 0))),
    'PROTOCOL_VIOLATION',
  )
})

test.run()

/** The tags of a keyring are those of PROTOCOL §1, whatever it tagged before. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Keyring } from '../../../actors/database/keyring.ts'
import { concatBytes, nodeCrypto, toHex } from '../../../runtime/index.ts'

const tagKey = new Uint8Array(32).fill(7)
const keyring = new Keyring({
  crypto: nodeCrypto,
  spaceId: new Uint8Array(16),
  tagKey,
  epochs: [{ epoch: 1, key: new Uint8Array(32) }],
})

test('a tag is a keyed hash of the length of the collection, the collection and the id', () => {
  const collection = fc.constantFrom('', 'a', 'people', 'ключи', 'p'.repeat(128), '集'.repeat(60))
  const id = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('x'.repeat(255), '€'.repeat(85), '€'.repeat(400)),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(collection, id), { maxLength: 6 }), (names) => {
      const tags = names.map(([collectionName, recordId]) => keyring.tag(collectionName, recordId))
      for (const [at, [collectionName, recordId]] of names.entries()) {
        const named = new TextEncoder().encode(collectionName)
        const message = concatBytes([
          Uint8Array.of(named.length >> 8, named.length & 255),
          named,
          new TextEncoder().encode(recordId),
        ])
        const expected = nodeCrypto.hmacSha256(tagKey, message).subarray(0, 16)
        assert.is(toHex(tags[at] ?? new Uint8Array(0)), toHex(expected))
      }
    }),
    { numRuns: 500 },
  )
})

test('a collection and an id do not run into each other', () => {
  assert.is.not(toHex(keyring.tag('ab', 'c')), toHex(keyring.tag('a', 'bc')))
})

test.run()

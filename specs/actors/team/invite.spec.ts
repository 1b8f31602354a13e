/** The three keys of an invite, the box and the join signature: PROTOCOL §9. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import {
  createInvite,
  deriveInviteKeys,
  openBox,
  sealBox,
  signJoin,
  verifyJoin,
} from '../../../actors/team/index.ts'
import { BlazeError, concatBytes, nodeCrypto, toHex } from '../../../runtime/index.ts'
import { derive, device, fixedEntropy, spaceId } from './roster.ts'

const crypto = nodeCrypto
const { inviteId, secret, keys } = createInvite({ crypto, env: fixedEntropy('invite'), spaceId })
const inviteHash = derive('invite entry')
const contents = {
  spaceId,
  tagKey: derive('tag key'),
  inviteHash,
  epochs: [
    { epoch: 1, key: derive('epoch 1') },
    { epoch: 2, key: derive('epoch 2') },
  ],
}
const box = sealBox({ crypto, env: fixedEntropy('box'), boxKey: keys.boxKey, inviteId, contents })
const opening = { crypto, boxKey: keys.boxKey, inviteId, spaceId, inviteHash, box }

function isInvalid(error: unknown): boolean {
  return error instanceof BlazeError && error.code === 'CODE_INVALID'
}

test('the box opens with the keys derived from the secret alone', () => {
  const { boxKey } = deriveInviteKeys({ crypto, secret, spaceId })

  assert.equal(openBox({ ...opening, boxKey }), contents)
})

test('a box with no epoch, one or very many comes back', () => {
  for (const count of [0, 1, 1024]) {
    const epochs = Array.from({ length: count }, (_, epoch) => ({ epoch, key: derive(`many ${epoch}`) }))
    const many = { ...contents, epochs }
    const sealed = sealBox({
      crypto,
      env: fixedEntropy('box'),
      boxKey: keys.boxKey,
      inviteId,
      contents: many,
    })
    assert.equal(openBox({ ...opening, box: sealed }), many)
  }
})

test('the secret and its three keys all differ', () => {
  const joinSeed = crypto.hkdfSha256(secret, spaceId, 'blazedb/invite/join', 32)
  const all = [secret, keys.channelKey, keys.boxKey, joinSeed, keys.joinSigner.publicKey].map(toHex)

  assert.is(new Set(all).size, 5)
})

test('the channel key, which the server has, does not open the box', () => {
  assert.throws(() => openBox({ ...opening, boxKey: keys.channelKey }), isInvalid)
})

test('the channel key does not derive the other keys', () => {
  const fromChannel = deriveInviteKeys({ crypto, secret: keys.channelKey, spaceId })

  assert.not.equal(fromChannel.boxKey, keys.boxKey)
  assert.not.equal(fromChannel.joinSigner.publicKey, keys.joinSigner.publicKey)
})

test('another secret, invite id, space or invite entry does not open the box', () => {
  const other = deriveInviteKeys({ crypto, secret: derive('other secret'), spaceId })

  assert.throws(() => openBox({ ...opening, boxKey: other.boxKey }), isInvalid)
  assert.throws(() => openBox({ ...opening, inviteId: derive('other', 16) }), isInvalid)
  assert.throws(() => openBox({ ...opening, spaceId: derive('other', 16) }), isInvalid)
  assert.throws(() => openBox({ ...opening, inviteHash: derive('other') }), isInvalid)
})

test('a box with any flipped byte, cut or extension does not open', () => {
  for (let at = 0; at < box.length; at++) {
    const flipped = box.slice()
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    assert.throws(() => openBox({ ...opening, box: flipped }), isInvalid)
    assert.throws(() => openBox({ ...opening, box: box.slice(0, at) }), isInvalid)
  }
  assert.throws(() => openBox({ ...opening, box: concatBytes([box, Uint8Array.of(0)]) }), isInvalid)
})

test('no key of the space is found in the sealed box', () => {
  const hex = toHex(box)
  for (const key of [contents.tagKey, ...contents.epochs.map(({ key }) => key)])
    assert.not.ok(hex.includes(toHex(key.subarray(0, 8))))
})

test('a join signature is for one device, one invite and one space', () => {
  const { joinSigner } = keys
  const newcomer = device('newcomer').keys
  const joinSignature = signJoin({ joinSigner, spaceId, inviteHash, keys: newcomer })
  const claim = { crypto, joinKey: joinSigner.publicKey, spaceId, inviteHash, keys: newcomer, joinSignature }

  assert.ok(verifyJoin(claim))
  assert.not.ok(verifyJoin({ ...claim, keys: device('thief').keys }))
  assert.not.ok(verifyJoin({ ...claim, keys: { ...newcomer, dhKey: device('thief').keys.dhKey } }))
  assert.not.ok(verifyJoin({ ...claim, inviteHash: derive('other') }))
  assert.not.ok(verifyJoin({ ...claim, spaceId: derive('other', 16) }))
  assert.not.ok(verifyJoin({ ...claim, joinKey: device('thief').keys.signKey }))
})

test('two invites share nothing', () => {
  const second = createInvite({ crypto, env: fixedEntropy('second invite'), spaceId })

  assert.not.equal(second.inviteId, inviteId)
  assert.not.equal(second.keys.channelKey, keys.channelKey)
})

test.run()

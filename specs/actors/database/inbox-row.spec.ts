/** Frozen bytes of the rows of the conflict inbox (PROTOCOL §6.5): both providers agree, and a row opens only where it was sealed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inboxKey, InboxSeal, isDismissed, parseInboxKey } from '../../../actors/database/inbox/inbox-row.ts'
import type { InboxEntry } from '../../../actors/database/inbox/inbox-row.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import { nodeCrypto, toHex } from '../../../runtime/index.ts'

const count = (length: number, from: number): Uint8Array => Uint8Array.from({ length }, (_, at) => from + at)
const key = count(32, 0x40)
const boot = count(16, 0x20)
const entry: InboxEntry = {
  collection: 'bugs',
  recordId: 'x',
  field: 'title',
  value: 'from alice',
  lost: { ms: 1_000, counter: 1, writer: count(8, 0x10) },
  won: { ms: 2_000, counter: 0, writer: count(8, 0x18) },
}
const FROZEN = {
  id: 'cce67f67935b941fdd8310bd8d33989c',
  key: '71010203040506cce67f67935b941fdd8310bd8d33989c',
  row: '00202122232425262728292a2b2c2d2e2f00000000000197874273aa484ac89eabeb225eaf9962c2726ffa619ee07e49a646c1afeb2b019f3ee85a3a723d2bf813d932d6114061ac295a67fce5bec7dfcfad3a1a44883933429a3e94',
  dismissed: '01202122232425262728292a2b2c2d2e2f000000000002d03f704f9365e1b10a21ccd7de05cb50',
}

test('the bytes of a row are frozen', () => {
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const seal = new InboxSeal(crypto, key, boot)
    const id = seal.idOf(entry)
    const rowKey = inboxKey(0x0102_0304_0506, id)

    const made = {
      id: toHex(id),
      key: toHex(rowKey),
      row: toHex(seal.seal(rowKey, entry)),
      dismissed: toHex(seal.seal(rowKey, undefined)),
    }

    assert.equal(made, FROZEN)
    assert.equal(parseInboxKey(rowKey), { id: made.id, at: 0x0102_0304_0506 })
  }
})

test('a row opens under its own key alone, and cannot be made one that was dismissed', () => {
  const seal = new InboxSeal(nodeCrypto, key, boot)
  const place = inboxKey(5, seal.idOf(entry))
  const row = seal.seal(place, entry)
  const later = new InboxSeal(nodeCrypto, key, count(16, 0x70))

  assert.equal(later.open(place, row), entry)
  assert.is(isDismissed(row), false)
  const elsewhere = inboxKey(6, seal.idOf(entry))
  assert.throws(() => later.open(elsewhere, row), /does not authenticate/)
  for (const at of [0, 1, 20, row.length - 1]) {
    const changed = new Uint8Array(row)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.throws(() => later.open(place, changed), /does not authenticate/, `byte ${at}`)
  }
  assert.throws(() => later.open(place, row.subarray(0, 10)), /does not authenticate/)
  assert.throws(() => new InboxSeal(nodeCrypto, count(32, 1), boot).open(place, row), /does not authenticate/)
})

test.run()

/** Specs of the envelope's bytes (PROTOCOL §2). */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assembleEnvelope, encodeHeader, parseEnvelope } from '../../../actors/replica/envelope.ts'
import type { Envelope, EnvelopeHeader } from '../../../actors/replica/envelope.ts'
import { compareBytes, nodeCrypto, toHex, U48_MAX } from '../../../runtime/index.ts'

const id = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
const number = fc.integer({ min: 1, max: U48_MAX })

const header: fc.Arbitrary<EnvelopeHeader> = fc
  .record({
    deleted: fc.boolean(),
    tag: id(16),
    replicaId: id(8),
    seq: number,
    life: number,
    keyId: id(16),
    bootId: id(16),
    sealNumber: number,
    context: fc.uniqueArray(fc.record({ replicaId: id(8), seq: number }), {
      maxLength: 64,
      selector: (entry) => toHex(entry.replicaId),
    }),
  })
  .map((made) => ({
    ...made,
    context: made.context
      .filter((entry) => toHex(entry.replicaId) !== toHex(made.replicaId))
      .sort((a, b) => compareBytes(a.replicaId, b.replicaId)),
  }))
const sealed = fc.uint8Array({ minLength: 16, maxLength: 300 })

function fieldsOf(envelope: Envelope | EnvelopeHeader): object {
  const { deleted, seq, life, sealNumber } = envelope
  const [tag, replicaId, keyId, bootId] = [
    envelope.tag,
    envelope.replicaId,
    envelope.keyId,
    envelope.bootId,
  ].map(toHex)
  const context = envelope.context.map((entry) => [toHex(entry.replicaId), entry.seq])
  return { deleted, seq, life, sealNumber, tag, replicaId, keyId, bootId, context }
}

function refused(bytes: Uint8Array): boolean {
  try {
    parseEnvelope(bytes, nodeCrypto)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'PROTOCOL_VIOLATION'
  }
}

test('an envelope parses to what was encoded', () => {
  fc.assert(
    fc.property(header, sealed, (fields, body) => {
      const encoded = encodeHeader(fields)
      const made = assembleEnvelope(encoded, body, nodeCrypto)

      const parsed = parseEnvelope(made.bytes, nodeCrypto)

      assert.equal(fieldsOf(parsed), fieldsOf(fields))
      assert.is(toHex(parsed.header), toHex(encoded))
      assert.is(toHex(parsed.body), toHex(body))
      assert.is(toHex(parsed.hash), toHex(nodeCrypto.sha256(made.bytes).subarray(0, 16)))
      assert.is(toHex(made.hash), toHex(parsed.hash))
    }),
  )
})

test('every truncation and every extension is refused', () => {
  fc.assert(
    fc.property(header, sealed, (fields, body) => {
      const { bytes } = assembleEnvelope(encodeHeader(fields), body, nodeCrypto)

      for (let length = 0; length < bytes.length; length += 1) assert.ok(refused(bytes.subarray(0, length)))
      assert.ok(refused(Uint8Array.of(...bytes, 0)))
    }),
    { numRuns: 20 },
  )
})

const plain: EnvelopeHeader = {
  deleted: false,
  tag: new Uint8Array(16),
  replicaId: new Uint8Array(8).fill(5),
  seq: 10,
  life: 1,
  keyId: new Uint8Array(16),
  bootId: new Uint8Array(16),
  sealNumber: 1,
  context: [
    { replicaId: new Uint8Array(8).fill(5), seq: 9 },
    { replicaId: new Uint8Array(8).fill(6), seq: 400 },
  ],
}

function changed(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = assembleEnvelope(encodeHeader(plain), new Uint8Array(20), nodeCrypto).bytes.slice()
  change(bytes)
  return bytes
}

test('a header outside the rules is refused', () => {
  assert.not.ok(refused(changed(() => undefined)))
  assert.ok(refused(changed((bytes) => (bytes[0] = 2))), 'version')
  assert.ok(refused(changed((bytes) => (bytes[1] = 2))), 'flag')
  assert.ok(refused(changed((bytes) => bytes.fill(0, 26, 32))), 'seq 0')
  assert.ok(refused(changed((bytes) => bytes.fill(0, 32, 38))), 'life 0')
  assert.ok(refused(changed((bytes) => bytes.fill(0, 70, 76))), 'seal number 0')
  assert.ok(refused(changed((bytes) => (bytes[76] = 1))), 'fewer contexts')
  assert.ok(refused(changed((bytes) => bytes.fill(7, 77, 85))), 'contexts out of order')
  assert.ok(refused(changed((bytes) => bytes.fill(6, 77, 85))), 'an id twice')
  assert.ok(refused(changed((bytes) => (bytes[90] = 10))), 'a context that names the envelope itself')
})

test('a body that is too long or too short for its tag is refused', () => {
  const bodyOf = (length: number): Uint8Array => {
    const head = encodeHeader(plain)
    const bytes = new Uint8Array(head.length + 4 + length)
    bytes.set(head)
    new DataView(bytes.buffer).setUint32(head.length, length)
    return bytes
  }

  assert.not.ok(refused(bodyOf(16)))
  assert.not.ok(refused(bodyOf(65_536)))
  assert.ok(refused(bodyOf(15)))
  assert.ok(refused(bodyOf(65_537)))
  assert.throws(
    () => assembleEnvelope(encodeHeader(plain), new Uint8Array(65_537), nodeCrypto),
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'TOO_LARGE',
  )
})

test('encoding a header outside the rules is a bug', () => {
  const [first, second] = plain.context
  assert.throws(() =>
    encodeHeader({ ...plain, context: [second ?? first, first ?? second].flatMap((e) => e ?? []) }),
  )
  assert.throws(() => encodeHeader({ ...plain, seq: 9 }))
  assert.throws(() => encodeHeader({ ...plain, sealNumber: 0 }))
})

test.run()

/**
 * A device signs six kinds of statements, all with Ed25519. Whatever one of them says, its signature proves none of the others.
 *
 * Invariant: the list below is all of them: a place in the sources that signs and is not named here fails the spec.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { signCommit, verifyCommit } from '../../../actors/replica/commit.ts'
import {
  encodeAnnouncement,
  parseAnnouncement,
  verifyAnnouncement,
} from '../../../actors/team/announcement.ts'
import { encodeEntry, parseEntry, verifyEntry } from '../../../actors/team/entry.ts'
import { signJoin, verifyJoin } from '../../../actors/team/invite.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import type { Signer, Verifier } from '../../../runtime/index.ts'
import { deviceProofBytes, serverProofBytes } from '../../../transports/channel/handshake-message.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const crypto = nodeCrypto
const device = crypto.createSigner(new Uint8Array(32).fill(9))
const owner = crypto.createVerifier(device.publicKey)
const spaceId = new Uint8Array(16).fill(1)
const hash = new Uint8Array(32).fill(2)
const dhKey = crypto.createP256(new Uint8Array(32).fill(3)).publicKey
const keys = { signKey: device.publicKey, dhKey }

interface Statement {
  /** Everything that is signed begins so. */
  readonly domain: string
  /** Where it is signed. */
  readonly file: string
  /** Makes one, and returns how its reader asks whether it is proven. */
  make(signer: Signer): (verifier: Verifier) => boolean
}

const statements: readonly Statement[] = [
  {
    domain: 'blazedb/commit/1',
    file: 'actors/replica/commit.ts',
    make(signer) {
      const fields = {
        replicaId: new Uint8Array(8).fill(4),
        bootId: new Uint8Array(16).fill(5),
        firstSeqOfBoot: 1,
        firstSeq: 1,
        previous: hash,
      }
      const { record } = signCommit(fields, [hash], { spaceId, signer, crypto })
      return (verifier) => verifyCommit(record, spaceId, verifier)
    },
  },
  {
    domain: 'blazedb/announce/1',
    file: 'actors/team/announcement.ts',
    make(signer) {
      const replicaId = new Uint8Array(8).fill(4)
      const announcement = parseAnnouncement(encodeAnnouncement({ spaceId, replicaId, n: 1, signer }))
      return (verifier) => verifyAnnouncement(announcement, verifier)
    },
  },
  {
    domain: 'blazedb/entry/1',
    file: 'actors/team/entry.ts',
    make(signer) {
      const body = { type: 'add', keys, role: 'relay', name: 'pi' } as const
      const entry = parseEntry(encodeEntry({ spaceId, createdMs: 1, parents: [hash], body, signer }, crypto))
      return (verifier) => verifyEntry(entry, spaceId, verifier)
    },
  },
  {
    domain: 'blazedb/join/1',
    file: 'actors/team/invite.ts',
    make(joinSigner) {
      const statement = { spaceId, inviteHash: hash, keys }
      const joinSignature = signJoin({ ...statement, joinSigner })
      return (verifier) =>
        verifyJoin({
          ...statement,
          joinSignature,
          joinKey: device.publicKey,
          crypto: { ...crypto, createVerifier: () => verifier },
        })
    },
  },
  {
    domain: 'blazedb/device/1',
    file: 'transports/channel/dial-channel.ts',
    make(signer) {
      const message = deviceProofBytes(hash, hash, dhKey)
      const signature = signer.sign(message)
      return (verifier) => verifier.verify(message, signature)
    },
  },
  {
    domain: 'blazedb/server/1',
    file: 'transports/channel/accept-channel.ts',
    make(signer) {
      const message = serverProofBytes(hash, spaceId, dhKey)
      const signature = signer.sign(message)
      return (verifier) => verifier.verify(message, signature)
    },
  },
]

/** Signs as the device, and keeps what it signed. */
function witness(): { signer: Signer; signed: () => Uint8Array } {
  let signed: Uint8Array = new Uint8Array(0)
  const sign = (message: Uint8Array): Uint8Array => {
    signed = message.slice()
    return device.sign(message)
  }
  return { signer: { publicKey: device.publicKey, sign }, signed: () => signed }
}

test('each statement begins with its own domain, is proven by its signature, and no domain begins another', () => {
  for (const statement of statements) {
    const { domain } = statement
    const { signer, signed } = witness()
    const proven = statement.make(signer)
    assert.ok(Buffer.from(signed()).subarray(0, domain.length).equals(Buffer.from(domain)), domain)
    assert.ok(proven(owner), domain)
    const begun = statements.filter((other) => other.domain !== domain && other.domain.startsWith(domain))
    assert.equal(begun, [], domain)
  }
})

test('the signature of each statement proves none of the others, in all thirty pairs', () => {
  let pairs = 0
  for (const one of statements) {
    const { signer, signed } = witness()
    one.make(signer)
    const signature = device.sign(signed())
    for (const other of statements) {
      // As if the peer had put the signature of the one where the other has its own.
      const proven = other.make(device)({ verify: (message) => owner.verify(message, signature) })
      assert.is(proven, one === other, `${one.domain} as ${other.domain}`)
      if (one !== other) pairs++
    }
  }
  assert.is(pairs, statements.length * (statements.length - 1))
})

/** Signs with a key of its own, which nobody trusts: the certificate of TLS. */
const selfSigned = 'transports/certificate.ts'

test('the sources sign nowhere else', () => {
  const signing: string[] = []
  for (const folder of ['actors', 'runtime', 'server', 'transports'])
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${name}`
      if (
        !path.endsWith('.ts') ||
        path.startsWith('runtime/crypto/') ||
        path === 'actors/testing.ts' ||
        path === selfSigned
      )
        continue
      const calls = readFileSync(join(root, path), 'utf8').match(/(?:\.|\b)sign\(/g) ?? []
      signing.push(...calls.map(() => path))
    }
  assert.equal(signing.toSorted(), statements.map(({ file }) => file).toSorted())
})

test.run()

/**
 * Frozen bytes of PROTOCOL §12 (specs/vectors/mirror.json): messages, keys of a group, versions of policies, rows of a copy; both providers agree.
 * `REWRITE=1` writes the file anew; the difference is then read by a person, because every change of it is a change of the protocol.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Keyring } from '../../../../actors/database/keyring.ts'
import {
  channelPsk,
  copyKey,
  databaseHash,
  groupIdOf,
  homeOf,
} from '../../../../actors/topology/group/group-key.ts'
import {
  encodeHead,
  encodeRow,
  HEAD_PLACE,
  recordPlace,
} from '../../../../actors/topology/guest/mirror-row.ts'
import { encodeBoots, MirrorSeal } from '../../../../actors/topology/guest/mirror-seal.ts'
import { RowSum } from '../../../../actors/topology/guest/row-sum.ts'
import { compilePolicy, ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import type { ExportPolicyOptions } from '../../../../actors/topology/policy/index.ts'
import { bytesKey, fromHex, nodeCrypto, toHex } from '../../../../runtime/index.ts'
import { nobleCrypto } from '../../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider } from '../../../../runtime/index.ts'
import { attach, attached, count, messages, record } from './mirror-sample.ts'

const path = fileURLToPath(new URL('../../../vectors/mirror.json', import.meta.url))

const policies: Record<string, ExportPolicyOptions> = {
  policyLeast: { collections: ['bugs'] },
  policyFull: {
    collections: ['people', 'bugs'],
    fields: { include: { bugs: ['title', 'state'] }, exclude: ['secret', 'note'] },
    filter: {
      bugs: {
        and: [
          { field: 'state', op: 'in', value: ['open', 'new'] },
          {
            or: [
              { field: 'votes', op: '>=', value: 3 },
              { not: { field: 'owner.name', op: '=', value: 'jo' } },
            ],
          },
        ],
      },
    },
    readOnly: true,
  },
}

function build(crypto: CryptoProvider): Record<string, string> {
  const key = count(32, 0xa0)
  const id = groupIdOf('desk', crypto)
  const space = count(16, 0x20)
  const { publicKey } = crypto.createSigner(count(32, 0xc0))
  const keyring = new Keyring({
    crypto,
    spaceId: space,
    tagKey: count(32, 0xe0),
    epochs: [{ epoch: 1, key }],
  })
  const copy = copyKey({ key, id }, { app: 'dashboard', database: 'bügs' }, crypto)
  const made = {
    groupKey: key,
    groupId: id,
    channelPsk: channelPsk(key, id, crypto),
    copyKey: copy,
    databaseHash: databaseHash('bügs', crypto),
    appKey: publicKey,
    home: homeOf(publicKey, space, crypto),
    mirrorTag: keyring.mirrorTag(count(16, 0x60)),
    ...Object.fromEntries(
      Object.entries(policies).map(([name, options]) => [
        name,
        compilePolicy(new ExportPolicy(options).rules, crypto).version,
      ]),
    ),
    ...buildCopy(copy, crypto),
    ...Object.fromEntries(messages.map(({ name, bytes }) => [name, bytes])),
  }
  return Object.fromEntries(Object.entries(made).map(([name, bytes]) => [name, toHex(bytes)]))
}

/** The rows of a copy with one record. */
function buildCopy(key: Uint8Array, crypto: CryptoProvider): Record<string, Uint8Array> {
  const boots = new Map([[3, count(16, 0x90)]])
  const seal = new MirrorSeal({ crypto, key, boots, own: 3 })
  const at = recordPlace(bytesKey(count(16, 0x60)))
  const row = seal.seal(at, encodeRow({ pass: 2, state: record }))
  const sum = new RowSum()
  sum.add(row)
  const { space, home } = attached
  const head = { cursor: attach.cursor, space, home, pass: 2, swept: true, complete: true, wiping: false }
  return {
    copyBoots: encodeBoots(boots, { crypto, key }),
    copyRowKey: at,
    copyRow: row,
    copyHead: encodeHead(head, sum.sum),
    copyHeadRow: seal.seal(HEAD_PLACE, encodeHead(head, sum.sum)),
  }
}

if (process.env['REWRITE'] === '1') writeFileSync(path, `${JSON.stringify(build(nodeCrypto), null, 2)}\n`)
if (!existsSync(path)) throw new Error('specs/vectors/mirror.json is missing; REWRITE=1 makes it')
const frozen = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>

for (const crypto of [nodeCrypto, nobleCrypto]) {
  test(`the bytes of the protocol are the frozen ones (${crypto.name})`, () => {
    assert.equal(build(crypto), frozen)
  })
}

test('frozen messages are accepted', () => {
  for (const { name, bytes, parse } of messages)
    assert.equal(parse(fromHex(frozen[name] ?? '')), parse(bytes), name)
})

test('no two keys of a group are alike', () => {
  const id = groupIdOf('desk', nodeCrypto)
  const key = count(32, 0)
  const names = [
    ['a', 'b'],
    ['ab', ''],
    ['a', 'bc'],
    ['ab', 'c'],
    ['b', 'a'],
  ] as const
  const keys = names.map(([app, database]) => toHex(copyKey({ key, id }, { app, database }, nodeCrypto)))
  keys.push(toHex(channelPsk(key, id, nodeCrypto)))

  assert.is(new Set(keys).size, names.length + 1)
})

test.run()

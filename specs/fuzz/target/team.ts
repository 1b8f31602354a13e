/** Decoders of membership, of codes and URLs, of the supervisor's rows and of its identity: PROTOCOL §4, §5, §9, §11. */
import { parseAnnouncement } from '../../../actors/team/announcement.ts'
import { parseCode } from '../../../actors/team/code.ts'
import { parseDeviceKeys } from '../../../actors/team/device.ts'
import { parseEntry } from '../../../actors/team/entry.ts'
import { openBox } from '../../../actors/team/invite.ts'
import { parseTeamRowKey } from '../../../actors/team/row.ts'
import { AEAD_NONCE_BYTES, concatBytes, nodeCrypto } from '../../../runtime/index.ts'
import {
  encodeCode,
  encodeDatabase,
  encodeHost,
  encodeInvite,
  encodeSpace,
  parseCode as parseCodeRow,
  parseDatabase,
  parseHost,
  parseInvite,
  parseSpace,
} from '../../../server/access/row.ts'
import type { FuzzTarget } from '../fuzz.ts'
import { vectorBytes, vectorText } from '../vector-bytes.ts'

const violation = ['PROTOCOL_VIOLATION'] as const
const damaged = ['DAMAGED'] as const
const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const output = (path: string): Uint8Array => vectorBytes('team', `outputs.${path}`)
const urls = ['enrolmentUrl', 'inviteUrl'].map((name) =>
  new TextEncoder().encode(vectorText('team', `outputs.${name}`)),
)
const key = (bytes: number): Uint8Array => fill(1 + bytes, 0x63)

const boxKey = output('inviteKeys.box')
const inviteId = vectorBytes('team', 'inputs.invite.id')
const spaceId = vectorBytes('team', 'inputs.spaceId')
const aead = nodeCrypto.createAead(boxKey)
const boxData = concatBytes([new TextEncoder().encode('blazedb/box/1'), inviteId, spaceId])
const nonce = fill(AEAD_NONCE_BYTES, 1)
/** What stands in the box of an invite: `u8 version | space id | tag key | hash | u16 n | n × (u32 epoch | epoch key)`. */
const boxContents = Uint8Array.of(
  1,
  ...spaceId,
  ...fill(32, 2),
  ...fill(32, 3),
  0,
  1,
  0,
  0,
  0,
  1,
  ...fill(32, 4),
)

/** As if the inviter, who knows the key, had sealed whatever it liked. */
function openSealed(plain: Uint8Array): void {
  const box = concatBytes([nonce, aead.seal(nonce, boxData, plain)])
  openBox({ crypto: nodeCrypto, boxKey, inviteId, spaceId, inviteHash: fill(32, 3), box })
}

export const teamTargets: readonly FuzzTarget[] = [
  {
    name: 'entry of the membership log',
    codes: ['PROTOCOL_VIOLATION', 'NOT_SUPPORTED'],
    decode: parseEntry,
    seeds: ['create', 'relay', 'invite', 'join'].map((name) => output(`entries.${name}`)),
  },
  {
    name: 'announcement',
    codes: violation,
    decode: parseAnnouncement,
    seeds: [output('announcements.0'), output('announcements.1')],
  },
  {
    name: 'keys of a device',
    codes: violation,
    decode: parseDeviceKeys,
    seeds: [output('deviceKeys.owner')],
  },
  {
    name: 'key of a team row',
    codes: ['PROTOCOL_VIOLATION', 'DAMAGED'],
    decode: parseTeamRowKey,
    seeds: [output('rows.0')],
  },
  {
    name: 'box of an invite',
    codes: ['PROTOCOL_VIOLATION', 'CODE_INVALID'],
    decode: openSealed,
    seeds: [boxContents],
  },
  {
    name: 'code or invite URL',
    codes: ['CODE_INVALID'],
    decode: (bytes) => parseCode(Buffer.from(bytes).toString('utf8')),
    seeds: urls,
    hostile: [new TextEncoder().encode(`blazedb://${'a.'.repeat(20_000)}:1/enroll/x`)],
  },
  {
    name: 'row of a code',
    codes: damaged,
    decode: (bytes) => parseCodeRow(key(16), bytes),
    seeds: [
      encodeCode({
        id: fill(16, 1),
        psk: fill(32, 2),
        createdMs: 7,
        claimedBy: undefined,
        secret: fill(32, 3),
      }),
      encodeCode({
        id: fill(16, 1),
        psk: fill(32, 2),
        createdMs: 7,
        claimedBy: fill(32, 4),
        secret: undefined,
      }),
    ],
  },
  {
    name: 'row of a host',
    codes: damaged,
    decode: (bytes) => parseHost(key(32), bytes),
    seeds: [encodeHost({ deviceKey: fill(32, 1), sinceMs: 7, codeId: fill(16, 2) })],
  },
  {
    name: 'row of a database',
    codes: damaged,
    decode: (bytes) => parseDatabase(key(8), bytes),
    seeds: [encodeDatabase({ name: 'bugs', spaceId: fill(16, 1), sinceMs: 7 })],
  },
  {
    name: 'row of a space',
    codes: damaged,
    decode: (bytes) => parseSpace(key(16), bytes),
    seeds: [encodeSpace({ spaceId: fill(16, 1), deviceKey: fill(32, 2), sinceMs: 7 })],
  },
  {
    name: 'row of an invite',
    codes: damaged,
    decode: (bytes) => parseInvite(key(16), bytes),
    seeds: [
      encodeInvite({
        id: fill(16, 1),
        spaceId: fill(16, 2),
        channelKey: fill(32, 3),
        role: 3,
        expiresMs: 7,
        claimedBy: undefined,
        box: fill(60, 5),
      }),
    ],
  },
]

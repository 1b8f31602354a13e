/**
 * Ids and keys of an app group, PROTOCOL §12.
 * Invariant: pure functions of the group's key and of names; whoever has the key has all of them, nobody else has one.
 */
import { concatBytes } from '../../../runtime/index.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'

/** Bytes of the key of a group. */
export const GROUP_KEY_BYTES = 32
const ID_BYTES = 16

const encoder = new TextEncoder()

/** 16 bytes that stand for the group on the wire. */
export function groupIdOf(name: string, crypto: CryptoProvider): Uint8Array {
  return crypto
    .sha256(concatBytes([encoder.encode('blazedb/group/1'), encoder.encode(name)]))
    .slice(0, ID_BYTES)
}

/** Key of the group's channels, 32 bytes. */
export function channelPsk(key: Uint8Array, groupId: Uint8Array, crypto: CryptoProvider): Uint8Array {
  return crypto.hkdfSha256(key, groupId, 'blazedb/group/channel', 32)
}

/** Key under which an app keeps its copies of a database, 32 bytes. The names of apps hold no zero, so no two pairs are alike. */
export function copyKey(
  group: { readonly key: Uint8Array; readonly id: Uint8Array },
  names: { readonly app: string; readonly database: string },
  crypto: CryptoProvider,
): Uint8Array {
  const info = concatBytes([
    encoder.encode('blazedb/group/guest'),
    encoder.encode(names.app),
    new Uint8Array(1),
    encoder.encode(names.database),
  ])
  return crypto.hkdfSha256(group.key, group.id, info, 32)
}

/** Home of the records that an app inserts in the space of another, 16 bytes. `deviceKey`: the app's Ed25519 key. */
export function homeOf(deviceKey: Uint8Array, space: Uint8Array, crypto: CryptoProvider): Uint8Array {
  return crypto.sha256(concatBytes([encoder.encode('blazedb/guest/1'), deviceKey, space])).slice(0, ID_BYTES)
}

/** What stands for a database in names of files. */
export function databaseHash(database: string, crypto: CryptoProvider): Uint8Array {
  return crypto.sha256(encoder.encode(database)).slice(0, ID_BYTES)
}

/** Writes that a member signs and seals itself, past every check of its database. */
import { encodeBody } from '../../../actors/database/record/record-body.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { spaceOf } from './member.ts'
import type { Member } from './member.ts'

export interface Forgery {
  readonly tag?: Uint8Array
  readonly life?: number
  readonly plain?: Uint8Array
}

/** Seals the record, or `plain` in its place, under a tag and life of the caller's choice. */
export function forge({ database }: Member, state: RecordState, forgery: Forgery): Promise<void> {
  const { keyring, identity } = database
  const { replica } = spaceOf(database)
  const { keyId } = keyring
  const plain = forgery.plain ?? encodeBody(state)
  return replica.write([
    {
      tag: forgery.tag ?? keyring.tag(state.collection, state.id),
      life: forgery.life ?? state.life,
      deleted: false,
      context: [],
      keyId,
      seal: (header, sealNumber) =>
        keyring.seal({
          keyId,
          replicaId: identity.replica,
          bootId: replica.incarnation,
          sealNumber,
          header,
          plain,
        }),
    },
  ])
}

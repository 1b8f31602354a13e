/** Bytes of the requests on stream 0 (PROTOCOL §7 types 6–9 and §9). */
import {
  BlazeError,
  ByteReader,
  ByteWriter,
  errorNumber,
  errorOfNumber,
  limits,
  type ErrorCode,
} from '../../runtime/index.ts'
import { encodeErrorBody, parseErrorBody } from '../../transports/index.ts'

export const DATABASE_REGISTER = 1
export const INVITE_REGISTER = 2
export const TEAM_INTRODUCE = 3

export interface Request {
  readonly id: number
  readonly operation: number
  readonly body: Uint8Array
}

export type Response =
  | { readonly id: number; readonly body: Uint8Array }
  | { readonly id: number; readonly code: ErrorCode; readonly text: string }

export interface DatabaseRegistration {
  readonly name: string
  readonly spaceId: Uint8Array
}

/** What a supervisor is given of an invite: never the secret, never the box or join key. */
export interface InviteRegistration {
  readonly inviteId: Uint8Array
  readonly spaceId: Uint8Array
  readonly channelKey: Uint8Array
  /** Number of the role, PROTOCOL §5. */
  readonly role: number
  readonly expiresMs: number
  readonly box: Uint8Array
}

/** What makes a device a member of a space, for a supervisor that has not heard of it. */
export interface Introduction {
  readonly spaceId: Uint8Array
  /** Parents before children. */
  readonly entries: readonly Uint8Array[]
}

export function encodeRequest(request: Request): Uint8Array {
  return new ByteWriter(request.body.length + 6)
    .u32(request.id)
    .u16(request.operation)
    .bytes(request.body)
    .finish()
}

export function parseRequest(bytes: Uint8Array): Request {
  const reader = new ByteReader(bytes, 'request')
  return { id: reader.u32(), operation: reader.u16(), body: reader.rest() }
}

export function encodeResponse(response: Response): Uint8Array {
  const writer = new ByteWriter(64).u32(response.id)
  if ('body' in response) return writer.u16(0).bytes(response.body).finish()
  return writer.bytes(encodeErrorBody(errorNumber(response.code), response.text)).finish()
}

export function parseResponse(bytes: Uint8Array): Response {
  const reader = new ByteReader(bytes, 'response')
  const id = reader.u32()
  const answer = reader.rest()
  if (new ByteReader(answer, 'response').u16() === 0) return { id, body: answer.subarray(2) }
  const { number, text } = parseErrorBody(answer, 'response')
  return { id, code: errorOfNumber(number), text }
}

export function encodeReset(error: BlazeError): Uint8Array {
  return encodeErrorBody(errorNumber(error.code), error.message)
}

export function parseReset(bytes: Uint8Array): BlazeError {
  const { number, text } = parseErrorBody(bytes, 'reset')
  return new BlazeError(errorOfNumber(number), `the peer ended the stream: ${text}`, {
    details: { byPeer: true },
  })
}

export function encodeDatabaseRegistration(registration: DatabaseRegistration): Uint8Array {
  const name = new TextEncoder().encode(registration.name)
  return new ByteWriter(64).u8(name.length).bytes(name).bytes(registration.spaceId).finish()
}

export function parseDatabaseRegistration(bytes: Uint8Array): DatabaseRegistration {
  const reader = new ByteReader(bytes, 'database registration')
  const registration = { name: reader.text(reader.u8()), spaceId: reader.bytes(16) }
  reader.end()
  return registration
}

export function encodeInviteRegistration(invite: InviteRegistration): Uint8Array {
  return new ByteWriter(invite.box.length + 96)
    .bytes(invite.inviteId)
    .bytes(invite.spaceId)
    .bytes(invite.channelKey)
    .u8(invite.role)
    .u48(invite.expiresMs)
    .u32(invite.box.length)
    .bytes(invite.box)
    .finish()
}

export function parseInviteRegistration(bytes: Uint8Array): InviteRegistration {
  const reader = new ByteReader(bytes, 'invite registration')
  const invite = {
    inviteId: reader.bytes(16),
    spaceId: reader.bytes(16),
    channelKey: reader.bytes(32),
    role: reader.u8(),
    expiresMs: reader.u48(),
    box: reader.bytes(reader.u32()),
  }
  reader.end()
  return invite
}

/** With the newest entries that fit: a supervisor that lacks older ones lacks the team. */
export function encodeIntroduction({ spaceId, entries }: Introduction): Uint8Array {
  let from = entries.length
  let bytes = 0
  while (from > 0 && bytes <= limits.introductionBytesMax) bytes += (entries[--from]?.length ?? 0) + 4
  if (bytes > limits.introductionBytesMax) from += 1
  const writer = new ByteWriter(bytes + 16).bytes(spaceId)
  for (const entry of entries.slice(from)) writer.u32(entry.length).bytes(entry)
  return writer.finish()
}

export function parseIntroduction(bytes: Uint8Array): Introduction {
  const reader = new ByteReader(bytes, 'introduction')
  if (bytes.length > limits.introductionBytesMax + 16)
    throw reader.violation(`expected at most ${limits.introductionBytesMax} bytes of entries`)
  const spaceId = reader.bytes(16)
  const entries: Uint8Array[] = []
  while (reader.remaining > 0) {
    const entry = reader.bytes(reader.u32())
    if (entry.length === 0) throw reader.violation('an empty entry')
    entries.push(entry)
  }
  return { spaceId, entries }
}

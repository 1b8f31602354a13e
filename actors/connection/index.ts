/** Door of the connection actors: one authenticated link, its requests, and the relays it carries. */
export { acceptedConnection } from './accepted.ts'
export type {
  AcceptedMessage,
  AcceptedOptions,
  Admission,
  ConnectionAccess,
  ConnectionClient,
} from './accepted.ts'
export { dialedConnection } from './dialed.ts'
export type { ConnectionReport, DialedMessage, DialedOptions } from './dialed-message.ts'
export { MarkTable } from './mark-table.ts'
export { meet, pair } from './pair.ts'
export type { Paired, PairOptions } from './pair.ts'
export {
  DATABASE_REGISTER,
  encodeInviteRegistration,
  INVITE_REGISTER,
  parseDatabaseRegistration,
  parseIntroduction,
  parseInviteRegistration,
  TEAM_INTRODUCE,
} from './request.ts'
export type { DatabaseRegistration, Introduction, InviteRegistration, Request } from './request.ts'
export { Session } from './session.ts'
export type { SessionHandlers, StreamMessage, StreamReceiver } from './session.ts'

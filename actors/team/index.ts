/** Door of the team: who belongs to a space, and how one comes in. */
export { encodeAnnouncement, parseAnnouncement } from './announcement.ts'
export type { Announcement, AnnouncementDraft } from './announcement.ts'
export { enrolmentPsk, formatCode, parseCode } from './code.ts'
export type { EnrolmentCode, InviteCode } from './code.ts'
export {
  createDeviceIdentity,
  DEVICE_KEYS_BYTES,
  encodeDeviceKeys,
  openDeviceIdentity,
  parseDeviceKeys,
} from './device.ts'
export type { DeviceIdentity, DeviceKeys } from './device.ts'
export { encodeEntry, entryHash, parseEntry } from './entry.ts'
export type { Entry, EntryBody, EntryDraft } from './entry.ts'
export { formatDeviceId } from './device-id.ts'
export { createInvite, deriveInviteKeys, openBox, sealBox, signJoin, verifyJoin } from './invite.ts'
export type { BoxContents, InviteKeys, NewInvite } from './invite.ts'
export type { Invite, Member } from './member.ts'
export { mayAdminister, roleNumber } from './role.ts'
export type { Role } from './role.ts'
export type { TeamPut } from './row.ts'
export { createTeam } from './team.ts'
export type { Team, TeamAdditions, TeamChange, TeamDevice } from './team.ts'
export { openSpace, Space } from './space.ts'
export type { Learned, SpaceOptions } from './space.ts'

/** Door of the host side of sharing: one database offered to the other apps of an app group. */
export { startShare } from './share.ts'
export type { Share, ShareOptions, ShareStatus } from './share.ts'
export type { GuestStatus } from './guest.ts'
export type { Grants, GuestMode } from './share-terms.ts'

/** Door of the guest: a copy of what another app of this device shares. */
export { GuestDatabase, openGuest } from './guest-database.ts'
export type { GuestOptions, GuestReport } from './guest-message.ts'

/** Door of access control: who may pair, host and join. */
export { AccessStore } from './access-store.ts'
export type { EnrolmentSecret, InviteRegistration } from './access-store.ts'
export { AttemptTable } from './attempt.ts'
export { PendingTable } from './pending.ts'
export { RateTable } from './rate-table.ts'
export { RefusalLog } from './refusal-log.ts'

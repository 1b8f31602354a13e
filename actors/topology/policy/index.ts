/** Door of the export policy: what a host shares, and what a guest may write. */
export { compilePolicy, guestPolicy } from './compiled-policy.ts'
export type { CompiledPolicy } from './compiled-policy.ts'
export { ExportPolicy } from './export-policy.ts'
export type { ExportPolicyOptions, ExportRules, Fields } from './export-policy.ts'

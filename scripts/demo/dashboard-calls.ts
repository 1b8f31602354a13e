/** What the demo's dashboard is asked to do. All times in milliseconds. */
import type { ProbeCalls } from './probe.ts'

export interface DashboardCalls extends ProbeCalls {
  /** Connects to the shared database. The clock runs until the records that are visible were counted. */
  connect(body: { group: string }): Promise<{ ms: number; records: number }>
  /** Resolves with the code of the refusal, or `none`. */
  write(body: { id: string; patch: Readonly<Record<string, string>> }): Promise<string>
  /** How many records have a field of this name. */
  having(body: { field: string }): Promise<number>
  /** Of all records, after everything that the host had committed is visible. */
  fingerprint(body: null): Promise<string>
  close(body: null): Promise<void>
}

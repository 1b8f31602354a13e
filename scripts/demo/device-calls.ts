/** What the demo's second device is asked to do. All times in milliseconds. */
import type { ProbeCalls } from './probe.ts'

export interface DeviceCalls extends ProbeCalls {
  /** Joins in an empty directory and catches up; meanwhile reports how many records are visible. */
  join(
    body: { at: string; invite: string },
    progress: (count: number) => void,
  ): Promise<{ ms: number; records: number }>
  /** Makes these changes, and waits until the supervisor holds them. */
  edit(body: readonly Edit[]): Promise<void>
  /** Of all records, after everything that the supervisor holds is visible. */
  fingerprint(body: null): Promise<string>
  close(body: null): Promise<void>
}

export interface Edit {
  readonly id: string
  readonly patch: Readonly<Record<string, string | number>>
}

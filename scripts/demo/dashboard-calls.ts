/** What the demo's dashboard is asked to do. All times in milliseconds. */

export interface DashboardCalls {
  /** Connects to the shared database. The clock runs until the records that are visible were counted. */
  connect(body: { group: string }): Promise<{ ms: number; records: number }>
  /** Resolves with the code of the refusal, or `none`. */
  write(body: { id: string; patch: Readonly<Record<string, string>> }): Promise<string>
  /** How many records have a field of this name. */
  having(body: { field: string }): Promise<number>
  /** Of all records, after everything that the host had committed is visible. */
  fingerprint(body: null): Promise<string>
  /** Follows updates of the record `probeId` from now on. */
  follow(body: { probeId: string }): Promise<void>
  /** Resolves with one latency each when so many updates were seen. */
  seen(body: { updates: number }): Promise<number[]>
  /** Highest resident memory so far, in bytes. */
  peak(body: null): Promise<number>
  close(body: null): Promise<void>
}

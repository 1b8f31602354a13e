/** What the benchmark's child processes are asked to do: devices with a database, and their raw counterparts. */

/** Stated so that both ends agree; all times in milliseconds of the machine's monotonic clock. */
export interface DeviceCalls {
  /** Makes a database with `rows` synthetic records, and syncs it through the supervisor. */
  host(body: { at: string; rows: number; seed: number; code: string; name: string }): Promise<void>
  /** URL of an invite. */
  invite(body: null): Promise<string>
  /** Joins in an empty directory; the clock runs from the call to the last of `rows` records being visible. */
  join(body: { at: string; invite: string; rows: number }): Promise<{ ms: number }>
  /** Follows the updates that `update` makes elsewhere. */
  watch(body: null): Promise<void>
  /** Resolves with one latency an update, when `updates` of them were seen. */
  seen(body: { updates: number }): Promise<number[]>
  /** Open loop: so many updates a second, whether or not the earlier ones are done. Resolves when all are acknowledged. */
  update(body: LoadPlan): Promise<void>
  /** Two databases of this process, connected; updates to one until the other shows them. */
  updateInMemory(body: { at: string; seed: number } & LoadPlan): Promise<number[]>
  close(body: null): Promise<void>
}

export interface RawCalls {
  /** Opens the relay's store and listens; a link gets all its rows, or an echo of each row after it was stored. */
  listen(body: { at: string; certificate: string; privateKey: string }): Promise<number>
  /** Takes `rows` rows from the relay and stores them. The clock runs from the dial to the last synced batch. */
  take(body: { at: string; port: number; rows: number }): Promise<{ ms: number }>
  /** Open loop: store, send, until the echo. One latency a row. */
  echo(body: { at: string; port: number; rowBytes: number } & LoadPlan): Promise<number[]>
  /** Open loop: store in one store, then in another. */
  putTwice(body: { at: string; rowBytes: number } & LoadPlan): Promise<number[]>
  close(body: null): Promise<void>
}

export interface LoadPlan {
  readonly updates: number
  readonly perSecond: number
}

/** What the benchmark's child processes are asked to do: devices with a database, and their raw counterparts. */

/** Stated so that both ends agree; all times in milliseconds of the machine's monotonic clock. */
export interface DeviceCalls {
  /** Makes a database with `rows` synthetic records, and syncs it through the supervisor, which `port` leads to. */
  host(
    body: { at: string; rows: number; seed: number; code: string; name: string; port: number },
    progress?: (rows: number) => void,
  ): Promise<void>
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
  /** One update of record 0; resolves with the time before the call once it is acknowledged here. */
  updateOnce(body: { n: number }): Promise<number>
  /** Ends the connection in order; later work is kept until `resume`. */
  pause(body: null): Promise<void>
  resume(body: null): Promise<Resumed>
  /** As `resume`, but resolves after a difference was found and both sides compared again; rejects when there was none. */
  repair(body: null): Promise<Repaired>
  /** Two databases of this process, connected; updates to one until the other shows them. */
  updateInMemory(body: { at: string; seed: number } & LoadPlan): Promise<number[]>
  close(body: null): Promise<void>
}

/** From the call until everything of both sides was known to be there. */
export interface Resumed {
  readonly ms: number
}

/** In milliseconds of the machine: when it connected again, was told of a difference, and knew that there is none. */
export interface Repaired {
  readonly startMs: number
  readonly foundMs: number
  readonly endMs: number
}

/** Devices of one process, in turn unless said otherwise. */
export interface FleetCalls {
  /** Each in a directory of its own; each has `records` records then. */
  join(
    body: { at: string; invites: readonly string[]; records: number },
    progress: (count: number) => void,
  ): Promise<void>
  /** Each follows the updates that are made elsewhere. */
  watch(body: null): Promise<void>
  /** When the last of them saw update `n`. */
  seen(body: { n: number }): Promise<number>
  pause(body: null): Promise<void>
  /** Resolves when each was caught up, with how many are at that moment. */
  resume(body: null): Promise<number>
  close(body: null): Promise<void>
}

export interface RawCalls {
  /** Opens the relay's store and listens; a link gets all its rows, or an echo of each row after it was stored. */
  listen(body: { at: string; certificate: string; privateKey: string }): Promise<number>
  /** Takes `rows` rows from the relay and stores them. The clock runs from the dial to the last synced batch. */
  take(body: { at: string; port: number; rows: number }): Promise<{ ms: number }>
  /** One connection, a row there and back: from the dial to the echo. Nothing is stored. */
  bounce(body: { port: number; rowBytes: number }): Promise<{ ms: number }>
  /** So many connections that stay, each with a store for the rows that the relay sends to all. */
  follow(body: { at: string; port: number; links: number }): Promise<void>
  /** When the last of them had stored row `n`. */
  followed(body: { n: number }): Promise<number>
  /** Stores row `n` and sends it to the relay, which stores it and sends it to all who follow. When it began. */
  post(body: { at: string; port: number; n: number; rowBytes: number }): Promise<number>
  /** Reads all rows of a store that nobody has open. */
  scan(body: { at: string }): Promise<{ ms: number; rows: number }>
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

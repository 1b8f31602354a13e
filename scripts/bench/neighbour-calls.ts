/** What the child processes of the group `topology` are asked to do. All times in milliseconds of the machine's monotonic clock. */
import type { LoadPlan } from './device-calls.ts'

/** A process with a shared database, or with guests of one. */
export interface NeighbourCalls {
  /** Makes a database with `rows` synthetic records and shares all of it in the app group at `group`. */
  host(body: { at: string; group: string; rows: number; seed: number }): Promise<void>
  /** Open loop of inserts. */
  insert(body: LoadPlan & { seed: number }): Promise<Written>
  /**
   * Connects so many guests, one after the other. The clock of each runs from the call of `connectToShared` to the answer of a query
   * that counted `rows` records.
   */
  connect(body: { group: string; guests: number; rows: number }): Promise<{ ms: number[] }>
  /** One hash of all records, of the database or of the first guest. */
  fingerprint(body: null): Promise<string>
  /** Follows the records that `insert` makes, on every guest. Resolves when all that was there before was seen. */
  watch(body: null): Promise<void>
  /** Resolves with when each guest saw each insert. */
  seen(body: { updates: number }): Promise<number[][]>
  close(body: null): Promise<void>
}

/** By number of the write. */
export interface Written {
  /** When its time came: at most the call, before it. */
  readonly startMs: readonly number[]
  /** When the awaited call returned. */
  readonly committedMs: readonly number[]
}

/** The same with nothing but sockets and stores. */
export interface RawNeighbourCalls {
  /** Listens on a Unix socket; a link gets `rows` rows out of a store, or its own bytes back, or whatever `send` sends. */
  listen(body: { at: string; path: string; rows: number; rowBytes: number }): Promise<void>
  /** Takes `rows` rows and stores them, unsynced. The clock runs from the dial until they are stored and counted. */
  take(body: { at: string; path: string; rows: number }): Promise<{ ms: number }>
  /** Open loop: whole round trips of rows of so many bytes. */
  echo(body: { path: string; rowBytes: number } & LoadPlan): Promise<number[]>
  /** Open loop: a synced put, then a round trip of which half is counted. */
  putAndEcho(body: { at: string; path: string; rowBytes: number } & LoadPlan): Promise<number[]>
  /** Opens so many links, and notes when rows arrive on each. */
  follow(body: { path: string; links: number }): Promise<void>
  /** Open loop: a row to every one of so many links that follow. Resolves with when each was begun. */
  send(body: { rowBytes: number; links: number } & LoadPlan): Promise<number[]>
  /** Resolves with when each link saw each row. */
  seen(body: { updates: number }): Promise<number[][]>
  close(body: null): Promise<void>
}

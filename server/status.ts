/**
 * What the supervisor says about itself: the tree, the databases, the counts. One shape for the page, the CLI and `/status`.
 *
 * Invariant: plain JSON without secrets: no code, no key, no record.
 */
import type { CellInfo } from '../runtime/index.ts'
import type { PeerStatus } from './peer.ts'
import type { SpaceInfo } from './storage.ts'

export interface DatabaseStatus {
  readonly name: string
  /** Space id, hexadecimal. */
  readonly space: string
  readonly state: SpaceInfo['state']
  /** Live envelopes; null while the space is not open. */
  readonly records: number | null
  /** Of its live records, and what it may have; null while the space is not open, and without a quota. */
  readonly bytes: number | null
  readonly quotaBytes: number | null
  /** Relays that use it now. */
  readonly clients: number
  readonly error: string | null
}

export interface Health {
  readonly ok: boolean
  readonly version: string
  readonly uptimeMs: number
  readonly clients: number
  readonly databases: number
  /** Spaces that are failed and wait to be opened again; the others go on. */
  readonly quarantined: number
  /** What is not working, by path; empty while healthy. */
  readonly failed: readonly string[]
}

export interface Status extends Health {
  readonly pid: number
  readonly rssBytes: number
  readonly listen: readonly string[]
  readonly ops: string | null
  /** Device id of this supervisor. */
  readonly device: string
  /** Devices that are connected. */
  readonly peers: readonly PeerStatus[]
  /** Devices that may host spaces. */
  readonly hosts: number
  /** The first enrolment code has not been claimed. */
  readonly enrolmentOpen: boolean
  /** Connections that were turned away since the start, by error code. */
  readonly refused: Readonly<Record<string, number>>
  readonly databaseList: readonly DatabaseStatus[]
  readonly actors: readonly CellInfo[]
}

/**
 * What a replica has seen of every other, as (seq, hash of that commit) by replica id (REPLICATION rule 13).
 * Invariant: a vector says what a peer may lack and what it acknowledges, nothing more; it never kills.
 */
import { bytesKey, ByteWriter, compareBytes } from '../../runtime/index.ts'
import type { ByteReader, CryptoProvider } from '../../runtime/index.ts'

export interface VectorEntry {
  readonly replicaId: Uint8Array
  readonly seq: number
  /** Of the commit whose last seq is `seq`. */
  readonly commitHash: Uint8Array
}

/** By `bytesKey(replicaId)`. */
export type Vector = ReadonlyMap<string, VectorEntry>

/** Bytes of one entry on the wire. */
export const VECTOR_ENTRY_BYTES = 46

/** True when the vector has seen that seq of that replica. */
export function covers(vector: Vector, replicaId: Uint8Array, seq: number): boolean {
  const entry = vector.get(bytesKey(replicaId))
  return entry !== undefined && entry.seq >= seq
}

export function encodeVectorEntry(writer: ByteWriter, entry: VectorEntry): void {
  writer.bytes(entry.replicaId).u48(entry.seq).bytes(entry.commitHash)
}

/** Reads one entry. `PROTOCOL_VIOLATION` when the bytes end too early. */
export function parseVectorEntry(reader: ByteReader): VectorEntry {
  // Copies, because entries outlive the message they came in.
  return {
    replicaId: new Uint8Array(reader.bytes(8)),
    seq: reader.u48(),
    commitHash: new Uint8Array(reader.bytes(32)),
  }
}

/** Entries in order of replica id. */
function sortedEntries(vector: Vector): VectorEntry[] {
  return [...vector.values()].sort((a, b) => compareBytes(a.replicaId, b.replicaId))
}

/** SHA-256 over all entries in order of replica id (PROTOCOL §1). */
export function vectorDigest(vector: Vector, crypto: CryptoProvider): Uint8Array {
  const writer = new ByteWriter(vector.size * VECTOR_ENTRY_BYTES)
  for (const entry of sortedEntries(vector)) encodeVectorEntry(writer, entry)
  return crypto.sha256(writer.finish())
}

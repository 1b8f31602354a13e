/** What a write of a guest is judged by, and what is told of it. Policies are made by the host, each for one guest. */
import type { RecordInput } from './record-writer.ts'
import type { RecordState } from './record/record.ts'

export interface GuestPolicy {
  /** Home of the records that the guest inserts, 16 bytes. */
  readonly home: Uint8Array
  /**
   * Throws a `BlazeError` when nothing of it may be written, whatever is there: the collection is not exported, the guest may only
   * read, or a field is not visible to it.
   */
  check(collection: string, inputs: readonly RecordInput[]): void
  /** Whether the policy shows the record: alive, exported, let through by the filter. */
  visible(state: RecordState): boolean
  fieldVisible(collection: string, field: string): boolean
}

/** A write of a guest, synced. */
export interface GuestWritten {
  /** Whether there was something to delete; true for other steps. */
  readonly existed: boolean
  /** Records of the write, by their place in it, that are at home with the guest and that the policy does not show now. */
  readonly hidden: readonly { readonly index: number; readonly tag: Uint8Array; readonly life: number }[]
}

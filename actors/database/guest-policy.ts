/** What a write of a guest is judged by. Made by the host from its export policy, for one guest. */
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

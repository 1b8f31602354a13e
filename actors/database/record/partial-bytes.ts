/** A large byte value as a record holds it, and as it reads while its chunks are not all there (REPLICATION rule 30). */
import { BlazeError, equalBytes } from '../../../runtime/index.ts'
import type { WriteMark } from './field-operation.ts'
import type { Large } from './merge.ts'
import { mergedField } from './record.ts'
import type { FieldState } from './record.ts'

/** Stands in a record for a byte value of over 48 KiB that is not whole here: what it lacks may still come from a peer. */
export class PartialBytes {
  /** Of the whole value. */
  readonly bytes: number
  readonly #large: Large

  /** Only for what reads records. */
  constructor(large: Large) {
    this.bytes = large.bytes
    this.#large = large
  }

  /** What the record says of the value. */
  static largeOf(partial: PartialBytes): Large {
    return partial.#large
  }

  toJSON(): { readonly partial: true; readonly bytes: number } {
    return { partial: true, bytes: this.bytes }
  }
}

/** What is written into a field once the chunks of its value are stored. */
export class LargeReference {
  readonly large: Large

  constructor(large: Large) {
    this.large = large
  }

  /** The field itself when it refers to the same blob. */
  applyTo(field: FieldState | undefined, { stamp }: WriteMark): FieldState {
    if (field?.merge?.kind === 'large' && equalBytes(field.merge.blob, this.large.blob)) return field
    return mergedField(this.large, stamp)
  }
}

/** Whether two say that they are the same bytes, whatever their blobs. */
export function sameBytes(a: Large, b: Large): boolean {
  return a.bytes === b.bytes && equalBytes(a.root, b.root)
}

/** `PARTIAL`: it cannot be written, since it is not all here. */
export function partialError(field: string): BlazeError {
  return new BlazeError(
    'PARTIAL',
    `field ${field.slice(0, 100)}: the value is not whole here yet; leave the field out, or wait until its chunks have come`,
  )
}

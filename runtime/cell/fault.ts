/** Errors of cells. Anything can be thrown, also what throws when it is looked at; nothing here does. */
import { BlazeError } from '../errors.ts'
import { describeError } from '../tap.ts'

export function toError(error: unknown): Error {
  try {
    if (error instanceof Error) return error
  } catch {
    // A proxy may refuse even this.
  }
  return new Error(`a cell failed with ${describeError(error)}`)
}

/** For the log. An error may throw when it is looked at. */
export function stackOf(error: Error): string {
  try {
    return String(error.stack)
  } catch {
    return 'a stack that cannot be shown'
  }
}

export function linkedDown(path: string, cause: unknown): BlazeError {
  const what = cause === undefined ? 'was down when it was linked' : 'crashed or was killed'
  return new BlazeError('LINKED_CELL_DOWN', `${path}, which is linked to this cell, ${what}`, {
    cause,
    details: { path },
  })
}

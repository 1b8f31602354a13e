/** Rules for names of databases, collections, records and fields. Each function says why a name is refused, or undefined. */
import { isWellFormed, limits } from '../../../runtime/index.ts'

/** Collections that applications may not name. */
const RESERVED_PREFIX = '~'

export function collectionProblem(name: string): string | undefined {
  return textProblem(name, limits.collectionNameBytesMax)
}

/** The same, and not one of ours. */
export function openCollectionProblem(name: string): string | undefined {
  if (name.startsWith(RESERVED_PREFIX)) return `names starting with ${RESERVED_PREFIX} are reserved`
  return collectionProblem(name)
}

export function idProblem(id: string): string | undefined {
  return textProblem(id, limits.recordIdBytesMax)
}

export function fieldNameProblem(name: string): string | undefined {
  return name === 'id' ? 'the field id is reserved' : textProblem(name, limits.recordCborBytesMax)
}

function textProblem(text: string, bytesMax: number): string | undefined {
  if (text.length === 0) return 'it is empty'
  if (!isWellFormed(text)) return 'it has a lone surrogate'
  // A UTF-16 code unit takes 1 to 3 bytes, so most names need no counting.
  if (text.length * 3 <= bytesMax) return undefined
  if (text.length <= bytesMax && Buffer.byteLength(text) <= bytesMax) return undefined
  return `it has more than ${bytesMax} bytes of UTF-8`
}

/** Error codes as numbers on the wire, PROTOCOL §11. A number never changes its meaning; 0 is no error and not in the table. */
import type { ErrorCode } from './errors.ts'

const CODES: readonly ErrorCode[] = [
  'REFUSED',
  'BUSY',
  'PROTOCOL_VIOLATION',
  'CODE_INVALID',
  'CODE_USED',
  'CODE_EXPIRED',
  'FORBIDDEN',
  'DATABASE_EXISTS',
  'UNKNOWN_SPACE',
  'NOT_A_MEMBER',
  'UNKNOWN_REPLICA',
  'FORKED',
  'QUOTA',
  'POISONED',
  'DAMAGED',
  'CLOCK_SKEW',
  'CLOSED',
  'BAD_SIGNATURE',
  'NOT_SUPPORTED',
  'TOO_LARGE',
  'OVERLOADED',
  'NOT_SYNCED',
  'READ_ONLY',
  'RECORD_EXISTS',
  'NOT_FOUND',
  'BAD_VALUE',
  'DISK_FULL',
  'NOT_UNIQUE',
]

/** A code that has no number of its own travels as REFUSED. */
export function errorNumber(code: ErrorCode): number {
  const at = CODES.indexOf(code)
  return at === -1 ? 1 : at + 1
}

/** Unknown numbers read as REFUSED. */
export function errorOfNumber(number: number): ErrorCode {
  return CODES[number - 1] ?? 'REFUSED'
}

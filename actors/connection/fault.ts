/** What the dialling side makes of an error, and how long it waits. Invariant: only what no retry heals is final. */
import { BlazeError, type ErrorCode } from '../../runtime/index.ts'
import type { DialedMessage } from './dialed-message.ts'

/** The connection waits in `refused` for a person. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SERVER_KEY_MISMATCH',
  'FORBIDDEN',
  'DATABASE_EXISTS',
  'CODE_INVALID',
  'CODE_USED',
  'CODE_EXPIRED',
  'NOT_SUPPORTED',
  'BAD_KEY',
])

export function isFinal(error: BlazeError): boolean {
  return FINAL.has(error.code)
}

/** Upper bound of the wait after so many failures in a row. */
export function ceilingOf(firstMs: number, maxMs: number, attempts: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(attempts, 16))
}

export function failure(attempt: number, error: BlazeError): DialedMessage {
  return { type: 'dialed.failed', attempt, error }
}

export function faultOf(error: unknown): BlazeError {
  return error instanceof BlazeError
    ? error
    : new BlazeError('UNREACHABLE', 'the connection failed', { cause: error })
}

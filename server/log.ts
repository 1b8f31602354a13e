/** The log of a process: one JSON object a line on standard error, written before the call returns, so that a crash loses none. */
import { pino } from 'pino'
import type { Log } from '../runtime/index.ts'

export function createLog(): Log {
  const logger = pino(
    { base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  )
  return {
    debug: (event, details = {}) => logger.debug(details, event),
    info: (event, details = {}) => logger.info(details, event),
    warn: (event, details = {}) => logger.warn(details, event),
    error: (event, details = {}) => logger.error(details, event),
  }
}

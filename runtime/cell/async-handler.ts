/** Refuses handlers that return a promise: a cell would go on to its next message while the first is still being handled. */
import { BlazeError } from '../errors.ts'

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Throws `ASYNC_HANDLER` when `result` is a promise. What becomes of that promise is ignored. */
export function refusePromise(result: unknown, handler: string): void {
  if (!isThenable(result)) return
  // Nobody will ever wait for it: its rejection must not end the process.
  result.then(ignore, ignore)
  throw new BlazeError(
    'ASYNC_HANDLER',
    `${handler} returned a promise: handlers are synchronous; do the waiting in ctx.run, whose result comes back as a message`,
  )
}

function ignore(): void {}

/** How a session answers what it is asked. Invariant: a request is answered exactly once, and a bug goes on to whoever supervises. */
import { BlazeError } from '../../runtime/index.ts'
import type { Reply } from './message.ts'

export function answer<R>(reply: Reply<R>, work: Promise<R>): void {
  work.then(reply.resolve, reply.reject)
}

/**
 * Hands a request to `dispatch`, or refuses it with the reason why the session is closed. Throws for a bug only, and then the request
 * was answered.
 */
export function handleRequest<T extends { readonly reply: Pick<Reply<never>, 'reject'> }>(
  request: T,
  closed: BlazeError | undefined,
  dispatch: (request: T) => void,
): void {
  if (closed !== undefined) {
    request.reply.reject(closed)
    return
  }
  try {
    dispatch(request)
  } catch (error) {
    request.reply.reject(error)
    if (!(error instanceof BlazeError)) throw error
  }
}

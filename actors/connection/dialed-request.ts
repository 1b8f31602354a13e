/** A request that the owner of a connection makes through it. Invariant: it is settled once, with an answer or why there is none. */
import { BlazeError } from '../../runtime/index.ts'
import type { DialedMessage } from './dialed-message.ts'
import { faultOf } from './fault.ts'
import type { Session } from './session.ts'

/** `OFFLINE` without a session, else as `Session.request`. */
export function settleRequest(
  session: Session | undefined,
  { operation, body, timeoutMs, settle }: Extract<DialedMessage, { type: 'dialed.request' }>,
): void {
  if (session === undefined) {
    settle({ error: new BlazeError('OFFLINE', 'there is no connection to the supervisor now') })
    return
  }
  session.request(operation, body, timeoutMs).then(
    (answer) => settle({ body: answer }),
    (error: unknown) => settle({ error: faultOf(error) }),
  )
}

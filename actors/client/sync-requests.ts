/** Requests that a client makes through its connection actor. Invariant: each ends, also when the actor dies with it in its hands. */
import { BlazeError, limits, type Env, type Ref } from '../../runtime/index.ts'
import type { DialedMessage } from '../connection/index.ts'

export class SyncRequests {
  readonly #env: Env
  readonly #why: () => string
  readonly #waiting = new Set<(error: BlazeError) => void>()

  constructor(env: Env, why: () => string) {
    this.#env = env
    this.#why = why
  }

  /** Rejects with `OFFLINE` without a connection, `TIMEOUT`, `OVERLOADED`, and the code of the answer. */
  send(
    connection: Ref<DialedMessage> | undefined,
    operation: number,
    body: Uint8Array,
    timeoutMs: number = limits.requestTimeoutMs,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const fail = (error: BlazeError): void => {
        end()
        reject(error)
      }
      const timer = this.#env.after(timeoutMs, () =>
        fail(new BlazeError('TIMEOUT', `no answer within ${timeoutMs} ms: ${this.#why()}`)),
      )
      const end = (): void => {
        timer.cancel()
        this.#waiting.delete(fail)
      }
      this.#waiting.add(fail)
      const told = connection?.tell({
        type: 'dialed.request',
        operation,
        body,
        timeoutMs,
        settle: (result) => {
          if ('error' in result) return fail(result.error)
          end()
          resolve(result.body)
        },
      })
      if (told === 'full')
        fail(new BlazeError('OVERLOADED', 'the connection has more requests than it can queue'))
      else if (told !== 'ok') fail(new BlazeError('OFFLINE', 'there is no connection to the supervisor now'))
    })
  }

  end(error: BlazeError): void {
    for (const fail of [...this.#waiting]) fail(error)
  }
}

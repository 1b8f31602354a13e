/**
 * Calls between a script and its child process, over the channel that Node opens between the two.
 *
 * Invariant: a child answers each call once, and ends when its parent is gone.
 */
import { BlazeError } from '../../runtime/index.ts'

/** What a child offers, by name. `progress` reaches the caller while the call runs. */
export type Calls<C> = {
  readonly [K in keyof C]: (body: never, progress: (count: number) => void) => Promise<unknown>
}

export interface CallRequest {
  readonly id: number
  readonly name: string
  readonly body: unknown
}

export type CallAnswer =
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string | undefined; readonly message: string } }

/** In the child: answers the parent until it disconnects, then ends the process after `leave`. */
export function answerParent<C extends Calls<C>>(calls: C, leave: () => Promise<void>): void {
  const byName = new Map(Object.entries<Calls<C>[keyof C]>(calls))
  // A parent that is gone wants no answer.
  const answer = (message: CallAnswer): void => {
    if (process.connected) process.send?.(message)
  }
  process.on('message', ({ id, name, body }: CallRequest) => {
    const call = byName.get(name)
    const work =
      call === undefined
        ? Promise.reject(new Error(`no call ${name}`))
        : call(body as never, (progress) => answer({ id, progress }))
    work.then(
      (result) => answer({ id, result }),
      (error: unknown) => answer({ id, error: describe(error) }),
    )
  })
  // Ctrl-C reaches the whole group; the parent decides in which order things end.
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => {
    const patience = setTimeout(() => process.exit(1), 5_000)
    void leave().finally(() => {
      clearTimeout(patience)
      process.exit(0)
    })
  })
}

function describe(error: unknown): { code: string | undefined; message: string } {
  const code = error instanceof BlazeError ? error.code : undefined
  if (error instanceof BlazeError) return { code, message: error.message }
  return { code, message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** Long work with the deadline and signal of its caller. Invariant: unlike a wait that is cut short, the work itself ends, and cleans up. */
import { BlazeError } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { checkWait } from '../deadline.ts'
import type { WaitOptions } from '../deadline.ts'

/** `work` gets a signal whose reason is what it rejects with. `TypeError` for bad options. */
export async function stoppable<T>(
  env: Env,
  what: string,
  options: WaitOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  checkWait(options)
  const { timeoutMs = Infinity, signal } = options
  const stop = new AbortController()
  const abort = (): void => stop.abort(new BlazeError('ABORTED', `${what}: the caller aborted`))
  const timer =
    timeoutMs === Infinity
      ? undefined
      : env.after(timeoutMs, () =>
          stop.abort(new BlazeError('TIMEOUT', `${what}: not within ${timeoutMs} ms`)),
        )
  if (signal?.aborted === true) abort()
  else signal?.addEventListener('abort', abort)
  try {
    return await work(stop.signal)
  } finally {
    timer?.cancel()
    signal?.removeEventListener('abort', abort)
  }
}

/** `TypeError` for something that is no function. */
export function checkProgress(onProgress: unknown): void {
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new TypeError('onProgress: expected a function')
  }
}

/** `TypeError` for something that is no path. */
export function checkPath(path: unknown, name: string): string {
  if (typeof path !== 'string' || path.length === 0)
    throw new TypeError(`${name}: expected the path of a file`)
  return path
}

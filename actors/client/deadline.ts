/** Ends a wait by deadline or signal. Invariant: only the wait ends, not the work: a write that was called may still happen. */
import { BlazeError, isPlainObject } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'

/** Of every waiting call. */
export interface WaitOptions {
  /** Rejects with `TIMEOUT` after so many milliseconds. */
  readonly timeoutMs?: number
  /** Rejects with `ABORTED` when it fires. */
  readonly signal?: AbortSignal
}

/** Of one step of a call. */
export interface StepOptions extends WaitOptions {
  /** What the whole call was given, for messages. */
  readonly callMs?: number
}

/** What is waited for: under way already, or begun in the same turn, once the options are found good. */
export type Work<T> = Promise<T> | (() => Promise<T>)

/** `work` with the deadline and signal of `options`; `what` names the call in messages. `TypeError` for bad options. */
export function bounded<T>(env: Env, what: string, options: StepOptions, work: Work<T>): Promise<T> {
  return wait(env, { what, rest: '' }, options, work)
}

/** The same for a write: whoever stops waiting is told that it goes on. */
export function boundedWrite<T>(env: Env, what: string, options: WaitOptions, work: Work<T>): Promise<T> {
  return wait(env, { what, rest: '; the write may still happen' }, options, work)
}

function wait<T>(
  env: Env,
  { what, rest }: { readonly what: string; readonly rest: string },
  options: StepOptions,
  work: Work<T>,
): Promise<T> {
  const problem = waitProblem(options)
  if (problem !== undefined) {
    // The caller hears of the argument, not of the work.
    if (typeof work !== 'function') work.catch(() => undefined)
    return Promise.reject(new TypeError(problem))
  }
  const { timeoutMs, callMs = timeoutMs, signal } = options
  const begun = typeof work === 'function' ? work() : work
  if (timeoutMs === undefined && signal === undefined) return begun
  return new Promise<T>((resolve, reject) => {
    const timer =
      timeoutMs === undefined || timeoutMs === Infinity
        ? undefined
        : env.after(timeoutMs, () => {
            end()
            reject(new BlazeError('TIMEOUT', `${what}: not within ${callMs} ms${rest}`))
          })
    const abort = (): void => {
      end()
      reject(new BlazeError('ABORTED', `${what}: the caller aborted${rest}`))
    }
    const end = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', abort)
    }
    if (signal?.aborted === true) {
      abort()
    } else {
      signal?.addEventListener('abort', abort)
    }
    begun.then(
      (value) => {
        end()
        resolve(value)
      },
      (error: unknown) => {
        end()
        reject(error)
      },
    )
  })
}

/**
 * The options for the next step of a call that has several: together they keep the deadline of `options`, or `waitMs` when it names
 * none. `TypeError` for bad options.
 */
export function stepwise(env: Env, options: WaitOptions, waitMs: number): () => StepOptions {
  checkWait(options)
  const { timeoutMs = waitMs, signal } = options
  const endMs = env.monotonic() + timeoutMs
  return () => {
    const leftMs = Math.max(0, Math.ceil(endMs - env.monotonic()))
    const step = { timeoutMs: leftMs, callMs: timeoutMs }
    return signal === undefined ? step : { ...step, signal }
  }
}

/** `TypeError` for what are no options of a waiting call. */
export function checkWait(options: WaitOptions): void {
  const problem = waitProblem(options)
  if (problem !== undefined) throw new TypeError(problem)
}

function waitProblem(options: WaitOptions): string | undefined {
  if (!isPlainObject(options)) return 'options: expected a plain object'
  const { timeoutMs, signal }: WaitOptions = options
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    return `timeoutMs: expected a number from 0, got ${String(timeoutMs)}`
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) return 'signal: expected an AbortSignal'
  return undefined
}

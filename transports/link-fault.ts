/** Why a link ends on this side. No state. */
import { BlazeError, limits } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'

export function stalled(remote: string): BlazeError {
  return new BlazeError('LINK_CLOSED', `${remote} took nothing for ${limits.writeStallMs} ms`)
}

/** What a handler threw: bytes of a peer that reach a bug of ours cost that peer its link, and nobody else theirs. */
export function faultOf(env: Env, remote: string, error: unknown): BlazeError {
  if (error instanceof BlazeError) return error
  env.log.error('link.bug', {
    remote,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
  return new BlazeError('LINK_CLOSED', 'the link failed on this side', {
    cause: error,
    details: { damaged: true },
  })
}

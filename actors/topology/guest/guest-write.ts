/**
 * Writes of a guest as requests, cut so that none takes long to send.
 * Invariant: either all of the write can be sent, or it is refused before any of it was.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { RecordInput } from '../../database/index.ts'
import { encodeMirrorWrite, MIRROR_MARK, MIRROR_WRITE } from '../mirror/index.ts'
import type { MirrorAnswer, MirrorWrite } from '../mirror/index.ts'
import type { GuestCalls } from './guest-calls.ts'

/**
 * Resolves with whether there was a record, when all of it is stored by the host and shown here. Requests of one write follow one
 * another: when one is refused, earlier ones stay and later ones are not sent. `shown` is called for each of them, and what it returns
 * is waited for. Rejects with `RECORD_EXISTS` for two records of one id, `TOO_LARGE` for one that does not fit, and as
 * `GuestCalls.call` does.
 */
export async function writeThrough(
  calls: GuestCalls,
  write: MirrorWrite,
  shown: (part: MirrorWrite, answer: MirrorAnswer) => Promise<void> | undefined,
): Promise<boolean> {
  let existed = true
  for (const { part, body } of encodeWrites(write)) {
    existed = await calls.call({
      operation: MIRROR_WRITE,
      body,
      swept: false,
      shown: (answer) => shown(part, answer),
      timeoutMs: limits.requestTimeoutMs,
    })
  }
  return existed
}

/** Resolves when everything the host has committed is shown, and nothing that it has withdrawn. */
export async function markThrough(calls: GuestCalls, timeoutMs: number): Promise<void> {
  await calls.call({ operation: MIRROR_MARK, body: new Uint8Array(0), swept: true, timeoutMs })
}

interface EncodedWrite {
  readonly part: MirrorWrite
  readonly body: Uint8Array
}

function encodeWrites(write: MirrorWrite): EncodedWrite[] {
  const { collection, inputs } = write
  if (inputs.length === 0) return []
  if (new Set(inputs.map(({ id }) => id)).size !== inputs.length) {
    throw new BlazeError('RECORD_EXISTS', 'two records of the call have the same id', {
      details: { collection },
    })
  }
  return halves(write, inputs)
}

function halves(write: MirrorWrite, inputs: readonly RecordInput[]): EncodedWrite[] {
  const part = { ...write, inputs }
  const body = encoded(part)
  if (body !== undefined) return [{ part, body }]
  const middle = inputs.length >>> 1
  return [...halves(write, inputs.slice(0, middle)), ...halves(write, inputs.slice(middle))]
}

/** Undefined when fewer records may fit. */
function encoded(write: MirrorWrite): Uint8Array | undefined {
  const single = write.inputs.length === 1
  try {
    const body = encodeMirrorWrite(write)
    return single || body.length <= limits.guestWriteBytesMax ? body : undefined
  } catch (error) {
    if (!single && error instanceof BlazeError && error.code === 'TOO_LARGE') return undefined
    throw error
  }
}

/** What a channel tells its owner of a message that it may not send, and of an end that nobody proved. Pure. */
import { BlazeError, limits } from '../../runtime/index.ts'
import { FIRST_RELAY_TYPE, frameType } from './frame.ts'
import { CONTROL } from './stream.ts'

/** Whoever can cut the link can end it so, at any byte: what the peer said last may not have come. */
export function truncated(remote: string, cause: BlazeError | undefined): BlazeError {
  const how = cause === undefined ? 'ended the link' : 'is cut off'
  return new BlazeError('TRUNCATED', `${remote} ${how} without a bye: what it sent last may be missing`, {
    cause,
  })
}

/** `TypeError`. */
export function checkMessage(stream: number, type: number, body: Uint8Array): void {
  if (body.length > limits.messageBytesMax) {
    throw new TypeError(`body: expected at most ${limits.messageBytesMax} bytes, got ${body.length}`)
  }
  const control = type === frameType.request || type === frameType.response
  const allowed = control || type === frameType.open || type === frameType.reset || type >= FIRST_RELAY_TYPE
  if (!Number.isInteger(type) || type > 255 || !allowed || control !== (stream === CONTROL)) {
    throw new TypeError(`type: expected one that goes on stream ${stream}, got ${type}`)
  }
}

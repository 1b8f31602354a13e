/** `u16 error | text`, as bye, reset, response and a refusing complete carry it. Text is cut, never refused for its length. */
import { ByteReader, ByteWriter, limits } from '../../runtime/index.ts'

/** 0 is no error. */
export function encodeErrorBody(number: number, text: string): Uint8Array {
  let bytes = new TextEncoder().encode(text)
  if (bytes.length > limits.wireTextBytesMax) {
    // Cut by bytes, then back to whole characters.
    const cut = new TextDecoder().decode(bytes.subarray(0, limits.wireTextBytesMax)).replace(/\uFFFD$/, '')
    bytes = new TextEncoder().encode(cut)
  }
  return new ByteWriter(2 + bytes.length).u16(number).bytes(bytes).finish()
}

/** `PROTOCOL_VIOLATION` for ill-formed or over-long text. `what` names the bytes in that error. */
export function parseErrorBody(body: Uint8Array, what: string): { number: number; text: string } {
  const reader = new ByteReader(body, what)
  const number = reader.u16()
  if (reader.remaining > limits.wireTextBytesMax)
    throw reader.violation(`a text of ${reader.remaining} bytes`)
  return { number, text: reader.text(reader.remaining) }
}

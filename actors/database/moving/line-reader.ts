/**
 * Lines of a stream of bytes, as text.
 * Invariant: memory holds one line and one piece of the stream; what is no UTF-8, or too long a line, is `IMPORT_INVALID` with its number.
 */
import { BlazeError, concatBytes, limits } from '../../../runtime/index.ts'

const NEWLINE = 0x0a
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its end; a carriage return before that is left for JSON, which skips it. */
  readonly text: string
}

export class LineReader {
  /** Of the line that is not whole yet. */
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  #lines = 0
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  /** Lines so far. */
  get lines(): number {
    return this.#lines
  }

  /** The lines that end within these bytes. */
  *add(bytes: Uint8Array): Generator<Line> {
    let at = 0
    for (let end = bytes.indexOf(NEWLINE, at); end !== -1; end = bytes.indexOf(NEWLINE, at)) {
      yield this.#take(bytes.subarray(at, end))
      at = end + 1
    }
    const rest = bytes.subarray(at)
    this.#check(rest.length)
    // A copy: the stream may use its buffer again.
    this.#pieces.push(rest.slice())
    this.#pieceBytes += rest.length
  }

  /** The last line, unless it is empty. */
  *end(): Generator<Line> {
    if (this.#pieceBytes > 0) yield this.#take(new Uint8Array(0))
  }

  #take(rest: Uint8Array): Line {
    this.#check(rest.length)
    const whole = this.#pieceBytes === 0 ? rest : concatBytes([...this.#pieces, rest])
    this.#pieces = []
    this.#pieceBytes = 0
    this.#lines += 1
    return { number: this.#lines, text: this.#decode(whole) }
  }

  #check(more: number): void {
    if (this.#pieceBytes + more <= limits.importLineBytesMax) return
    throw lineError(this.#lines + 1, `it is longer than ${limits.importLineBytesMax} bytes`)
  }

  #decode(bytes: Uint8Array): string {
    const marked = this.#lines === 1 && BYTE_ORDER_MARK.every((byte, at) => bytes[at] === byte)
    try {
      return this.#decoder.decode(marked ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes)
    } catch (cause) {
      throw lineError(this.#lines, 'it is not well-formed UTF-8', cause)
    }
  }
}

export function lineError(line: number, problem: string, cause?: unknown): BlazeError {
  return new BlazeError('IMPORT_INVALID', `line ${line}: ${problem}`, { cause, details: { line } })
}

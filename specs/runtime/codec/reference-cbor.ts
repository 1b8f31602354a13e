/**
 * The codec once more, on the library `cborg`, to compare ours with: a second implementation, written by others.
 * Invariant: it takes, refuses and writes exactly what `runtime/codec/` promises, and shares with it only values and limits.
 */
import { decode, encode, Token, Tokenizer, Type } from 'cborg'
import type { DecodeOptions, EncodeOptions } from 'cborg'
import { BlazeError, isPlainObject, isWellFormed, limits, Uuid } from '../../../runtime/index.ts'
import type { CborItem, CborOptions } from '../../../runtime/index.ts'
import { dateProblem, integerProblem } from '../../../runtime/codec/value.ts'

const TAG_DATE = 1
const TAG_UUID = 37

export function referenceEncode(item: CborItem, options: CborOptions = {}): Uint8Array {
  check(item, 0, options.undefinedAtDepth)
  const bytes = encode(item, encodeOptions)
  // The library returns a Buffer, sometimes one that shares a pool.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function referenceDecode(bytes: Uint8Array, options: CborOptions = {}): CborItem {
  try {
    const tokenizer = new BoundedTokenizer(bytes, options.undefinedAtDepth)
    // The library types its result as any; the tokenizer has let nothing but items through.
    const item = decode(bytes, { ...decodeOptions, tokenizer }) as CborItem
    check(item, 0, options.undefinedAtDepth)
    return item
  } catch (cause) {
    if (cause instanceof BlazeError) throw cause
    throw new BlazeError('BAD_VALUE', 'the CBOR does not decode', { cause })
  }
}

const encodeOptions: EncodeOptions = {
  typeEncoders: {
    // The library writes −0 as the integer 0.
    number: (value: number) => (Object.is(value, -0) ? new Token(Type.float, value) : null),
    Date: (value: Date) => {
      const seconds = value.getTime() / 1000
      const type = !Number.isInteger(seconds) ? Type.float : seconds < 0 ? Type.negint : Type.uint
      return [
        new Token(Type.tag, TAG_DATE),
        new Token(type, type === Type.uint ? Math.abs(seconds) : seconds),
      ]
    },
    Object: (value: unknown) =>
      value instanceof Uuid ? [new Token(Type.tag, TAG_UUID), new Token(Type.bytes, value.bytes)] : null,
  },
}

const decodeOptions: DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: true,
  allowBigInt: true,
  allowNaN: true,
  allowInfinity: true,
  rejectDuplicateMapKeys: true,
  tags: {
    [TAG_DATE]: (content) => {
      const seconds = content()
      const ms = typeof seconds === 'number' ? Math.round(seconds * 1000) : Number.NaN
      const problem = dateProblem(ms)
      if (problem !== undefined) throw refuse(problem)
      return new Date(ms)
    },
    [TAG_UUID]: (content) => {
      const bytes: unknown = content()
      if (!(bytes instanceof Uint8Array) || bytes.length !== 16) throw refuse('a UUID has 16 bytes')
      return new Uuid(bytes)
    },
  },
}

const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Looks at each token before the library builds anything from it, and keeps count of the open containers. */
class BoundedTokenizer extends Tokenizer {
  /** Items that each open container still expects. */
  readonly #open: number[] = []
  readonly #undefinedAtDepth: number | undefined

  constructor(bytes: Uint8Array, undefinedAtDepth: number | undefined) {
    super(bytes, decodeOptions)
    this.#undefinedAtDepth = undefinedAtDepth
  }

  override next(): Token {
    const open = this.#open
    while (open.length > 0 && open[open.length - 1] === 0) open.pop()
    const depth = open.length
    if (depth > 0) open[depth - 1] = (open[depth - 1] as number) - 1
    const first = this.data[this._pos]
    const token = first !== undefined && first >>> 5 === Type.string.major ? this.#text(first) : super.next()
    this.#admit(token, depth)
    return token
  }

  #admit(token: Token, depth: number): void {
    const type = token.type
    if (type === Type.undefined && depth !== this.#undefinedAtDepth) throw refuse('undefined is no value')
    if (typeof token.value === 'bigint') {
      const problem = integerProblem(token.value)
      if (problem !== undefined) throw refuse(problem)
    }
    if (type.terminal) return
    const items: number = type === Type.tag ? 1 : type === Type.map ? token.value * 2 : token.value
    if (items > this.data.length - this._pos) throw refuse('a count exceeds the bytes that remain')
    if (depth >= limits.cborDepthMax) throw refuse(`nested deeper than ${limits.cborDepthMax}`)
    if (items > 0) this.#open.push(items)
  }

  /** The library replaces ill-formed text and drops a leading byte order mark, so text is read here. */
  #text(first: number): Token {
    const minor = first & 31
    const view = new DataView(this.data.buffer, this.data.byteOffset, this.data.byteLength)
    let length = minor
    let prefix = 1
    if (minor === 24) {
      length = view.getUint8(this._pos + 1)
      prefix = 2
      if (length < 24) throw refuse('overlong length')
    } else if (minor === 25) {
      length = view.getUint16(this._pos + 1)
      prefix = 3
      if (length < 2 ** 8) throw refuse('overlong length')
    } else if (minor === 26) {
      length = view.getUint32(this._pos + 1)
      prefix = 5
      if (length < 2 ** 16) throw refuse('overlong length')
    } else if (minor > 26) {
      throw refuse('text of a length that is not supported')
    }
    const start = this._pos + prefix
    const end = start + length
    if (end > this.data.length) throw refuse('text ends too early')
    this._pos = end
    return new Token(Type.string, readText(this.data, start, end), prefix + length)
  }
}

function readText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 32) return textDecoder.decode(bytes.subarray(start, end))
  let text = ''
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number
    if (byte > 0x7f) return textDecoder.decode(bytes.subarray(start, end))
    text += String.fromCharCode(byte)
  }
  return text
}

function check(item: unknown, depth: number, undefinedAtDepth: number | undefined): void {
  switch (typeof item) {
    case 'boolean':
    case 'number':
      return
    case 'string':
      if (!isWellFormed(item)) throw refuse('the text has a lone surrogate')
      return
    case 'bigint': {
      const problem = integerProblem(item)
      if (problem !== undefined) throw refuse(problem)
      return
    }
    case 'undefined':
      if (depth !== undefinedAtDepth) throw refuse('undefined is no value')
      return
    case 'object':
      if (item !== null) checkObject(item, depth, undefinedAtDepth)
      return
    default:
      throw refuse(`${typeof item} is no value`)
  }
}

function checkObject(item: object, depth: number, undefinedAtDepth: number | undefined): void {
  if (item instanceof Uint8Array) return
  if (depth >= limits.cborDepthMax) throw refuse(`nested deeper than ${limits.cborDepthMax}`)
  if (item instanceof Uuid) return
  if (item instanceof Date) {
    const problem = dateProblem(item.getTime())
    if (problem !== undefined) throw refuse(problem)
  } else if (Array.isArray(item)) {
    for (let at = 0; at < item.length; at += 1) check(item[at], depth + 1, undefinedAtDepth)
  } else {
    if (!isPlainObject(item)) throw refuse('an object with a class is no value')
    for (const name of Object.keys(item)) {
      if (!isWellFormed(name)) throw refuse('a name has a lone surrogate')
      check(item[name], depth + 1, item[name] === undefined ? undefined : undefinedAtDepth)
    }
  }
}

function refuse(problem: string): BlazeError {
  return new BlazeError('BAD_VALUE', problem)
}

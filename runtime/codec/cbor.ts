/**
 * CBOR (RFC 8949) of authenticated bodies, on an allow-list: null, booleans, integers, doubles, text, bytes, arrays, maps with
 * text keys, tag 1 (date) and tag 37 (UUID). Decoding refuses everything else before it acts on it: other tags, indefinite and
 * overlong lengths, counts beyond the bytes that remain, depth, duplicate keys, ill-formed text, trailing bytes.
 */
import { limits } from '../limits.ts'
import { CborDecoder } from './cbor-decoder.ts'
import { CborEncoder } from './cbor-encoder.ts'
import type { CborItem, CborOptions } from './cbor-item.ts'

export type { CborItem, CborOptions } from './cbor-item.ts'

let idle: CborEncoder | undefined

/** Bytes of `item`, the same for equal items. `BAD_VALUE` for anything that `decodeCbor` would refuse. */
export function encodeCbor(item: CborItem, options: CborOptions = {}): Uint8Array {
  // A getter inside the item may encode too.
  const encoder = idle ?? new CborEncoder()
  idle = undefined
  const bytes = encoder.encode(item, options.undefinedAtDepth)
  // One that refused, or grew past a record, is left to the collector.
  if (encoder.capacity <= limits.encoderBytesMax) idle = encoder
  return bytes
}

/** The item in `bytes`, all of them. `BAD_VALUE` for everything outside the allow-list. Byte strings are copies. */
export function decodeCbor(bytes: Uint8Array, options: CborOptions = {}): CborItem {
  return new CborDecoder(bytes, options.undefinedAtDepth).decode()
}

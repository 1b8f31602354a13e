/**
 * Entries of the indexes: how a record is named in them, and what is kept of it (PROTOCOL §6.3).
 * Invariant: keys of the built-in view sort by collection, then by id in the order of text; what was emitted for a record stands in its entry.
 */
import { bytesKey } from '../../../runtime/index.ts'
import { badPage } from './page.ts'

const FLAG_DELETED = 1
const TAG_CHARS = 16

/** What the built-in view keeps of a record. Texts have one char a byte. */
export interface RecordEntry {
  readonly deleted: boolean
  /** Of its envelopes. */
  readonly tag: string
  /** Keys of its fields in secondary indexes, by number of the index. */
  readonly emitted: ReadonlyMap<number, string>
}

export const NOTHING_EMITTED: ReadonlyMap<number, string> = new Map()

export function encodeRecordEntry({ deleted, tag, emitted }: RecordEntry): string {
  let text = String.fromCharCode(deleted ? FLAG_DELETED : 0) + tag
  for (const [no, key] of emitted) text += number16(no) + number16(key.length) + key
  return text
}

export function isDeletedEntry(value: string): boolean {
  return value.charCodeAt(0) === FLAG_DELETED
}

export function tagOfEntry(value: string): string {
  return value.slice(1, 1 + TAG_CHARS)
}

export function parseRecordEntry(value: string): RecordEntry {
  let at = 1 + TAG_CHARS
  if (value.length < at) throw badPage()
  let emitted: Map<number, string> | undefined
  while (at < value.length) {
    const length = readNumber16(value, at + 2)
    emitted ??= new Map()
    emitted.set(readNumber16(value, at), value.slice(at + 4, at + 4 + length))
    at += 4 + length
  }
  return { deleted: isDeletedEntry(value), tag: tagOfEntry(value), emitted: emitted ?? NOTHING_EMITTED }
}

/** Value of an entry of a secondary index; its key is the key of the fields followed by that of the id. */
export function encodeIndexEntry(fieldKey: string, tag: string): string {
  return number16(fieldKey.length) + tag
}

export function parseIndexEntry(key: string, value: string): { readonly id: string; readonly tag: string } {
  if (value.length !== 2 + TAG_CHARS) throw badPage()
  return { id: idOfText(key.slice(readNumber16(value, 0))), tag: value.slice(2) }
}

/** What all keys of a collection in the built-in view begin with. */
export function collectionPrefix(collection: string): string {
  const name = bytesKey(Buffer.from(collection))
  return number16(name.length) + name
}

/** The collection and id of a key of the built-in view. */
export function parseRecordKey(key: string): { readonly collection: string; readonly id: string } {
  const end = 2 + readNumber16(key, 0)
  return { collection: Buffer.from(key.slice(2, end), 'latin1').toString(), id: idOfText(key.slice(end)) }
}

/** Undoes `encodeIndexId`. */
function idOfText(text: string): string {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return decodeUnits(text)
  return text
}

function decodeUnits(text: string): string {
  let id = ''
  for (let at = 0; at < text.length;) {
    const first = text.charCodeAt(at)
    const bits = (offset: number): number => text.charCodeAt(at + offset) & 0x3f
    if (first < 0x80) {
      id += String.fromCharCode(first)
      at += 1
    } else if (first < 0xe0) {
      id += String.fromCharCode(((first & 0x1f) << 6) | bits(1))
      at += 2
    } else {
      id += String.fromCharCode(((first & 0x0f) << 12) | (bits(1) << 6) | bits(2))
      at += 3
    }
  }
  return id
}

function number16(value: number): string {
  return String.fromCharCode(value >>> 8, value & 0xff)
}

function readNumber16(text: string, at: number): number {
  return (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1)
}

/** The least text above every text that begins with `prefix`; undefined when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  for (let at = prefix.length - 1; at >= 0; at -= 1) {
    const unit = prefix.charCodeAt(at)
    if (unit < 0xff) return prefix.slice(0, at) + String.fromCharCode(unit + 1)
  }
  return undefined
}

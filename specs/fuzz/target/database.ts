/** Decoders of records, of the files and rows of a database, of what is moved in and out of it, and of mirrors: PROTOCOL §6, §12. */
import { parseChunkId } from '../../../actors/database/chunk/chunk-name.ts'
import { parseHeader } from '../../../actors/database/header.ts'
import { decodeIdentity, encodeIdentity, foundSpace } from '../../../actors/database/identity.ts'
import { InboxSeal, inboxKey, parseInboxKey } from '../../../actors/database/inbox/inbox-row.ts'
import { decodeDirectory, encodeDirectory } from '../../../actors/database/index/directory.ts'
import { decodeIndexState, encodeIndexState } from '../../../actors/database/index/index-state.ts'
import { IndexPage, PageWriter } from '../../../actors/database/index/page.ts'
import {
  encodeIndexEntry,
  encodeRecordEntry,
  parseIndexEntry,
  parseRecordEntry,
  parseRecordKey,
} from '../../../actors/database/index/record-entry.ts'
import { ItemReader } from '../../../actors/database/moving/backup-item.ts'
import { parseLine } from '../../../actors/database/moving/import-line.ts'
import { LineReader } from '../../../actors/database/moving/line-reader.ts'
import { parseFilter } from '../../../actors/database/filter.ts'
import { decodeCursor, encodeCursor } from '../../../actors/database/query/cursor.ts'
import { decodeBody } from '../../../actors/database/record/record-body.ts'
import { readLog } from '../../../actors/replica/disk/level-log.ts'
import { maskedCrc32c } from '../../../actors/replica/disk/crc32c.ts'
import { readManifest } from '../../../actors/replica/disk/level-manifest.ts'
import { parseSharedDatabase } from '../../../actors/topology/group/shared-database.ts'
import { decodeHead, decodeRow, encodeRow } from '../../../actors/topology/guest/mirror-row.ts'
import { parseBoots } from '../../../actors/topology/guest/mirror-seal.ts'
import {
  concatBytes,
  createSimulation,
  decodeCbor,
  encodeCbor,
  isPlainObject,
  nodeCrypto,
} from '../../../runtime/index.ts'
import { messages, record as mirrorRecord } from '../../actors/topology/mirror/mirror-sample.ts'
import type { FuzzTarget } from '../fuzz.ts'
import { vectorBytes } from '../vector-bytes.ts'

const crypto = nodeCrypto
const env = createSimulation(1).env('fuzz')
const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const CHECKSUM_BYTES = 32

/** With the checksum put right, so that the fields are reached. */
function readHeader(bytes: Uint8Array): void {
  const summed = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES))
  parseHeader(concatBytes([summed, crypto.sha256(summed)]), crypto)
}

function readItems(bytes: Uint8Array): void {
  const reader = new ItemReader()
  for (let at = 0; at < bytes.length; at += 50) reader.add(bytes.subarray(at, at + 50), 1)
  reader.end(1)
}

function readLines(bytes: Uint8Array): void {
  const reader = new LineReader()
  for (const line of [...reader.add(bytes), ...reader.end()]) parseLine(line, 'bugs')
}

function readPage(bytes: Uint8Array): void {
  const page = new IndexPage(bytes)
  for (let entry = 0; entry < page.count; entry += 1) {
    page.key(entry)
    page.value(entry)
  }
  page.get('m')
}

function pageOf(entries: readonly (readonly [string, string])[]): Uint8Array {
  let page: Uint8Array = new Uint8Array(0)
  const writer = new PageWriter((_first, bytes) => {
    page = bytes
  })
  for (const [key, value] of entries) writer.add(key, value)
  writer.flush()
  return page
}

/** A log file of one record, whose checksum is right. */
function logOf(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(7 + payload.length)
  bytes[4] = payload.length & 0xff
  bytes[5] = payload.length >> 8
  bytes[6] = 1
  bytes.set(payload, 7)
  new DataView(bytes.buffer).setUint32(0, maskedCrc32c(bytes, 6, bytes.length), true)
  return bytes
}

/** Version edit: comparator, log 3, next file 5, last sequence 9, deleted file 2, new file 4 of 100 bytes. */
const edit = Uint8Array.of(1, 2, 97, 98, 2, 3, 3, 5, 4, 9, 6, 0, 2, 7, 0, 4, 100, 1, 97, 1, 98)

const inbox = new InboxSeal(crypto, fill(32, 1), fill(16, 2))
const noted = inboxKey(1_700_000_000_000, fill(16, 3))

const bodies = ['values', 'one', 'merged', 'removed', 'versioned', 'large'].map((name) =>
  vectorBytes('record', name),
)

const indexState = {
  cursor: 9,
  nextPage: 4,
  obsolete: [1],
  nextNo: 3,
  pieces: 1,
  indexes: [
    {
      no: 1,
      name: 'byAge',
      collection: 'people',
      fields: ['age'],
      unique: false,
      state: 'ready',
      cut: false,
      pieces: 1,
    },
  ],
  counts: [{ collection: 'people', alive: 2, deleted: 1 }],
  held: [{ tag: fill(16, 4), arrival: 8 }],
  shownMs: 1_735_689_600_000,
} as const

const deep = (open: string, close: string, times: number): string =>
  `${open.repeat(times)}1${close.repeat(times)}`
const plain = (value: string): Uint8Array => text(`{"id":"1","a":${value}}`)
const exported = (value: string): Uint8Array => text(`{"collection":"bugs","id":"1","fields":{"a":${value}}}`)

export const databaseTargets: readonly FuzzTarget[] = [
  {
    name: 'CBOR',
    codes: ['BAD_VALUE'],
    decode: (bytes) => decodeCbor(bytes),
    seeds: [encodeCbor({ a: [1, -2.5, 'ü', null, true, fill(3, 1)], b: { c: new Date(5) } })],
    hostile: [
      fill(60_000, 0x81),
      fill(60_000, 0xa1),
      Uint8Array.of(0x9b, ...fill(8, 0xff)),
      Uint8Array.of(0x5b, 0, 0, 0, 0, 0x7f, 255, 255, 255),
    ],
  },
  {
    name: 'body of a record',
    codes: ['BAD_VALUE'],
    decode: (bytes) => decodeBody(bytes, { life: 1, deleted: false }),
    seeds: bodies,
  },
  {
    name: 'body of a deletion',
    codes: ['BAD_VALUE'],
    decode: (bytes) => decodeBody(bytes, { life: 1, deleted: true }),
    seeds: [vectorBytes('record', 'deleted')],
  },
  {
    name: 'header of a database',
    codes: ['PROTOCOL_VIOLATION'],
    decode: readHeader,
    seeds: [vectorBytes('moving', 'header')],
  },
  {
    name: 'identity in a header',
    codes: ['BAD_VALUE'],
    decode: decodeIdentity,
    seeds: [encodeIdentity(foundSpace({ crypto, env }))],
  },
  {
    name: 'items of a backup',
    codes: ['BACKUP_INVALID'],
    decode: readItems,
    seeds: [vectorBytes('moving', 'items')],
  },
  {
    name: 'lines of an import',
    codes: ['IMPORT_INVALID'],
    decode: readLines,
    seeds: [
      text(
        '{"collection":"bugs","id":"1","fields":{"at":{"$date":"2026-01-01T00:00:00.000Z"},"n":{"$number":"NaN"}}}\n',
      ),
      text(
        '{"title":"é","tags":["a",{"$bytes":"AAEC"}],"big":{"$bigint":"9007199254740993"}}\n{"n":1.5e3}\n',
      ),
    ],
    hostile: [plain, exported].flatMap((line) => [
      line(deep('[', ']', 50_000)),
      line(deep('{"a":', '}', 20_000)),
      line(deep('{"$map":', '}', 20_000)),
      line('9'.repeat(60_000)),
    ]),
    bytesMax: 262_144,
  },
  {
    name: 'page of an index',
    codes: ['DAMAGED'],
    decode: readPage,
    seeds: [
      pageOf([
        ['a', 'one'],
        ['b', ''],
        ['m', 'x'.repeat(200)],
      ]),
    ],
  },
  {
    name: 'directory of an index',
    codes: ['DAMAGED', 'PROTOCOL_VIOLATION'],
    decode: decodeDirectory,
    seeds: [
      encodeDirectory([
        { first: '', page: 1 },
        { first: 'k', page: 2 },
      ]),
    ],
  },
  {
    name: 'state of the indexes',
    codes: ['BAD_VALUE'],
    decode: decodeIndexState,
    seeds: [encodeIndexState(indexState)],
  },
  {
    name: 'entry of a record in an index',
    codes: ['DAMAGED'],
    decode: (bytes) => parseRecordEntry(latin(bytes)),
    seeds: [
      Buffer.from(
        encodeRecordEntry({ deleted: false, tag: 't'.repeat(16), emitted: new Map([[1, 'key']]) }),
        'latin1',
      ),
    ],
  },
  {
    name: 'entry of a secondary index',
    codes: ['DAMAGED'],
    decode: (bytes) => parseIndexEntry('key\u00c3\u00a9', latin(bytes)),
    seeds: [Buffer.from(encodeIndexEntry('key', 't'.repeat(16)), 'latin1')],
  },
  {
    name: 'key of a record in an index',
    codes: ['DAMAGED'],
    decode: (bytes) => parseRecordKey(latin(bytes)),
    seeds: [Uint8Array.of(0, 4, ...text('bugs'), ...text('id-1'))],
  },
  { name: 'key of an inbox row', codes: ['DAMAGED'], decode: parseInboxKey, seeds: [noted] },
  {
    name: 'row of the inbox',
    codes: ['DAMAGED', 'BAD_VALUE'],
    decode: (bytes) => inbox.open(noted, bytes),
    seeds: [
      inbox.seal(noted, {
        collection: 'bugs',
        recordId: '1',
        field: 'title',
        value: 'old',
        lost: { ms: 1, counter: 0, writer: fill(8, 1) },
        won: { ms: 2, counter: 0, writer: fill(8, 2) },
      }),
    ],
  },
  {
    name: 'id of a chunk',
    codes: [],
    decode: (bytes) => parseChunkId(latin(bytes)),
    seeds: [text(`${'ab'.repeat(16)}-00000001`)],
  },
  {
    name: 'cursor of a page',
    codes: ['TypeError'],
    decode: (bytes) => decodeCursor(Buffer.from(bytes).toString('latin1')),
    seeds: [
      text(
        encodeCursor({
          collection: 'bugs',
          order: [
            { field: 'n', direction: 'asc' },
            { field: 'id', direction: 'asc' },
          ],
          place: { values: [4], id: '1' },
        }),
      ),
    ],
  },
  {
    name: 'filter',
    codes: ['TypeError', 'BAD_VALUE', 'TOO_LARGE'],
    decode: (bytes) => parseFilter(parseJson(Buffer.from(bytes).toString('utf8')), 'filter'),
    seeds: [
      text(
        '{"and":[{"field":"a.b","op":">=","value":[1,null]},{"not":{"or":[{"field":"c","op":"in","value":["x","y"]}]}}]}',
      ),
    ],
    hostile: [text(`${'{"not":'.repeat(20_000)}1${'}'.repeat(20_000)}`)],
  },
  {
    name: 'log of LevelDB',
    codes: [],
    decode: (bytes) => readLog(bytes, () => undefined),
    seeds: [concatBytes([logOf(edit), logOf(fill(300, 4))])],
  },
  {
    name: 'version edit of LevelDB',
    codes: [],
    decode: (bytes) => readManifest(logOf(bytes)),
    seeds: [edit],
    bytesMax: 30_000,
  },
  {
    name: 'row of a copy',
    codes: ['DAMAGED'],
    decode: decodeRow,
    seeds: [encodeRow({ pass: 1, state: mirrorRecord })],
  },
  {
    name: 'head of a copy',
    codes: ['DAMAGED'],
    decode: decodeHead,
    seeds: [vectorBytes('mirror', 'copyHead')],
  },
  {
    name: 'boots of a copy',
    codes: [],
    decode: (bytes) => parseBoots(bytes, { crypto, key: vectorBytes('mirror', 'copyKey') }),
    seeds: [vectorBytes('mirror', 'copyBoots')],
  },
  {
    name: 'entry of a shared database',
    codes: [],
    decode(bytes) {
      const json = parseJson(Buffer.from(bytes).toString('utf8'))
      return isPlainObject(json) ? parseSharedDatabase(json) : undefined
    },
    seeds: [
      text(
        `{"database":"bugs","app":"a","space":"${'0a'.repeat(16)}","pid":7,"policy":"${'0b'.repeat(16)}","grants":{"bugs":"readOnly"}}`,
      ),
    ],
  },
  ...messages.map(({ name, bytes, parse }): FuzzTarget => ({
    name: `mirror: ${name}`,
    codes: ['PROTOCOL_VIOLATION'],
    decode: parse,
    seeds: [bytes],
  })),
]

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // Whoever reads the file refuses it there.
    return undefined
  }
}

/** One message of each kind, from fixed bytes; for vectors, truncations and mutations. */
import type { RecordState } from '../../../../actors/database/index.ts'
import {
  encodeAttach,
  encodeAttached,
  encodeChanges,
  encodeItem,
  encodeMirrorAnswer,
  encodeMirrorWrite,
  parseAttach,
  parseAttached,
  parseChanges,
  parseMirrorAnswer,
  parseMirrorWrite,
} from '../../../../actors/topology/mirror/index.ts'
import type { Attach, Attached, MirrorItem, MirrorWrite } from '../../../../actors/topology/mirror/index.ts'
import { Uuid } from '../../../../runtime/index.ts'

export const count = (length: number, from: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => from + at)

export const attach: Attach = {
  mode: 'readWrite',
  pid: 4_294_967_295,
  database: 'bügs',
  cursor: {
    policy: count(16, 0x10),
    space: count(16, 0x20),
    incarnation: count(16, 0x30),
    arrival: 0x0102_0304_0506,
  },
}

export const attached: Attached = {
  space: count(16, 0x20),
  home: count(16, 0x40),
  policy: count(16, 0x10),
  incarnation: count(16, 0x30),
  lastArrival: 0x0a0b_0c0d,
  full: true,
  readOnly: false,
  collections: ['bugs', 'people'],
}

const early = { ms: 1_700_000_000_000, counter: 1, writer: count(8, 0x50) }
const late = { ms: 1_700_000_000_001, counter: 0, writer: count(8, 0x58) }

export const record: RecordState = {
  collection: 'bugs',
  id: 'b-1',
  home: count(16, 0x40),
  life: 2,
  deleted: undefined,
  fields: new Map([
    ['title', { value: 'crash on ☕', stamp: early }],
    ['votes', { value: 7, stamp: late }],
    ['gone', { value: undefined, stamp: late }],
  ]),
}

export const items: readonly MirrorItem[] = [
  { kind: 'record', tag: count(16, 0x60), state: record },
  { kind: 'deleted', tag: count(16, 0x70) },
  { kind: 'retracted', tag: count(16, 0x80) },
]

export const changesHead = { caughtUp: true, upTo: 77, cursor: 70 }

export const write: MirrorWrite = {
  step: 'update',
  collection: 'bugs',
  inputs: [
    {
      id: 'b-1',
      values: new Map<string, MirrorValue>([
        ['title', 'new'],
        ['votes', undefined],
      ]),
    },
    { id: 'b-2', values: new Map<string, MirrorValue>([['owner', new Uuid(count(16, 0x90))]]) },
  ],
}

export const deletion: MirrorWrite = {
  step: 'delete',
  collection: 'bugs',
  inputs: [{ id: 'b-1', values: new Map() }],
}

type MirrorValue = string | Uuid | undefined

/** Whole messages by name, with their parser. */
export const messages: readonly { name: string; bytes: Uint8Array; parse: (bytes: Uint8Array) => unknown }[] =
  [
    { name: 'attach', bytes: encodeAttach(attach), parse: parseAttach },
    {
      name: 'attachFresh',
      bytes: encodeAttach({ ...attach, mode: 'readOnly', pid: 7, cursor: undefined }),
      parse: parseAttach,
    },
    { name: 'attached', bytes: encodeAttached(attached), parse: parseAttached },
    { name: 'changes', bytes: encodeChanges(changesHead, items.map(encodeItem)), parse: parseChanges },
    {
      name: 'changesNone',
      bytes: encodeChanges({ caughtUp: false, upTo: 5, cursor: 5 }, []),
      parse: parseChanges,
    },
    { name: 'mirrorWrite', bytes: encodeMirrorWrite(write), parse: parseMirrorWrite },
    { name: 'mirrorDelete', bytes: encodeMirrorWrite(deletion), parse: parseMirrorWrite },
    {
      name: 'mirrorAnswer',
      bytes: encodeMirrorAnswer({ arrival: 78, existed: true, hidden: [] }),
      parse: parseMirrorAnswer,
    },
    {
      name: 'mirrorAnswerHidden',
      bytes: encodeMirrorAnswer({
        arrival: 79,
        existed: true,
        hidden: [{ index: 1, tag: count(16, 0x60), life: 2 }],
      }),
      parse: parseMirrorAnswer,
    },
  ]

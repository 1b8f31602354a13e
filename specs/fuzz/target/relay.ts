/** Decoders of what relays say to one another and of what a replica stores: PROTOCOL §2 to §6.1, §10, §14. */
import {
  parseAck,
  parseBlobs,
  parseData,
  parseHello,
  parseMark,
  parseSpoiled,
  parseVector,
} from '../../../actors/relay/message.ts'
import {
  encodeScrubAnswer,
  encodeScrubAsk,
  parseScrubAnswer,
  parseScrubAsk,
} from '../../../actors/relay/scrub-frame.ts'
import { parseCommitItem } from '../../../actors/replica/commit.ts'
import { parseEnvelope } from '../../../actors/replica/envelope.ts'
import { parseRebase } from '../../../actors/replica/rebase/rebase.ts'
import { parseItems } from '../../../actors/replica/round/part.ts'
import {
  parseBatch,
  parseCommitRow,
  parseConfirmed,
  parseCursor,
  parseIncarnations,
  parseSoundness,
  parseTagRow,
  parseVectorRow,
} from '../../../actors/replica/row.ts'
import { parseScrubNodes, parseScrubPrefixes, parseScrubTags } from '../../../actors/replica/scrub-message.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import type { FuzzTarget } from '../fuzz.ts'
import { vectorBytes } from '../vector-bytes.ts'

const crypto = nodeCrypto

function target(
  name: string,
  decode: (bytes: Uint8Array) => unknown,
  file: 'relay' | 'replica',
  ...paths: readonly string[]
): FuzzTarget {
  return { name, codes: ['PROTOCOL_VIOLATION'], decode, seeds: paths.map((path) => vectorBytes(file, path)) }
}

/** One that compares lists with a signed hash too. */
function signed(...options: Parameters<typeof target>): FuzzTarget {
  return { ...target(...options), codes: ['PROTOCOL_VIOLATION', 'BAD_SIGNATURE'] }
}

const tag = vectorBytes('replica', 'keyTag').subarray(1)
const vectorRowKey = vectorBytes('replica', 'keyVector')

const nodes = [{ depth: 0, nibbles: 0, count: 3, sum: new Uint8Array(16).fill(7) }] as const
const leaf = { depth: 4, nibbles: 9 }
const sixteen = new Uint8Array(16).fill(5)

export const relayTargets: readonly FuzzTarget[] = [
  {
    name: 'question of a scrub',
    codes: ['PROTOCOL_VIOLATION'],
    decode: parseScrubAsk,
    seeds: [
      encodeScrubAsk({ kind: 'root', node: nodes[0] }),
      encodeScrubAsk({ kind: 'nodes', prefixes: [leaf, { depth: 1, nibbles: 3 }] }),
      encodeScrubAsk({ kind: 'leaves', lists: [{ leaf, tags: [{ tag: sixteen, sum: sixteen }] }] }),
      encodeScrubAsk({ kind: 'verify' }),
    ],
  },
  {
    name: 'answer of a scrub',
    codes: ['PROTOCOL_VIOLATION'],
    decode: parseScrubAnswer,
    seeds: [
      encodeScrubAnswer({ kind: 'same' }),
      encodeScrubAnswer({ kind: 'nodes', nodes }),
      encodeScrubAnswer({ kind: 'tags', tags: [sixteen] }),
      encodeScrubAnswer({ kind: 'verify' }),
    ],
  },
  target('hello of a relay', parseHello, 'relay', 'hello', 'helloWithoutCursor', 'helloOfMisfit'),
  target('blobs', parseBlobs, 'relay', 'blobs'),
  target('vector', parseVector, 'relay', 'vector'),
  target('data', parseData, 'relay', 'data', 'dataInTheMiddle'),
  target('ack', parseAck, 'relay', 'ack', 'ackOfMisfit'),
  target('spoiled', parseSpoiled, 'relay', 'spoiled'),
  target('mark', parseMark, 'relay', 'mark'),
  target('items of a part', parseItems, 'replica', 'items'),
  target('envelope', (bytes) => parseEnvelope(bytes, crypto), 'replica', 'envelope', 'tombstone'),
  signed(
    'commit',
    (bytes) => parseCommitItem(bytes, crypto),
    'replica',
    'commitItem',
    'commitItemSecondBlockOf65',
  ),
  target('scrub prefixes', parseScrubPrefixes, 'replica', 'scrubPrefixes'),
  target('scrub nodes', parseScrubNodes, 'replica', 'scrubNodes'),
  target('scrub tags', parseScrubTags, 'replica', 'scrubTags'),
  target('row of a tag', (bytes) => parseTagRow(bytes, tag, crypto), 'replica', 'rowTag'),
  signed('row of a commit', (bytes) => parseCommitRow(bytes, crypto), 'replica', 'rowCommit'),
  target('row of a vector', (bytes) => parseVectorRow(vectorRowKey, bytes), 'replica', 'rowVector'),
  target('row of a cursor', parseCursor, 'replica', 'rowCursor'),
  target('row of a batch', parseBatch, 'replica', 'rowBatch'),
  target('row of incarnations', parseIncarnations, 'replica', 'rowIncarnations'),
  target('row of soundness', parseSoundness, 'replica', 'rowSoundness'),
  target('row of what is confirmed', parseConfirmed, 'replica', 'rowConfirmed'),
  target('row of a rebase', parseRebase, 'replica', 'rowRebaseOfDevice', 'rowRebaseOfRelay'),
]

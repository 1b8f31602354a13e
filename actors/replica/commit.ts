/**
 * The signed record of one batch of writes of one replica (PROTOCOL §3), and its wire form with the hashes of some blocks.
 * Invariant: a `CommitRecord` is well formed; whether it is genuine says `verifyCommit` alone.
 */
import {
  assert,
  BlazeError,
  ByteReader,
  ByteWriter,
  concatBytes,
  equalBytes,
  limits,
} from '../../runtime/index.ts'
import type { CryptoProvider, Signer } from '../../runtime/index.ts'
import { ENVELOPE_HASH_BYTES } from './envelope.ts'

const VERSION = 1
const HASH_BYTES = 32
const SIGNATURE_BYTES = 64
const DOMAIN = new TextEncoder().encode('blazedb/commit/1')

export interface CommitFields {
  readonly replicaId: Uint8Array
  readonly bootId: Uint8Array
  readonly firstSeqOfBoot: number
  readonly firstSeq: number
  readonly count: number
  /** Hash of this replica's previous commit, zeros for the first. */
  readonly previous: Uint8Array
  readonly blocks: readonly Uint8Array[]
}

export class CommitRecord implements CommitFields {
  readonly bytes: Uint8Array
  readonly replicaId: Uint8Array
  readonly bootId: Uint8Array
  readonly firstSeqOfBoot: number
  readonly firstSeq: number
  readonly count: number
  readonly previous: Uint8Array
  readonly blocks: readonly Uint8Array[]
  readonly #crypto: CryptoProvider
  #hash: Uint8Array | undefined

  constructor(bytes: Uint8Array, fields: CommitFields, crypto: CryptoProvider) {
    this.bytes = bytes
    this.replicaId = fields.replicaId
    this.bootId = fields.bootId
    this.firstSeqOfBoot = fields.firstSeqOfBoot
    this.firstSeq = fields.firstSeq
    this.count = fields.count
    this.previous = fields.previous
    this.blocks = fields.blocks
    this.#crypto = crypto
  }

  get lastSeq(): number {
    return this.firstSeq + this.count - 1
  }

  /** SHA-256 of the record: what vectors name. */
  get hash(): Uint8Array {
    this.#hash ??= this.#crypto.sha256(this.bytes)
    return this.#hash
  }

  /** Bytes of the envelope hashes of a block. */
  listBytes(block: number): number {
    const before = block * limits.commitBlockEnvelopesMax
    return Math.min(this.count - before, limits.commitBlockEnvelopesMax) * ENVELOPE_HASH_BYTES
  }

  /** Which block holds a seq of this commit. */
  blockOf(seq: number): number {
    return Math.floor((seq - this.firstSeq) / limits.commitBlockEnvelopesMax)
  }

  /** The hash of a seq's envelope inside the list of its block. */
  hashIn(list: Uint8Array, seq: number): Uint8Array {
    const at = ((seq - this.firstSeq) % limits.commitBlockEnvelopesMax) * ENVELOPE_HASH_BYTES
    return list.subarray(at, at + ENVELOPE_HASH_BYTES)
  }
}

/** Signs a batch of this device. `hashes` are the envelope hashes in order of seq. */
export function signCommit(
  fields: Omit<CommitFields, 'count' | 'blocks'>,
  hashes: readonly Uint8Array[],
  by: { readonly spaceId: Uint8Array; readonly signer: Signer; readonly crypto: CryptoProvider },
): { record: CommitRecord; lists: Uint8Array[] } {
  const count = hashes.length
  assert(count >= 1 && count <= limits.commitEnvelopesMax, `a commit of ${count} envelopes`)
  const lists: Uint8Array[] = []
  for (let at = 0; at < count; at += limits.commitBlockEnvelopesMax) {
    lists.push(concatBytes(hashes.slice(at, at + limits.commitBlockEnvelopesMax)))
  }
  const all = { ...fields, count, blocks: lists.map((list) => by.crypto.sha256(list)) }
  const unsigned = encodeUnsigned(all)
  const signature = by.signer.sign(concatBytes([DOMAIN, by.spaceId, unsigned]))
  return { record: new CommitRecord(concatBytes([unsigned, signature]), all, by.crypto), lists }
}

function encodeUnsigned(fields: CommitFields): Uint8Array {
  const writer = new ByteWriter(128 + fields.blocks.length * HASH_BYTES)
  writer.u8(VERSION).bytes(fields.replicaId).bytes(fields.bootId)
  writer.u48(fields.firstSeqOfBoot).u48(fields.firstSeq).u16(fields.count)
  writer.bytes(fields.previous).u8(fields.blocks.length)
  for (const block of fields.blocks) writer.bytes(block)
  return writer.finish()
}

export function verifyCommit(
  record: CommitRecord,
  spaceId: Uint8Array,
  device: { verify(message: Uint8Array, signature: Uint8Array): boolean },
): boolean {
  const end = record.bytes.length - SIGNATURE_BYTES
  return device.verify(
    concatBytes([DOMAIN, spaceId, record.bytes.subarray(0, end)]),
    record.bytes.subarray(end),
  )
}

/** Reads one record; what follows it is the caller's. Keeps views. `PROTOCOL_VIOLATION` when it is not well formed. */
export function readCommit(reader: ByteReader, crypto: CryptoProvider): CommitRecord {
  const start = reader.position
  const version = reader.u8()
  if (version !== VERSION) throw reader.violation(`unknown version ${version}`)
  const head = {
    replicaId: reader.bytes(8),
    bootId: reader.bytes(16),
    firstSeqOfBoot: reader.u48(),
    firstSeq: reader.u48(),
    count: reader.u16(),
    previous: reader.bytes(HASH_BYTES),
  }
  if (head.firstSeqOfBoot < 1 || head.firstSeqOfBoot > head.firstSeq)
    throw reader.violation('a first seq out of order')
  if (head.count < 1 || head.count > limits.commitEnvelopesMax)
    throw reader.violation(`${head.count} envelopes`)
  const count = reader.u8()
  if (count !== Math.ceil(head.count / limits.commitBlockEnvelopesMax))
    throw reader.violation(`${count} blocks`)
  const blocks: Uint8Array[] = []
  while (blocks.length < count) blocks.push(reader.bytes(HASH_BYTES))
  reader.skip(SIGNATURE_BYTES)
  return new CommitRecord(reader.since(start), { ...head, blocks }, crypto)
}

/** Envelope hashes by block, undefined for a block that is not there. */
export type BlockLists = readonly (Uint8Array | undefined)[]

/** Wire form with the lists that are given. */
export function encodeCommitItem(record: CommitRecord, lists: BlockLists): Uint8Array {
  const writer = new ByteWriter(record.bytes.length + 4 + record.count * ENVELOPE_HASH_BYTES)
  writer.bytes(record.bytes)
  let bitmap = 0
  for (const [block, list] of lists.entries()) if (list !== undefined) bitmap |= 1 << block
  writer.u32(bitmap >>> 0)
  for (const list of lists) if (list !== undefined) writer.bytes(list)
  return writer.finish()
}

/** Parses the wire form; every list hashes to its block. `PROTOCOL_VIOLATION` for its shape, `BAD_SIGNATURE` for a list. */
export function parseCommitItem(
  bytes: Uint8Array,
  crypto: CryptoProvider,
): { record: CommitRecord; lists: BlockLists } {
  const reader = new ByteReader(bytes, 'commit')
  const record = readCommit(reader, crypto)
  const bitmap = reader.u32()
  if (bitmap >= 2 ** record.blocks.length) throw reader.violation('a bitmap wider than its blocks')
  const lists: (Uint8Array | undefined)[] = []
  for (let block = 0; block < record.blocks.length; block += 1) {
    lists.push((bitmap >>> block) & 1 ? readBlockList(reader, record, block, crypto) : undefined)
  }
  reader.end()
  return { record, lists }
}

/** Reads the envelope hashes of one block and compares them with the record. */
export function readBlockList(
  reader: ByteReader,
  record: CommitRecord,
  block: number,
  crypto: CryptoProvider,
): Uint8Array {
  const list = reader.bytes(record.listBytes(block))
  if (!equalBytes(crypto.sha256(list), record.blocks[block] ?? list)) {
    throw new BlazeError(
      'BAD_SIGNATURE',
      `commit: the hashes of block ${block} are not those that were signed`,
    )
  }
  return list
}

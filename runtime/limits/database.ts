/** Bounds of records, queries, indexes, transactions, schemas and of moving data. Each row has its unit and reason. */
export const databaseLimits = {
  // Database.
  /** Bytes of CBOR of one record: with its length it pads to 63,488, the last PADMÉ length below 64 KiB of sealed body. */
  recordCborBytesMax: 63_484,
  /** Longest byte value that a record holds itself, and bytes of a chunk of a longer one (REPLICATION rule 30). */
  chunkBytes: 49_152,
  /** Bytes of the large values of one record together: 64 MiB, 1,366 chunks. */
  largeBytesMax: 67_108_864,
  /** Bytes of large values that wait to be stored at once, per database. */
  largeWaitingBytesMax: 268_435_456,
  /** Bytes of large values of one answer: they are whole in memory. */
  largeAnswerBytesMax: 268_435_456,
  /** Chunks of one synced batch while a large value is stored: 384 KiB, so that other writes wait for a few milliseconds. */
  chunksPerBatch: 8,
  /** Milliseconds after which chunks that no record refers to any more are deleted: a day. */
  chunkKeptMs: 86_400_000,
  /** Milliseconds between two looks for such chunks at least, and before the first one after an opening. */
  chunkSweepMs: 3_600_000,
  chunkSweepFirstMs: 60_000,
  /** UTF-8 bytes of a collection's name. */
  collectionNameBytesMax: 128,
  /** UTF-8 bytes of a record's id. */
  recordIdBytesMax: 255,
  /** Characters of a database's name. */
  openNameCharsMax: 128,
  /** Messages that wait for a database: a burst of single inserts, each of which is one. */
  databaseMailMax: 65_536,
  /** Estimated bytes of decoded records kept in memory per database. */
  recordCacheBytesMax: 33_554_432,
  /** Seal keys kept ready; there is one per opening of each replica. */
  sealKeysMax: 1024,
  /** What one opening of a database may add to one counter, either way: as many as a record has room for stay within 64 bits. */
  counterSumMax: 1_125_899_906_842_624,
  /** Milliseconds that a stamp may lead the wall clock before its envelope is held (REPLICATION rule 15). */
  clockAheadMsMax: 300_000,
  /** Lives of one id; a higher number is a forgery and is held. */
  livesMax: 4_294_967_296,
  /** Records of one chunk of a bulk write, a few milliseconds of work between turns of the event loop. */
  bulkChunkRecords: 256,
  /** Chunks of one bulk write that wait for their sync at once. */
  bulkChunksInFlight: 4,
  /** Records that a query looks at between turns of the event loop. */
  scanSliceRecords: 512,
  /** Conditions of one query, and of one filter. */
  queryConditionsMax: 64,
  /** Fields of one order, of one `select` and of one `groupBy`, and results of one `aggregate`. */
  queryFieldsMax: 64,
  /** Records that a query sorts in memory: some 100 MB with records of 1 KB. */
  querySortedMax: 100_000,
  /** Groups of one `groupBy`. */
  queryGroupsMax: 10_000,
  /** Ranges of one index that a query with `in` walks, one after the other. */
  queryRangesMax: 64,
  /** Records of a page when the query names no limit. */
  queryPageRecords: 100,
  /** Records of its collection that change while a query walks along an index, each of which it reads again at the end. */
  queryChangedMax: 65_536,
  /** Characters of a cursor: the values of one record in base64, and some more. */
  queryCursorCharsMax: 131_072,
  /** Levels of `and`, `or` and `not` of a filter; it is checked and evaluated on the stack. */
  filterDepthMax: 16,

  // Database: indexes.
  /** Bytes of an index page before it is sealed, so that the row has at most 16 KiB. */
  indexPageBytes: 16_346,
  /** Bytes below which a page is merged with the one after it; a quarter, so that pages neither thrash nor stay nearly empty. */
  indexPageBytesMin: 4_096,
  /** Pages kept decrypted per database: 4 MiB. */
  indexPagesCachedMax: 256,
  /** Changed entries of an index in memory at which they are merged into its pages. */
  indexDeltaEntries: 65_536,
  /** Bytes of pages that one batch of a merge writes, so that a commit that shares it waits for a few milliseconds. */
  indexBatchBytes: 262_144,
  /** Bytes of one piece of an index's directory or state. */
  indexPieceBytes: 16_000,
  /** Indexes of one collection, the one by id not counted. */
  indexesPerCollectionMax: 16,
  /** Fields of one index. */
  indexFieldsMax: 8,
  /** Bytes of the values in an index key; what is longer is cut, and its order is no longer exact. */
  indexKeyBytesMax: 256,
  /** Indexes of one database. */
  indexesMax: 1_024,
  /** Rows of a full scan that are read at a time, beside those that are looked at; 256 of the largest take 16 MiB. */
  scanAheadRows: 256,
  /** Arrivals that an opening replays into the indexes before it resolves; more are replayed behind it. */
  indexReplayAtOpenMax: 4_096,
  /** Transactions of one database that are under way; every write looks at each of them. */
  transactionsMax: 1024,
  /** Records that one transaction may read, and collections that it may query. */
  transactionReadsMax: 65_536,
  /** Attempts at one transaction that others keep changing the ground of; each waits longer than the one before. */
  transactionAttemptsMax: 16,
  /** Milliseconds before the second attempt, doubling, with full jitter. */
  transactionBackoffFirstMs: 1,
  /** Longest such wait, in milliseconds. */
  transactionBackoffMaxMs: 250,
  /** Entries of the conflict inbox, dismissed ones included; the oldest goes first. */
  inboxEntriesMax: 4_096,
  /** Bytes of their rows. */
  inboxBytesMax: 8_388_608,
  /** Milliseconds that a lost value is kept: 30 days (DESIGN §6). */
  inboxKeptMs: 2_592_000_000,
  /** Rows of the inbox that an opening reads at a time. */
  inboxPageRows: 256,
  /** Entries that one `conflicts()` returns when the caller names no number, and at most. */
  inboxListed: 100,
  inboxListedMax: 1_000,
  /** Milliseconds that a schema of the application may take for one document. */
  schemaMs: 10_000,
  /** Issues of a document that its error names; the rest is counted. */
  schemaIssuesMax: 32,
  /** Segments of the path of such an issue that are told. */
  schemaPathMax: 16,
  /** Characters of each segment, and of the message of an issue. */
  schemaTextCharsMax: 256,
  /** Live queries of one database. */
  liveQueriesMax: 1024,
  /** Milliseconds between attempts to reopen a store that failed. */
  reopenDelayMs: 1_000,
  /** Bytes of a database's sealed identity. */
  identityBytesMax: 1_048_576,

  // Moving data.
  /** Bytes of plaintext of one frame of a backup that is written; large enough to cost nothing, small enough to show progress. */
  backupFrameBytes: 262_144,
  /** Bytes of a sealed frame of a backup that is read. */
  backupFrameBytesMax: 1_048_576,
  /** Bytes of one item of a backup: a tag row of 255 siblings of the largest size, with room to spare. */
  backupItemBytesMax: 33_554_432,
  /** Rows of commits and tags read at a time for a backup; some are large. */
  backupPageRows: 128,
  /** Milliseconds after which a file that nobody goes on writing counts as left behind: its process was killed. */
  leftFileMs: 600_000,
  /** Bytes of rows that a restore writes in one synced batch. */
  restoreBatchBytes: 1_048_576,
  /** Bytes of one line that is imported; a record with the largest byte values fits, however it is written. */
  importLineBytesMax: 100_663_296,
  /** Bytes read of a file that is imported, or written to one that is exported, at a time. */
  movingPieceBytes: 262_144,
  /** Bytes of lines that wait for the other records of their chunk; a file may change its collection from line to line. */
  importWaitingBytesMax: 8_388_608,
} as const

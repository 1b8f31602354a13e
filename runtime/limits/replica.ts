/** Bounds of envelopes, of rows of a store, of what a replica keeps in memory, and of a team. Each row has its unit and reason. */
export const replicaLimits = {
  // Replica: envelopes and commits (PROTOCOL §2, §3).
  /** Bytes of a sealed body with its tag; larger values will be chunks. */
  envelopeBodyBytesMax: 65_536,
  /** Entries of a context; replicas that wrote one tag at the same time are few. */
  envelopeContextsMax: 64,
  /** Envelopes of one commit that a peer may send. */
  commitEnvelopesMax: 1024,
  /** Sealed bytes of one commit that stands for a transaction (REPLICATION rule 5); half of the largest part, so that it travels whole. */
  commitBytesMax: 2_097_152,
  /** Bytes of one part (REPLICATION rule 12), which only a single tag may exceed; most are closed far below. */
  partBytesMax: 4_194_304,
  /** Envelopes of one block of a commit, and of one ordinary own commit: one block dies with its records. */
  commitBlockEnvelopesMax: 32,

  // Replica: rows that would otherwise grow for ever (PROTOCOL §6.1).
  /** Incarnations kept, each with its first arrival; a cursor into an older one falls back to vectors. */
  incarnationsMax: 64,
  /** Own heads of one opening that nobody was shown, kept because the next round may show them. */
  ownHeadsMax: 4_096,
  /** Own heads that peers may show, kept to compare; only openings that never reach a peer add to them. */
  ownHeadsKeptMax: 65_536,
  /** Tags whose writes are made again in one batch of a rebase; at most 16 MiB of the largest envelopes. */
  reissuedTagsMax: 256,
  /** Replica ids of others that are known to have two histories, until their devices have left them. */
  contestedHeadsMax: 256,
  /** Own heads that every peer has confirmed, kept for a peer that was restored from an older copy and shows one of them. */
  ownHeadsConfirmedMax: 256,
  /** Rows of heads that one batch removes. */
  ownHeadsDroppedMax: 64,
  /** Bytes of the newest batches whose records are kept: the two logs of LevelDB hold a write buffer and a batch each, so 4 MiB. */
  batchRecordsBytes: 6_291_456,
  /** Batch records kept in any case. */
  batchRecordsMin: 64,
  /** Bytes that a smaller batch counts for, so that at most 24,576 records are kept; LevelDB's own overhead makes it true. */
  batchWeightBytesMin: 256,
  /** Bytes that a larger batch counts for, so that it does not push out the records of its neighbours in the same log. */
  batchWeightBytesMax: 1_048_576,
  /** Batch records that one batch removes. */
  batchRecordsDroppedMax: 64,
  /** Newest arrivals whose tags an opening looks up: a torn batch would show there. */
  tailArrivalsMax: 1_024,

  // Replica: memory.
  /** Bytes of staged envelopes above which further writes are refused; about ten seconds of a slow disk. */
  stagedBytesMax: 67_108_864,
  /** Tag rows kept parsed: a writer looks a record up, then writes it. */
  tagRowsCachedMax: 1024,
  /** Bytes that those rows may hold together; a row above its even share is not kept. */
  tagRowsCachedBytesMax: 4_194_304,
  /** Commit rows kept parsed; a burst of overwrites touches neighbours. */
  commitRowsCachedMax: 256,
  /** Recent arrivals kept in memory, so that a live round needs no iterator. */
  recentArrivalsMax: 1024,
  /** Rows fetched from the store at a time; about 1 MiB of common records. */
  rangeRowsMax: 1024,
  /** Bytes an iterator fetches ahead; the default of LevelDB makes ten times as many trips. */
  rangeBytesMax: 1_048_576,
  /** Milliseconds after which a store is verified again: a disk that rots should be found while a backup of last week is sound. */
  verifyEveryMs: 86_400_000,
  /** Milliseconds after an opening before the pass that is due begins, so that the app starts first. */
  verifyDelayMs: 5_000,
  /** Rows that a pass reads between two breaks: about a millisecond. */
  verifyPageRows: 256,
  /** The same while it verifies signatures: some milliseconds. */
  verifySignedPageRows: 32,
  /** Times as long as it worked that a pass in the background rests. */
  verifyRestFactor: 9,
  /** Milliseconds of work that a rest counts at most: what a sleeping machine adds is no work. */
  verifyPageMsMax: 100,
  /** Commits whose live envelopes are counted in one pass over a damaged store; about 25 MiB. */
  salvagedCommitsMax: 131_072,
  /** Problems of a damaged store that its error names; the rest is counted. */
  damagesNamedMax: 16,

  // Replica: LevelDB of one store, small because a Pi may have 32 of them open.
  /** Bytes of the write buffer; two may exist at once: 64 MiB for 32 stores. Larger ones leave more dead rows on the disk. */
  levelWriteBufferBytes: 1_048_576,
  /** Bytes of the block cache: tables are mapped, and mapped blocks are not cached. */
  levelCacheBytes: 1_048_576,
  /** Bytes of free space that a store keeps in reserve: LevelDB needs that much to compact, and so to give room back. */
  diskReserveBytes: 67_108_864,
  /** The reserve of a small disk is this part of it. */
  diskReserveShare: 4,
  /** Milliseconds for which a measure of the free space counts; each costs a few microseconds. */
  spaceCheckMs: 100,
  /** Bytes written for which it counts; a small part of the reserve. */
  spaceCheckBytes: 4_194_304,
  /** Bytes of the newest tables that an opening reads whole: some tens of milliseconds, and all of a small store. */
  openedTableBytes: 8_388_608,
  /** Tables behind those whose frames an opening looks at: their indexes and filters, which LevelDB reads without a check. */
  openedTableFramesMax: 256,
  /** Bytes read whole after a session that did not close; then the frames of all others are looked at. */
  suspectTableBytes: 67_108_864,
  /** Milliseconds that a trial opening of a suspect store in a process of its own may take. */
  storeTrialMs: 60_000,
  /** Looks at the files of a store while another process changes them, before LevelDB is asked whose it is. */
  storeLooksMax: 3,
  /** Bytes of a table file, the least that LevelDB takes: small ones give the room of dead rows back sooner. */
  levelFileBytes: 1_048_576,
  /** Table files held open, 2 GiB of them: the first 1,000 of a process are mapped and cost next to nothing, others 20 KB each. */
  levelOpenFilesMax: 2_048,

  // Team.
  /** Entries of one membership log; each is verified at every opening, so this many cost about a second. */
  teamEntriesMax: 4_096,
  /** Bytes of one log entry; the largest of today has 800. */
  teamEntryBytesMax: 4_096,
  /** Announcements of one space: replica ids of all its devices, abandoned ones included. */
  announcementsMax: 4_096,
  /** Epoch keys in the box of an invite, so that the box stays far below a message. */
  boxEpochsMax: 1_024,
  /** Characters of an enrolment code or invite; the longest host makes 500. */
  codeCharsMax: 1_024,
} as const

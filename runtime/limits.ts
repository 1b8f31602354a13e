/** Every bound of the project in one place, each with its unit and reason. A queue, buffer, loop or name without a row here is a bug. */

export const limits = {
  // Kernel: mail.
  /** Messages in a cell's user lane; enough for a burst, small enough that a stuck cell is noticed in a second. */
  mailboxMessagesMax: 1024,
  /** Share of the mailbox at which `mailbox.high` is raised, early enough for a socket to pause before `full`. */
  mailboxHighShare: 0.75,
  /** Share of the mailbox at which `mailbox.low` is raised, late enough that pausing does not flap. */
  mailboxLowShare: 0.25,
  /** Entries in a cell's system lane; its own timers, results and events only, so more is a bug and crashes it. */
  systemMailMax: 65_536,
  /** Asks of one cell that wait for a reply; each also has a deadline. */
  asksMax: 65_536,
  /** Resources one life of a cell owns; they are freed only with it, so more is a leak and crashes it. */
  ownedMax: 4096,
  /** Timers of one life that have not fired; more is a leak and crashes it. */
  timersMax: 65_536,
  /** Works of one life under way at once; more is a leak and crashes it. */
  runsMax: 65_536,
  /** Watches, and links, of one life; more is a leak and crashes it. Half of the system lane, so that all may end at once. */
  watchesMax: 32_768,
  /** Messages a cell may put aside; as many as wait for it. */
  stashMax: 1024,
  /** Messages kept whole because a cell crashed on them; each may be large. */
  quarantineMax: 64,
  /** Dead letters kept for inspection; older ones survive only in the count. */
  deadLettersMax: 256,

  // Kernel: scheduling.
  /** Messages one cell handles before the next ready cell has its turn, and the clock is looked at. */
  turnMessagesMax: 16,
  /** Microsteps of a machine for one event; more is an endless loop of `always` or `raise`, which crashes the cell after a few ms. */
  machineStepsMax: 1_000,
  /** Messages of one slice; bounds a slice where the clock stands still, as in simulation. */
  sliceMessagesMax: 4096,
  /** Milliseconds of one slice before timers and sockets get the thread: a quarter of a 60 Hz frame. */
  sliceMs: 4,
  /** Messages between two looks at the clock, which cost as much as a message; slow handlers overrun a slice by so many. */
  clockCheckMessages: 16,

  // Kernel: supervision.
  /** Restarts of one child per period before its supervisor gives up. */
  restartIntensity: 10,
  /** Milliseconds of that period; also the quiet time after which the backoff starts over. */
  restartPeriodMs: 60_000,
  /** Milliseconds before the first restart. */
  restartBackoffFirstMs: 100,
  /** Longest wait before a restart, in milliseconds. */
  restartBackoffMaxMs: 5_000,
  /** Milliseconds a cell may take to stop before it is killed. */
  stopBudgetMs: 5_000,
  /** Restarts per period that a supervisor may allow; each that is granted is remembered for the period. */
  restartIntensityMax: 1_000_000,
  /** Living children of one cell; a flood of them is a bug of their parent. */
  childrenMax: 1_048_576,
  /** Children that restart together, those included that ended and keep their place; each start and end looks at all of them. */
  siblingsMax: 4_096,
  /** Names in one system's registry. */
  registryNamesMax: 65_536,
  /** Groups of one system that have members. */
  groupsMax: 65_536,
  /** Members of one group; a broadcast tells them all within one turn. */
  groupMembersMax: 65_536,
  /** Levels of the supervision tree; starting a child nests on the stack. */
  treeDepthMax: 64,
  /** Characters of a cell's name; names go into paths, logs and the visualizer. */
  cellNameCharsMax: 128,

  // Kernel: inspection and simulation.
  /** Characters of one text in a tap event; longer text is cut. */
  tapTextCharsMax: 256,
  /** Listeners of one tap; each costs a call per event. */
  tapListenersMax: 32,
  /** Machine definitions a tap remembers; they are constants of the program. */
  tapDefinitionsMax: 256,
  /** Fields of one tap event; the rest is left out. */
  tapFieldsMax: 32,
  /** Events that listeners cause while one event is delivered; a listener that answers each with another would never end. */
  tapCausedMax: 1024,
  /** Steps of one simulated run when the caller names none; a world that needs more does not terminate. */
  simulationStepsMax: 5_000_000,
  /** Milliseconds of the longest native timer; Node fires longer ones at once, so they are armed in pieces. */
  nativeTimerMsMax: 2_147_483_647,

  // Supervisor.
  /** Client connections at once; a Pi with 1 GB holds that many idle ones. */
  connectionsMax: 1_200,
  /** Connections of one address that have not proven themselves yet; more are closed at once. */
  handshakesPerAddressMax: 64,
  /** Stores of spaces open at once; each costs caches, buffers and file handles. */
  openStoresMax: 32,
  /** Callers that wait for one resource to open; more are told `BUSY`. */
  resourceWaitersMax: 1_024,
  /** Milliseconds before a failed resource (a space, a listener) is opened again, doubling. */
  resourceRetryFirstMs: 500,
  /** Longest wait before a failed resource is opened again, in milliseconds. */
  resourceRetryMaxMs: 60_000,
  /** Enrolment codes that nobody has claimed yet; each waits until it is. */
  codesOpenMax: 256,
  /** Devices that may host spaces on one supervisor; all are held in memory. */
  hostsMax: 1_024,
  /** Database names on one supervisor; all are held in memory. */
  databasesMax: 1_024,
  /** Characters of a database name. */
  databaseNameCharsMax: 64,
  /** Open invites of one space; an admin who needs more lets some expire. */
  invitesPerSpaceMax: 256,
  /** Invites on one supervisor, kept ones included; all are held in memory. */
  invitesMax: 1_024,
  /** Bytes of an invite's sealed box: the keys of `boxEpochsMax` epochs with room to spare. */
  inviteBoxBytesMax: 40_960,
  /** Milliseconds that an expired invite is kept, so that its device may still finish joining: a week. */
  inviteKeptMs: 604_800_000,
  /** Failed lookups of codes by one address in `attemptPeriodMs`, before it is told `BUSY`. */
  attemptsMax: 10,
  /** Milliseconds after which the failed lookups of an address are forgotten. */
  attemptPeriodMs: 60_000,
  /** Addresses whose failed lookups are remembered; the oldest is forgotten first. */
  attemptAddressesMax: 4_096,
  /** Bytes of one request line on the control socket. */
  controlRequestBytesMax: 65_536,
  /** Bytes of one answer line: the tree of a full supervisor with room to spare. */
  controlAnswerBytesMax: 8_388_608,
  /** Connections on the control socket at once; it serves people at a shell. */
  controlConnectionsMax: 16,
  /** Milliseconds a control connection may stay without a whole request. */
  controlIdleMs: 10_000,
  /** Bytes of the path of a control socket: Linux takes 107 and cuts the rest silently, and binding uses four more. */
  socketPathBytesMax: 103,
  /** Milliseconds a client connection may take to say goodbye when the supervisor stops. */
  clientStopMs: 1_500,
  /** Milliseconds of a whole clean stop; what is not done by then is cut off. */
  supervisorStopMs: 4_500,

  // Transports: links.
  /** Bytes a link holds unsent before `send` says false; a few round trips of a LAN, small beside a 1 GB Pi with 1,000 links. */
  linkHighWaterBytes: 262_144,
  /** Bytes a link holds unsent before it is destroyed: the sender ignored back-pressure. More than a channel can flush at its close. */
  linkQueueBytesMax: 16_777_216,
  /** Milliseconds a closing link may take to flush before it is destroyed. */
  linkLingerMs: 5_000,
  /** Sockets of one listener, those in their TLS handshake included; more are dropped at once. */
  listenerSocketsMax: 4096,
  /** Characters of a host name in an endpoint (RFC 1035: 253). */
  hostCharsMax: 253,
  /** Bytes of the directory of a local endpoint: PATH_MAX is 4,096, with room for the names inside. */
  directoryBytesMax: 4_000,
  /** UTF-8 bytes of the name of a local endpoint. */
  localNameBytesMax: 255,
  /** Milliseconds that a connect-test of a local socket waits; what takes longer counts as living. */
  connectTestMs: 1_000,
  /** Milliseconds between two attempts at a local socket whose queue of connections is full. */
  busySocketRetryMs: 5,
  /** Attempts to take a local name while others take and leave it. */
  publishAttemptsMax: 16,
  /** Processes that died one after the other while they took over the same dead socket. */
  socketHeirsMax: 64,

  // Transports: secure channel.
  /** Bytes of a record on a link: one Noise message with its 16-byte tag. */
  recordBytesMax: 65_535,
  /** Bytes of one message; larger values are cut by the layers above. */
  messageBytesMax: 1_048_576,
  /** Bytes of one fragment: four with their heads fill a record, so that streams take turns within one. */
  fragmentBytesMax: 16_369,
  /** Bytes of unprocessed messages a stream may have on its way in one direction: the longest message. */
  streamCreditBytes: 1_048_576,
  /** Open streams of one channel. */
  streamsMax: 1024,
  /** Bytes queued on one stream above which its sender has to wait. */
  streamQueueHighBytes: 262_144,
  /** Bytes queued on all streams of a channel above which every sender has to wait. */
  channelQueueHighBytes: 4_194_304,
  /** Bytes queued on all streams of a channel above which it is closed: the senders did not wait. */
  channelQueueBytesMax: 8_388_608,
  /** Bytes queued on the control stream above which the channel is closed: the peer asks faster than it reads. */
  controlQueueBytesMax: 4_194_304,
  /** Bytes of messages of one channel that have begun and not ended; the sender starts no more, the receiver closes. */
  reassemblyBytesMax: 4_194_304,
  /** Milliseconds from a new link to an authenticated channel. */
  handshakeMs: 10_000,
  /** Milliseconds without a word of the peer before it is pinged. */
  pingIntervalMs: 15_000,
  /** Milliseconds without a word of the peer before the channel is closed: two pings went unanswered. */
  silenceMs: 40_000,
  /** Records in one direction between two rekeyings; far below what AES-GCM allows, rare enough to cost nothing. */
  recordsPerKey: 1_048_576,
  /** Bytes of the text of an error on the wire. */
  wireTextBytesMax: 512,

  // Relay.
  /** Bytes at which a part is closed; a single tag may exceed it. Far below the 4 MiB of PROTOCOL §10, so that slow links progress. */
  relayPartBytes: 262_144,
  /** Bytes of one part that a receiver buffers: the 4 MiB of PROTOCOL §10 and the commits that verify them. */
  relayPartBytesMax: 6_291_456,
  /** Parts sent and not acknowledged; enough to fill a link while the peer syncs its disk. */
  relayPartsInFlightMax: 8,
  /** Bytes of one relay message, below the 1 MiB of a message. */
  relayBatchBytesMax: 524_288,
  /** Messages a relay queues while it persists earlier ones; team and announcements come in a burst at the start. */
  relayStepsMax: 64,
  /** Arrivals the peer's cursor may lag because they were its own echo, before an empty part moves it. */
  relaySkippedArrivalsMax: 1_024,
  /** Marks of a peer that wait for their answer; each is a `caughtUp()` of an application. */
  relayMarksMax: 256,
  /** Milliseconds before a paused relay negotiates again, doubling. */
  relayRetryFirstMs: 500,
  /** Longest such wait, in milliseconds. */
  relayRetryMaxMs: 30_000,

  // Codec.
  /** Containers around an item of CBOR; decoding nests on the stack. */
  cborDepthMax: 64,
  /** Containers around a value of a field: the body of a record puts two around it, a date or UUID one inside. */
  valueDepthMax: 61,

  /** Bytes of one slab that short-lived byte strings share; one that is kept keeps its slab. */
  slabBytesMax: 8_192,
  /** Bytes of buffer that the encoder of CBOR keeps between items; a record of the largest size fits. */
  encoderBytesMax: 131_072,
  /** Short texts kept to be found instead of made: names of fields come back with every record. */
  knownTextsMax: 1_024,
  /** Bytes of such a text; longer ones are seldom names. */
  knownTextBytesMax: 16,

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
  /** Bytes of the newest batches whose records are kept: three write buffers of LevelDB, more than its two logs can hold. */
  batchRecordsBytes: 12_582_912,
  /** Batch records kept in any case. */
  batchRecordsMin: 64,
  /** Bytes that a smaller batch counts for, so that at most 49,152 records are kept; LevelDB's own overhead makes it true. */
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
  /** Bytes of the write buffer; two may exist at once. */
  levelWriteBufferBytes: 4_194_304,
  /** Bytes of the block cache. */
  levelCacheBytes: 4_194_304,
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
  /** The same after a session that did not close. */
  suspectTableBytes: 67_108_864,
  /** Milliseconds that a trial opening of a suspect store in a process of its own may take. */
  storeTrialMs: 60_000,
  /** Looks at the files of a store while another process changes them, before LevelDB is asked whose it is. */
  storeLooksMax: 3,
  /** Bytes of a table file. */
  levelFileBytes: 2_097_152,
  /** Table files held open. */
  levelOpenFilesMax: 128,

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

  // Database.
  /** Bytes of CBOR of one record: with its length it pads to 63,488, the last PADMÉ length below 64 KiB of sealed body. */
  recordCborBytesMax: 63_484,
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

  // Connection.
  /** Requests of one connection that wait for an answer. */
  requestsMax: 64,
  /** Milliseconds a request waits for its answer. */
  requestTimeoutMs: 10_000,
  /** Milliseconds an invite is valid when its maker names no time (DESIGN §10). */
  inviteExpiryMs: 900_000,
  /** Longest validity of an invite: 30 days. */
  inviteExpiryMsMax: 2_592_000_000,
  /** Milliseconds between two attempts to register an invite whose entry has not arrived yet. */
  inviteRetryMs: 25,
  /** Milliseconds without a confirmation after which writes that wait for one make the state `stale`. */
  staleMs: 5_000,
  /** Milliseconds that `caughtUp()` gives a state to follow what it has seen; with a steady stream of writes it may never. */
  settleMs: 250,
  /** Milliseconds a waiting call of the client waits when the caller names no time. */
  waitMs: 30_000,
  /** Milliseconds a dial may take before the next endpoint. */
  dialTimeoutMs: 10_000,
  /** Milliseconds before the first new attempt after a connection failed, doubling, with full jitter (DESIGN §8). */
  failoverFirstMs: 100,
  /** Longest such wait, in milliseconds. */
  failoverMaxMs: 5_000,

  // Next door.
  /** Guests of one shared database at once; each costs a socket, a channel and a cursor. */
  guestsMax: 128,
  /** Guests that a commit is sent to before its writer goes on; each costs the writer some tens of microseconds. */
  flushedGuestsMax: 4,
  /** Copies that one app keeps of one shared database: as many of its processes attach at a time. */
  guestSlotsMax: 64,
  /** Records of one page of a pass, and items of one changes message; a few milliseconds of work. */
  mirrorPageRecords: 256,
  /** Bytes of items at which a changes message is closed; a single record may exceed it. */
  mirrorMessageBytes: 262_144,
  /** Characters of the name of an app group or the id of an app. */
  groupNameCharsMax: 64,
  /** Collections of one export policy. */
  exportCollectionsMax: 255,
  /** Names in one list of fields of an export policy. */
  exportFieldsMax: 1_024,
  /** Apps registered in one app group: the first handshake of an app reads all of them. */
  groupAppsMax: 1_024,
  /** Databases that an app group lists. */
  groupDatabasesMax: 1_024,
  /** Bytes of a file that is read as private: keys, and short JSON with the grants of a share. */
  privateFileBytesMax: 65_536,
  /** Milliseconds that `connectToShared` waits for a host when the caller names no time. */
  sharedWaitMs: 10_000,
  /** Milliseconds that a guest may stay without a mirror before it is let go; it tries again at least every `failoverMaxMs`. */
  attachMs: 20_000,
  /** Arrivals that a guest's cursor may lag because nothing of them concerned it, before an empty message moves it. */
  mirrorSkippedArrivalsMax: 1_024,
  /** Openings whose rows one copy of a guest may hold; beyond half of them its rows are sealed anew. */
  guestBootsMax: 32,
  /** Bytes of one write of a guest; a bulk write is cut, so that others get their turn between its pieces. */
  guestWriteBytesMax: 524_288,
  /** Bytes of requests of a guest that wait for an answer; far below what closes a channel, `controlQueueBytesMax`. */
  guestFlightBytesMax: 2_097_152,
  /** Requests of a guest that wait for their turn: a burst of single inserts, each of which is one. */
  guestCallsMax: 65_536,
  /** Bytes of those requests. */
  guestCallsBytesMax: 67_108_864,
  /** Milliseconds that a stream of a guest has to live; when two in a row do not, the next one is opened after a wait. */
  reattachQuietMs: 1_000,
  /** UTF-8 bytes of the name of a shared database: its length is one byte on the wire. */
  sharedNameBytesMax: 255,
  /** Milliseconds that whoever may not share a name waits for the entry of who does; it is written just after the socket is bound. */
  shareEntryWaitMs: 200,
  /** Milliseconds between two looks at that entry. */
  shareEntryLookMs: 20,
  /** Apps named in the grants of one share; they are looked up by name and listed in one small file. */
  grantsMax: 256,

  // Moving data.
  /** Bytes of plaintext of one frame of a backup that is written; large enough to cost nothing, small enough to show progress. */
  backupFrameBytes: 262_144,
  /** Bytes of a sealed frame of a backup that is read. */
  backupFrameBytesMax: 1_048_576,
  /** Bytes of one item of a backup: a tag row of 255 siblings of the largest size, with room to spare. */
  backupItemBytesMax: 33_554_432,
  /** Rows of commits and tags read at a time for a backup; some are large. */
  backupPageRows: 128,
  /** Bytes of rows that a restore writes in one synced batch. */
  restoreBatchBytes: 1_048_576,
} as const

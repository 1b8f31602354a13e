/** Bounds of relays and connections, and of the waiting of sync. Each row has its unit and reason. */
export const syncLimits = {
  // Relay.
  /** Bytes at which a part is closed; a single tag may exceed it. Far below the 4 MiB of PROTOCOL §10, so that slow links progress. */
  relayPartBytes: 262_144,
  /** Bytes of one part that a receiver buffers: the 4 MiB of PROTOCOL §10 and the commits that verify them. */
  relayPartBytesMax: 6_291_456,
  /** Milliseconds from the first message of a part to its last, in which its receiver did not hold it up itself (REPLICATION rule 12). */
  relayPartMs: 60_000,
  /** Bytes of an envelope from which its part is bulk: a chunk of a large value, or a record as long as one. */
  relayBulkEnvelopeBytes: 16_384,
  /** Bytes of a part that has such envelopes: what came later and is small waits for one of these at most. */
  relayBulkPartBytes: 524_288,
  /** Arrivals that are looked through for what may go ahead of a round under way. */
  relayExpressArrivals: 256,
  /** Parts sent and not acknowledged; enough to fill a link while the peer syncs its disk. */
  relayPartsInFlightMax: 8,
  /** Bytes of one relay message, below the 1 MiB of a message. */
  relayBatchBytesMax: 524_288,
  /** Messages a relay queues while it persists earlier ones; team and announcements come in a burst at the start. */
  relayStepsMax: 64,
  /** Ranges of writes that a peer sent in a round under way, which are not sent back to it; 64 bytes each. */
  relayHeardRangesMax: 4_096,
  /** Arrivals the peer's cursor may lag because they were its own echo, before an empty part moves it. */
  relaySkippedArrivalsMax: 1_024,
  /** Marks of a peer that wait for their answer; each is a `caughtUp()` of an application. */
  relayMarksMax: 256,
  /** Milliseconds before a paused relay negotiates again, doubling. */
  relayRetryFirstMs: 500,
  /** Longest such wait, in milliseconds. */
  relayRetryMaxMs: 30_000,

  // Connection.
  /** Requests of one connection that wait for an answer. */
  requestsMax: 64,
  /** Bytes of log entries with which a device shows a supervisor that it is a member: some two hundred, the newest. */
  introductionBytesMax: 65_536,
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
  /** Milliseconds a dial may take where another endpoint can be tried: a firewall that drops what it does not like says nothing. */
  dialTurnMs: 3_000,
  /** Keys of a supervisor that a device remembers after planned changes; older codes are made anew. */
  formerKeysMax: 8,
  /** Milliseconds over which rates are told; ages are told to a tenth of it. */
  rateWindowMs: 5_000,
  /** Unconfirmed writes whose age is kept, one per tenth of the window: later ones count as younger than they are. */
  lagSamplesMax: 64,
  /** Milliseconds between two comparisons of a relay's root with its peer's; a quarter more or less by chance. */
  scrubIntervalMs: 600_000,
  /** Milliseconds until the next try when the peer had no quiet moment. */
  scrubRetryMs: 10_000,
  /** Milliseconds that the tree of a store is kept: a descent over a slow link. */
  scrubTreeMs: 60_000,
  /** Tags that a pass reads at a time: a few milliseconds. */
  scrubPageTags: 256,
  /** Tags of a leaf list: 15 at a million; the rest of a longer one comes with the next comparison. */
  scrubLeafTagsMax: 4_096,
  /** Nodes and leaves that are asked for at a time. */
  scrubNodesMax: 512,
  scrubLeavesMax: 64,
  /** Tags in all leaf lists of one question, above which the rest is asked later: half a message. */
  scrubAskTagsMax: 16_384,
  /** Differing tags of one answer, above which a comparison ends, and that wait to be sent; the rest comes with the next. */
  scrubTagsMax: 4_096,
  /** Comparisons in a row that find a difference before both sides verify themselves. */
  scrubRoundsMax: 3,
  /** Milliseconds between two verifications that a peer asks for. */
  scrubVerifyMs: 3_600_000,
  /** Endpoints of one supervisor. */
  endpointsMax: 16,
  /** Milliseconds between two looks of a connection at its health: is a ping missed, a better endpoint due, did the computer sleep. */
  healthTickMs: 5_000,
  /** Milliseconds without a word of the peer after which another endpoint is tried beside: a ping and five seconds for its answer. */
  pingMissedMs: 20_000,
  /** Milliseconds until a preferred endpoint is tried again beside the one in use, doubling, half of it by chance. */
  failbackFirstMs: 30_000,
  /** Longest such wait, in milliseconds. */
  failbackMaxMs: 600_000,
  /** Milliseconds between two hellos while the clocks of both sides are too far apart: they tell when that is mended. */
  clockRetryMs: 60_000,
  /** Milliseconds by which a look has to be late, on either clock, to mean that the computer slept. */
  sleptMs: 30_000,
  /** Milliseconds in which a peer has to answer after the computer woke, else its link is gone; and within which a failed one is dialled again. */
  wakeMs: 2_000,
} as const

/** Bounds of links and of the secure channel. Each row has its unit and reason. */
export const transportLimits = {
  // Transports: links.
  /** Bytes a link holds unsent before `send` says false; a few round trips of a LAN, small beside a 1 GB Pi with 1,000 links. */
  linkHighWaterBytes: 262_144,
  /** Bytes a link holds unsent before it is destroyed: the sender ignored back-pressure. More than a channel can flush at its close. */
  linkQueueBytesMax: 16_777_216,
  /** Milliseconds a closing link may take to flush before it is destroyed. */
  linkLingerMs: 5_000,
  /** Sockets of one listener, those in their TLS handshake included; more are dropped at once. */
  listenerSocketsMax: 4096,
  /** Sockets of one address, and of all, that are no link yet: TLS or HTTP goes on. Above it the oldest of them goes, never the newest. */
  strangersPerAddressMax: 128,
  strangersMax: 1_024,
  /** Milliseconds in which nothing of what waits for a peer has left whole, after which its link is destroyed: 4 KiB/s are enough. */
  writeStallMs: 60_000,
  /** Bytes of the head of an HTTP request. */
  httpHeadBytesMax: 8_192,
  /** Fragments of one WebSocket message: a record is one frame, a proxy may cut it. */
  webSocketFragmentsMax: 64,
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
  /** Fragments in a row that streams of a higher rank may have while a lower one waits: a sixteenth is left to that. */
  rankRunFragments: 15,
  /** Bytes queued on all streams of a channel above which every sender has to wait. */
  channelQueueHighBytes: 4_194_304,
  /** Bytes queued on all streams of a channel above which it is closed: the senders did not wait. */
  channelQueueBytesMax: 8_388_608,
  /** Bytes that all channels of one server hold, above which the one with most is closed: a quarter of a Pi with 1 GB, a hundred devices that catch up. */
  channelsHeldBytesMax: 268_435_456,
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
  /** Bytes of records in one direction between two rekeyings: 2^26 blocks, far below the 2^32 of one AES-GCM key, a minute of a fast LAN. */
  bytesPerKey: 1_073_741_824,
  /** Milliseconds after which a side that has something to send takes a new key first; costs a record of 26 bytes. */
  keyAgeMs: 600_000,
  /** Milliseconds from its handshake to when a channel is renewed at the latest: ten tries before it ends. A tenth of it is drawn off by chance. */
  channelRenewMs: 3_300_000,
  /** Milliseconds between two tries to renew a channel. */
  channelRenewRetryMs: 30_000,
  /** Milliseconds from the handshake of a channel to its orderly end: an hour, after which only a fresh handshake goes on. */
  channelAgeMs: 3_600_000,
  /** Bytes of the text of an error on the wire. */
  wireTextBytesMax: 512,
} as const

/** Bounds of sharing between apps of one device. Each row has its unit and reason. */
export const topologyLimits = {
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
} as const

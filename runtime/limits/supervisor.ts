/** Bounds of the supervisor: clients, codes, stores, its control socket. Each row has its unit and reason. */
export const supervisorLimits = {
  /** Client connections at once; a Pi with 1 GB holds that many idle ones. */
  connectionsMax: 1_200,
  /** Resident bytes of a supervisor with 1,000 idle clients and one that does not read: of a Pi with 1 GB, the larger part is left to others. */
  supervisorMemoryBytesMax: 402_653_184,
  /** Connections of one address that have not proven themselves yet; one more replaces the oldest or is told `BUSY`. */
  handshakesPerAddressMax: 64,
  /** Connections of all addresses that have not proven themselves yet; one more replaces the oldest or is told `BUSY`. */
  handshakesMax: 512,
  /** Milliseconds that a connection without proof keeps its place from others; a slow handshake on a Pi takes a tenth of it. */
  handshakePatienceMs: 500,
  /** Lines about refused connections in `refusalPeriodMs`: a flood must not fill the disk of the log. */
  refusalLinesMax: 60,
  /** Milliseconds after which refused connections are told one by one again. */
  refusalPeriodMs: 60_000,
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
  /** Failed attempts at codes by one address in `attemptPeriodMs`, before it has to wait and is told `BUSY`. */
  attemptsMax: 10,
  /** Milliseconds after which the free failures of an address are forgotten, and its first wait; each later wait is twice as long. */
  attemptPeriodMs: 60_000,
  /** Longest wait of an address after a failed attempt, in milliseconds: an hour. */
  attemptWaitMaxMs: 3_600_000,
  /** Milliseconds after its wait in which an address has to fail no more to be as good as new: two hours. */
  attemptForgottenMs: 7_200_000,
  /** Addresses whose failed attempts are remembered; the oldest is forgotten first. */
  attemptAddressesMax: 4_096,
  /** Milliseconds of its rate that a device may use at once: it tries again after half a minute at most, and must lose nothing by that. */
  rateAllowanceMs: 60_000,
  /** Devices whose rate is remembered; the one that was silent for longest is forgotten first. More than can be connected. */
  rateDevicesMax: 4_096,
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
  /** Former keys of a supervisor that it still answers: a device may miss this many changes, and each costs a wrong hello one more try. */
  retiredKeysMax: 2,
} as const

/** The one error class of the project and its table of codes. A code never changes its meaning; expected answers are values, not errors. */

/** What a code means, whether the same call may succeed later, and what to do. */
export interface ErrorEntry {
  readonly meaning: string
  readonly retryable: boolean
  readonly advice: string
}

/** Every code, once. Append only. */
export const ERRORS = {
  WRONG_PASSWORD: {
    meaning: 'the password does not open this database',
    retryable: false,
    advice: 'ask for the password again',
  },
  ALREADY_OPEN: {
    meaning: 'another process or handle holds this directory',
    retryable: true,
    advice: 'close the holder named in details.pid',
  },
  NOT_FOUND: {
    meaning: 'no record, name or id like this exists',
    retryable: false,
    advice: 'check the id; insert or put creates a record',
  },
  RECORD_EXISTS: {
    meaning: 'a record with this id already exists',
    retryable: false,
    advice: 'use put or update, or another id',
  },
  TOO_LARGE: {
    meaning: 'a value exceeds a documented size',
    retryable: false,
    advice: 'make it smaller; limits are in details',
  },
  CLOSED: {
    meaning: 'the object was closed before or during this call',
    retryable: false,
    advice: 'open it again',
  },
  OVERLOADED: {
    meaning: 'a bounded queue is full',
    retryable: true,
    advice: 'wait, then try again with fewer in flight',
  },
  TIMEOUT: {
    meaning: 'the deadline of a waiting call passed',
    retryable: true,
    advice: 'wait longer, or ask why() what it waits for',
  },
  ABORTED: {
    meaning: 'the caller aborted through its signal',
    retryable: true,
    advice: 'call again when wanted',
  },
  NOT_SUPPORTED: {
    meaning: 'this version does not have the feature',
    retryable: false,
    advice: 'see the changelog for the version that has it',
  },
  DAMAGED: {
    meaning: 'stored data is missing or does not authenticate',
    retryable: false,
    advice: 'restore from a peer or a backup',
  },
  HEADER_DAMAGED: {
    meaning: 'both copies of the database header are unreadable',
    retryable: false,
    advice: 'restore from a backup',
  },
  POISONED: {
    meaning: 'the store refused an operation after an input or output error',
    retryable: false,
    advice: 'close, free space or replace the disk, reopen',
  },
  DISK_FULL: {
    meaning: 'free space is below the reserve',
    retryable: true,
    advice: 'free space on the disk; writes then go on by themselves',
  },
  DIRECTORY_UNUSABLE: {
    meaning: 'the path cannot be used as the directory of a database or supervisor',
    retryable: false,
    advice: 'name a directory, or a place where one can be made, that belongs to you',
  },
  READ_ONLY: {
    meaning: 'this collection or member may not be written here',
    retryable: false,
    advice: 'write where the record is at home, or ask for the writer role',
  },
  PARTIAL: {
    meaning: 'a byte value is not all here yet',
    retryable: true,
    advice: 'leave the field out of what you write, or wait until the rest of it has come from a peer',
  },
  COLLECTION_EXISTS: {
    meaning: 'the target already has local records under this collection name',
    retryable: false,
    advice: 'choose another name with into, or connect bidirectional',
  },
  FORKED: {
    meaning: 'two histories of the same replica id exist',
    retryable: false,
    advice: 'the device concerned rebases by itself when it is told; stop using copies of a directory',
  },
  REBASING: {
    meaning: 'the database takes back what others hold before it may be used again',
    retryable: true,
    advice: 'wait until status().state is ready; sync.why() says what it waits for',
  },
  CLOCK_SKEW: {
    meaning: 'the clock of this device is too far from its peer',
    retryable: true,
    advice: 'set the clock of the device',
  },
  FORBIDDEN: {
    meaning: 'the role does not allow this',
    retryable: false,
    advice: 'ask an owner or admin for the right',
  },
  DATABASE_EXISTS: {
    meaning: 'the name is bound to another space on this supervisor',
    retryable: false,
    advice: 'join that database with an invite, or choose another name',
  },
  NOT_SYNCED: {
    meaning: 'this database has no sync enabled',
    retryable: false,
    advice: 'call enableSync first',
  },
  OFFLINE: {
    meaning: 'the peer cannot be reached now',
    retryable: true,
    advice: 'check the network and the supervisor',
  },
  REFUSED: {
    meaning: 'the peer refused the connection for a reason that retrying cannot heal',
    retryable: false,
    advice: 'see details.reason',
  },
  BUSY: {
    meaning: 'the peer is at its limit of connections or handshakes',
    retryable: true,
    advice: 'try again later',
  },
  SERVER_KEY_REQUIRED: {
    meaning: 'neither a server key nor an enrolment code was given',
    retryable: false,
    advice: 'pass serverKey or code; there is no trust on first use',
  },
  SERVER_KEY_MISMATCH: {
    meaning: 'the server does not own the pinned key',
    retryable: false,
    advice: 'do not continue; check the address and the key with the owner of the server',
  },
  CODE_INVALID: {
    meaning: 'the code or invite is unknown or malformed',
    retryable: false,
    advice: 'copy it again, whole',
  },
  CODE_USED: {
    meaning: 'the code or invite was already used by another device',
    retryable: false,
    advice: 'make a new one',
  },
  CODE_EXPIRED: {
    meaning: 'the code or invite is past its expiry',
    retryable: false,
    advice: 'make a new one',
  },
  HANDSHAKE_FAILED: {
    meaning: 'the secure handshake did not verify',
    retryable: false,
    advice: 'check both versions and keys',
  },
  HANDSHAKE_TIMEOUT: {
    meaning: 'the secure handshake took longer than its limit',
    retryable: true,
    advice: 'check the network, try again',
  },
  PROTOCOL_VIOLATION: {
    meaning: 'the peer sent bytes that the protocol does not allow at this point',
    retryable: false,
    advice: 'update the older side',
  },
  TRUNCATED: {
    meaning:
      'the link ended without the authenticated goodbye of the peer: it died, or somebody cut the link',
    retryable: true,
    advice: 'dial again; what the peer sent last may be missing, what was acknowledged is not',
  },
  LINK_CLOSED: { meaning: 'the link to the peer is closed', retryable: true, advice: 'dial again' },
  FRAME_TOO_LARGE: { meaning: 'a frame exceeds its limit', retryable: false, advice: 'split the message' },
  UNREACHABLE: {
    meaning: 'the endpoint does not answer',
    retryable: true,
    advice: 'check address, port and firewall',
  },
  PORT_IN_USE: {
    meaning: 'the port is taken',
    retryable: false,
    advice: 'stop the other program or choose another port',
  },
  ASK_TIMEOUT: {
    meaning: 'a cell did not answer within the deadline of the ask',
    retryable: true,
    advice: 'ask again',
  },
  CELL_DOWN: {
    meaning: 'the cell crashed on this message, or is stopped',
    retryable: true,
    advice: 'ask again if it is restarted; see details.path',
  },
  RESTART_LIMIT: {
    meaning: 'a child crashed more often than its supervisor allows',
    retryable: false,
    advice: 'read the cause; the supervisor escalates this crash',
  },
  LINKED_CELL_DOWN: {
    meaning: 'a cell that this cell is linked to crashed, was killed, or was down already',
    retryable: true,
    advice: 'read the cause; use watch instead of link to survive it',
  },
  ASYNC_HANDLER: {
    meaning: 'a handler returned a promise',
    retryable: false,
    advice: 'do the waiting in ctx.run; its result comes back as a message',
  },
  NAME_TAKEN: { meaning: 'the name is already in use here', retryable: false, advice: 'choose another name' },
  BAD_VALUE: {
    meaning: 'a value cannot be stored or decoded',
    retryable: false,
    advice: 'see the list of value types',
  },
  BAD_CONFIG: {
    meaning: 'the configuration is not valid',
    retryable: false,
    advice: 'correct the field that the message names',
  },
  QUOTA: {
    meaning: 'the quota of this space or client is used up',
    retryable: true,
    advice: 'delete data or raise the quota',
  },
  NOT_A_MEMBER: {
    meaning: 'the device is not in the membership log',
    retryable: false,
    advice: 'join with an invite',
  },
  UNKNOWN_SPACE: {
    meaning: 'this supervisor does not host the space',
    retryable: false,
    advice: 'enable sync from its owner',
  },
  UNKNOWN_REPLICA: {
    meaning: 'writes of a replica id arrived before its announcement',
    retryable: true,
    advice: 'wait: the announcement travels ahead of the data at the next connection',
  },
  BAD_SIGNATURE: {
    meaning: 'signed bytes do not verify',
    retryable: false,
    advice: 'the sender is damaged or hostile; nothing of it was kept',
  },
  NO_SUPERVISOR: {
    meaning: 'no running supervisor was found',
    retryable: true,
    advice: 'start it with blazedb serve',
  },
  BAD_KEY: {
    meaning: 'the bytes are no key of the expected kind',
    retryable: false,
    advice: 'use the key as it was given out, whole',
  },
  UNSAFE_DIRECTORY: {
    meaning: 'a directory or file that must belong to this user alone does not',
    retryable: false,
    advice: 'look who made it; remove it, or give it to yourself with chmod 700 (a file: 600)',
  },
  GROUP_KEY_INVALID: {
    meaning: 'the key of the app group does not fit the one of the other app',
    retryable: false,
    advice: 'use the same group directory in both apps; do not copy or replace its key file',
  },
  CONFLICT: {
    meaning: 'other writes kept changing what a transaction had read',
    retryable: true,
    advice: 'call transaction again; make it shorter, or write less at the same time',
  },
  NOT_UNIQUE: {
    meaning: 'another record has the same values in a unique index',
    retryable: false,
    advice: 'use other values, or change the record that details.id names',
  },
  INDEX_EXISTS: {
    meaning: 'the collection has another index of this name',
    retryable: false,
    advice: 'drop it first, or choose another name',
  },
  SCHEMA_INVALID: {
    meaning: 'a document does not fit the schema of its collection',
    retryable: false,
    advice: 'correct what details.issues names',
  },
  BACKUP_INVALID: {
    meaning: 'the file is no whole backup, or was changed',
    retryable: false,
    advice: 'copy it again from where it was made, or use another backup',
  },
  IMPORT_INVALID: {
    meaning: 'a line of the file cannot be imported',
    retryable: false,
    advice: 'correct the line that details.line names; nothing after it was imported',
  },
} as const

export type ErrorCode = keyof typeof ERRORS

export interface BlazeErrorOptions {
  readonly cause?: unknown
  /** Plain values that help to find the fault; never secrets. */
  readonly details?: Record<string, unknown>
}

/** An operating fault with a stable `code`. `retryable` comes from the table. */
export class BlazeError extends Error {
  override readonly name: string = 'BlazeError'
  readonly code: ErrorCode
  readonly details: Record<string, unknown>
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: BlazeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    this.retryable = ERRORS[code].retryable
  }
}

/** A bug: an invariant of our own code does not hold. It crashes the cell; nothing else catches it. */
export class AssertionFailure extends Error {
  override readonly name: string = 'AssertionFailure'
}

/** Throws `AssertionFailure` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}

/** Door of the messages between a guest and its host. */
export {
  encodeAttach,
  encodeAttached,
  encodeChanges,
  encodeItem,
  encodeMirrorAnswer,
  encodeMirrorWrite,
  MIRROR_MARK,
  MIRROR_WRITE,
  mirrorFrame,
  parseAttach,
  parseAttached,
  parseChanges,
  parseMirrorAnswer,
  parseMirrorWrite,
} from './message.ts'
export type {
  Attach,
  Attached,
  Changes,
  ChangesHead,
  HiddenRecord,
  MirrorAnswer,
  MirrorCursor,
  MirrorItem,
  MirrorWrite,
} from './message.ts'

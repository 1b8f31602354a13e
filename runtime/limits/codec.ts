/** Bounds of encoding and decoding. Each row has its unit and reason. */
export const codecLimits = {
  /** Containers around an item of CBOR; decoding nests on the stack. */
  cborDepthMax: 64,
  /** Containers around a value of a field: the body of a record puts two around it, a date or UUID one inside. */
  valueDepthMax: 61,

  /** Bytes that the CBOR of a value takes at least when it is copied for anything but a record: a list of some 400,000 ids. */
  copiedBytesMax: 16_777_216,
  /** Bytes of one slab that short-lived byte strings share; one that is kept keeps its slab. */
  slabBytesMax: 8_192,
  /** Bytes of buffer that the encoder of CBOR keeps between items; a record of the largest size fits. */
  encoderBytesMax: 131_072,
  /** Short texts kept to be found instead of made: names of fields come back with every record. */
  knownTextsMax: 1_024,
  /** Bytes of such a text; longer ones are seldom names. */
  knownTextBytesMax: 16,
} as const

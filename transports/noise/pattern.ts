/**
 * The handshake patterns of Noise revision 34 (§7.5, §9.4) as data.
 * Invariant: a token list comes from this table or by the psk rule below; nothing else in the folder knows a pattern.
 */

export type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk'

/** The twelve fundamental interactive patterns. */
export type BasePattern = 'NN' | 'NK' | 'NX' | 'KN' | 'KK' | 'KX' | 'XN' | 'XK' | 'XX' | 'IN' | 'IK' | 'IX'

/** A fundamental pattern, with or without one psk modifier. */
export type PatternName = BasePattern | `${BasePattern}psk${0 | 1 | 2 | 3}`

export interface Pattern {
  /** The responder knows the initiator's static key beforehand. */
  readonly initiatorStaticKnown: boolean
  /** The initiator knows the responder's static key beforehand. */
  readonly responderStaticKnown: boolean
  /** Tokens of each message, the initiator's first, then alternating. */
  readonly messages: readonly (readonly Token[])[]
  readonly usesPsk: boolean
}

/** Messages separated by commas, tokens by blanks. A leading K is a known initiator, a trailing K a known responder. */
const MESSAGES_BY_BASE: Readonly<Record<BasePattern, string>> = {
  NN: 'e, e ee',
  NK: 'e es, e ee',
  NX: 'e, e ee s es',
  KN: 'e, e ee se',
  KK: 'e es ss, e ee se',
  KX: 'e, e ee se s es',
  XN: 'e, e ee, s se',
  XK: 'e es, e ee, s se',
  XX: 'e, e ee s es, s se',
  IN: 'e s, e ee se',
  IK: 'e es s ss, e ee se',
  IX: 'e s, e ee se s es',
}

/** The pattern of that name. `TypeError` for a name outside the table or a psk place beyond the last message. */
export function parsePattern(name: string): Pattern {
  const match = /^([NKXI][NKX])(?:psk([0-3]))?$/.exec(name)
  const base = match?.[1]
  if (base === undefined || !isBasePattern(base)) {
    throw new TypeError(`pattern: expected a fundamental pattern with at most one psk modifier, got ${name}`)
  }
  const messages = MESSAGES_BY_BASE[base].split(', ').map((message) => message.split(' ').map(parseToken))
  const place = match?.[2]
  if (place !== undefined) insertPsk(messages, Number(place), name)
  return {
    initiatorStaticKnown: base.startsWith('K'),
    responderStaticKnown: base.endsWith('K'),
    messages,
    usesPsk: place !== undefined,
  }
}

/** §9.4: psk0 stands at the beginning of the first message, pskN at the end of message N. */
function insertPsk(messages: Token[][], place: number, name: string): void {
  const message = messages[Math.max(place, 1) - 1]
  if (message === undefined)
    throw new TypeError(`pattern: expected a psk place within the messages, got ${name}`)
  if (place === 0) message.unshift('psk')
  else message.push('psk')
}

function isBasePattern(name: string): name is BasePattern {
  return Object.hasOwn(MESSAGES_BY_BASE, name)
}

function parseToken(text: string): Token {
  switch (text) {
    case 'e':
    case 's':
    case 'ee':
    case 'es':
    case 'se':
    case 'ss':
      return text
    default:
      throw new TypeError(`pattern: expected a token, got ${text}`)
  }
}

/**
 * A world whose guests are listened to: every byte that one of them decrypts off a channel is seen, and rows of mirrors are counted.
 * Invariant: nothing is changed of what passes; a count is told before the guest has applied the message it belongs to.
 */
import type { World } from '../../actors/index.ts'
import { mirrorFrame, parseChanges } from '../../actors/topology/mirror/index.ts'
import { concatBytes, createSystem } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { readFrames } from '../../transports/channel/frame.ts'
import { recordCrypto } from '../fixtures/recording-crypto.ts'

export interface Tap {
  readonly world: World
  /** Everything that was encrypted, decrypted, hashed or used as a key; empty unless `keep`. */
  readonly seen: readonly Uint8Array[]
  /** Rows that came as records, of all links. */
  readonly records: number
  /** Dials that found a socket. */
  readonly links: number
  /** Called once, when so many records have come. */
  after(records: number, act: () => void): void
}

export function tapWorld(base: World, o: { readonly keep: boolean }): Tap {
  const recording = o.keep ? recordCrypto(base.crypto) : { crypto: base.crypto, seen: [] }
  const state = { records: 0, links: 0 }
  let due: { readonly records: number; readonly act: () => void } | undefined
  const crypto = listenTo(recording.crypto, (records) => {
    state.records += records
    if (due === undefined || state.records < due.records) return
    const { act } = due
    due = undefined
    act()
  })
  const world: World = {
    ...base,
    crypto,
    system: createSystem({ env: base.env, name: 'tapped' }),
    local: {
      ...base.local,
      dial: async (endpoint, options) => {
        const link = await base.local.dial(endpoint, options)
        state.links += 1
        return link
      },
    },
  }
  return {
    world,
    seen: recording.seen,
    get records() {
      return state.records
    },
    get links() {
      return state.links
    },
    after: (records, act) => {
      due = { records, act }
    },
  }
}

/** Channels are the only ones that open without associated data. */
function listenTo(inner: CryptoProvider, told: (records: number) => void): CryptoProvider {
  return {
    ...inner,
    createAead: (key) => {
      const aead = inner.createAead(key)
      const parts: Uint8Array[] = []
      return {
        seal: (nonce, aad, plaintext) => aead.seal(nonce, aad, plaintext),
        open: (nonce, aad, sealed) => {
          const plain = aead.open(nonce, aad, sealed)
          if (plain !== undefined && aad.length === 0)
            readFrames(plain, (head, body) => take(parts, head, body, told))
          return plain
        },
      }
    },
  }
}

/** One stream of a guest at a time carries changes, so its fragments follow one another. */
function take(
  parts: Uint8Array[],
  { type, more }: { readonly type: number; readonly more: boolean },
  body: Uint8Array,
  told: (records: number) => void,
): boolean {
  if (type !== mirrorFrame.changes) return true
  parts.push(body)
  if (more) return true
  const { items } = parseChanges(concatBytes(parts.splice(0)))
  told(items.filter(({ kind }) => kind === 'record').length)
  return true
}

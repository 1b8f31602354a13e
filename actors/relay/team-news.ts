/**
 * What of the team the peer still has to be told: log entries first, then announcements (PROTOCOL §10).
 * Invariant: nothing is told twice on a stream, and nothing that the peer told comes back to it.
 */
import { bytesKey, type CryptoProvider } from '../../runtime/index.ts'
import type { Team } from '../team/index.ts'
import { encodeBlobs, parseBlobs, RELAY_ANNOUNCE, RELAY_TEAM } from './message.ts'

export interface TeamNewsOptions {
  readonly team: Team
  readonly crypto: CryptoProvider
  send(type: number, body: Uint8Array): void
}

export class TeamNews {
  readonly #o: TeamNewsOptions
  /** Hashes of the entries and announcements that the peer has. */
  readonly #known = new Set<string>()
  /** What the digest of the own hello stands for, until the peer's hello came. */
  #atHello: readonly Uint8Array[]
  #toldDigest: Uint8Array | undefined

  constructor(o: TeamNewsOptions) {
    this.#o = o
    this.#atHello = [...o.team.entries(), ...o.team.announcements()]
  }

  /** Begins to tell. `same`: the peer has what this side had when it said hello; there may be more by now. */
  start(same: boolean): void {
    if (same) for (const bytes of this.#atHello) this.#isNews(bytes)
    this.#atHello = []
    this.tell()
  }

  /** Cheap when the team has not changed. */
  tell(): void {
    const { team } = this.#o
    // The team makes another digest only when it has changed.
    const { digest } = team
    if (digest === this.#toldDigest) return
    this.#toldDigest = digest
    const entries = team.entries().filter((bytes) => this.#isNews(bytes))
    const announcements = team.announcements().filter((bytes) => this.#isNews(bytes))
    for (const body of encodeBlobs(entries)) this.#o.send(RELAY_TEAM, body)
    for (const body of encodeBlobs(announcements)) this.#o.send(RELAY_ANNOUNCE, body)
  }

  /** Returns the body: what the peer sent needs no echo. */
  fromPeer(body: Uint8Array): Uint8Array {
    for (const blob of parseBlobs(body)) this.#isNews(blob)
    return body
  }

  /** True once per entry or announcement. */
  #isNews(bytes: Uint8Array): boolean {
    const key = bytesKey(this.#o.crypto.sha256(bytes))
    if (this.#known.has(key)) return false
    this.#known.add(key)
    return true
  }
}

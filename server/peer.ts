/** The devices that are connected, as `blazedb peers` shows them. Invariant: only who has proven a device key is listed. */
import type { CellInfo } from '../runtime/index.ts'

export interface PeerStatus {
  /** Device id for people; the key itself is longer. */
  readonly device: string
  /** Address and port. */
  readonly remote: string
  /** Wall clock, ms, since when its connection is in its present state. */
  readonly sinceMs: number
  /** Spaces that it syncs now. */
  readonly spaces: number
}

export function peersOf(tree: readonly CellInfo[]): PeerStatus[] {
  return tree.flatMap(({ kind, since, detail }) => {
    if (kind !== 'connection' || detail === undefined) return []
    const { device, remote, relays } = { device: '', remote: '', relays: [], ...detail }
    if (typeof device !== 'string' || device === '' || !Array.isArray(relays)) return []
    return [{ device, remote: String(remote), sinceMs: since, spaces: relays.length }]
  })
}

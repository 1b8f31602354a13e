/** Those who watch one cell, across its restarts. Each hears of each death once. */
import type { DownReason } from '../behaviour.ts'

export class WatcherList {
  #watchers: Set<(reason: DownReason) => void> | undefined

  add(notify: (reason: DownReason) => void): () => void {
    this.#watchers ??= new Set()
    this.#watchers.add(notify)
    return () => this.#watchers?.delete(notify)
  }

  /** A final death is the last one to be heard of. */
  notify(reason: DownReason): void {
    const watchers = [...(this.#watchers ?? [])]
    if (reason.final) this.#watchers = undefined
    for (const notify of watchers) notify(reason)
  }
}

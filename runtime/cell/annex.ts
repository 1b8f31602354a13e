/** What only some cells need, made when the first part of it is: a million idle cells must not pay for it. */
import type { AskMail } from './ask.ts'
import type { Timer } from '../env.ts'
import type { IdleWatch } from './idle-watch.ts'
import type { WatcherList } from './watcher-list.ts'
import type { RestartHistory } from '../supervision/restart-history.ts'

/** A promise and the way to settle it. */
export interface Settled {
  readonly promise: Promise<void>
  readonly resolve: () => void
}

export class Annex {
  watchers: WatcherList | undefined
  /** Asks whose message a handler has seen without replying yet. */
  owed: Set<AskMail> | undefined
  history: RestartHistory | undefined
  /** Mail that handlers put aside, oldest first. */
  stashed: unknown[] | undefined
  restarts = 0
  /** A life has ended and another is to follow. */
  lived = false
  quarantined = 0
  lastError: string | undefined
  restartTimer: Timer | undefined
  /** Settled when the present life is torn down. */
  down: Settled | undefined
  /** A kill came while the cell was ending already: nobody waits for its farewell any more. */
  killAsked = false
  /** Ends the wait for the farewell that is under way. */
  cutShort: (() => void) | undefined
  /** Only of cells that may be passivated. */
  idle: IdleWatch | undefined
}

export function settled(): Settled {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

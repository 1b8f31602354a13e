/**
 * The writes that the devices of a team were asked for, and what came of them as far as answers tell.
 * Invariant: a write is promised from its acknowledgement on, until the disk that alone held it is put back or loses rows.
 */
import type { Effect } from './effect.ts'

/** One write that a device was asked for. */
export interface Attempt {
  readonly device: string
  /** Over the whole team, in order of the calls; of a transaction, of the last time that it ran. */
  n: number
  /** As of the last time its transaction ran. */
  effects: readonly Effect[]
  acknowledged: boolean
  /** Somebody else durably holds it. */
  confirmed: boolean
  /** The disk that alone held it has forgotten it. */
  forgotten: boolean
}

/** An effect with what is known of its write. */
export interface Known<E extends Effect> {
  readonly effect: E
  readonly device: string
  readonly n: number
  /** It was acknowledged, and no disk has forgotten it: it must never be lost. */
  readonly promised: boolean
}

class OracleFailure extends Error {
  override readonly name: string = 'OracleFailure'
}

export class Attempts {
  readonly #attempts: Attempt[] = []
  readonly #forgetful = new Set<string>()
  #runs = 0
  #isWhole = true

  begin(device: string, effects: readonly Effect[]): Attempt {
    const attempt = { device, n: 0, effects, acknowledged: false, confirmed: false, forgotten: false }
    this.#attempts.push(attempt)
    this.run(attempt, effects)
    return attempt
  }

  /** The transaction of the attempt begins anew. */
  run(attempt: Attempt, effects: readonly Effect[]): void {
    this.#runs += 1
    attempt.n = this.#runs
    attempt.effects = effects
  }

  /** Acknowledged writes of a device until now. */
  acknowledgedOf(device: string): Attempt[] {
    return this.#attempts.filter((attempt) => attempt.device === device && attempt.acknowledged)
  }

  get now(): number {
    return this.#runs
  }

  /** The disk of the device is as it was after attempt `since`. */
  forget(device: string, since: number): void {
    this.#forgetful.add(device)
    for (const attempt of this.#attempts)
      if (attempt.device === device && attempt.n > since && !attempt.confirmed) attempt.forgotten = true
  }

  /** The disk of the device has lost some rows: of a transaction that only it held, the others may be all that is left. */
  loseRows(device: string): void {
    this.forget(device, 0)
    this.#isWhole = false
  }

  /** Its disk has forgotten something, and may not know what it has done itself. */
  isForgetful(device: string): boolean {
    return this.#forgetful.has(device)
  }

  /** No transaction was torn by a disk. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Ids that inserts of a kind were asked for. */
  idsOf(kind: 'insert' | 'bytes'): string[] {
    return this.#attempts.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === kind ? [effect.id] : [])),
    )
  }

  all<K extends Effect['kind']>(...kinds: readonly K[]): Known<Extract<Effect, { kind: K }>>[] {
    const wanted: ReadonlySet<string> = new Set(kinds)
    return this.#attempts.flatMap(({ device, n, effects, acknowledged, forgotten }) =>
      effects
        .filter((effect): effect is Extract<Effect, { kind: K }> => wanted.has(effect.kind))
        .map((effect) => ({ effect, device, n, promised: acknowledged && !forgotten })),
    )
  }
}

export function fail(device: string, problem: string): never {
  throw new OracleFailure(`${device}: ${problem}`)
}

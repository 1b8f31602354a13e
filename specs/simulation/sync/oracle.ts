/**
 * What must hold of a team whatever happened to it, known from answers alone: which writes were asked for, which of them were
 * acknowledged, which a supervisor confirmed.
 * Invariant: it imports nothing of the database, so that it cannot share a mistake with it.
 */
import { Attempts, fail } from './oracle-attempts.ts'
import { checkLife } from './oracle-life.ts'
import { checkNotes } from './oracle-notes.ts'
import { checkShared } from './oracle-shared.ts'
import type { Shown, TransferEffect } from './effect.ts'

export class TeamOracle extends Attempts {
  /** Visible state by the dots that were under it, and who showed it. */
  readonly #stateOfDots = new Map<string, { readonly text: string; readonly device: string }>()

  /** What holds once everything has reached everybody. */
  checkRest(device: string, shown: Shown): void {
    checkNotes(this, device, shown)
    checkShared(this, device, shown)
    checkLife(this, device, shown)
    this.#checkPairsAtRest(device, shown)
    this.checkWhole(device, shown)
  }

  /** What holds whenever no longer round is being taken: no transaction is shown in part. */
  checkWhole(device: string, shown: Shown): void {
    if (!this.isWhole) return
    let sum = 0
    for (const [id, { count }] of shown.get('accounts') ?? []) {
      if (typeof count !== 'number') fail(device, `account ${id} shows ${String(count)}`)
      sum += Number(count)
    }
    if (sum !== 0) fail(device, `the accounts sum up to ${sum}: a transfer is shown in part`)
    const pairs = shown.get('pairs')
    for (const [id, { value }] of pairs ?? []) {
      const other = pairs?.get(id.endsWith('-x') ? `${id.slice(0, -1)}y` : `${id.slice(0, -1)}x`)?.['value']
      if (other !== value) fail(device, `${id} shows ${String(value)} while the other shows ${String(other)}`)
    }
  }

  /** Same dots, same bytes, whoever shows them and whenever. */
  checkSame(device: string, dots: string, text: string): void {
    const known = this.#stateOfDots.get(dots)
    if (known === undefined) this.#stateOfDots.set(dots, { text, device })
    else if (known.text !== text)
      fail(
        device,
        `shows something else than ${known.device} did with the same dots:\n${text}\n${known.text}`,
      )
  }

  #checkPairsAtRest(device: string, shown: Shown): void {
    const pairs = this.all('pair')
    for (const pair of new Set(pairs.map(({ effect }) => effect.pair))) {
      const ofPair = pairs.filter(({ effect }) => effect.pair === pair)
      // Of transactions at one time the last that ran wins, in whichever order they were asked for.
      const last = Math.max(0, ...ofPair.filter(({ promised }) => promised).map(({ n }) => n))
      const value = shown.get('pairs')?.get(`${pair}-x`)?.['value']
      const n = value === undefined ? 0 : (ofPair.find(({ effect }) => effect.value === value)?.n ?? -1)
      if (n < last)
        fail(device, `pair ${pair} shows ${String(value)} of attempt ${n}, acknowledged was attempt ${last}`)
    }
    for (const account of new Set(this.all('transfer').flatMap(({ effect }) => [effect.from, effect.to])))
      this.#checkAccount(device, account, shown)
  }

  #checkAccount(device: string, account: string, shown: Shown): void {
    let [least, most] = [0, 0]
    for (const { effect, promised } of this.all('transfer')) {
      const by = change(effect, account)
      if (promised || by < 0) least += by
      if (promised || by > 0) most += by
    }
    const count = Number(shown.get('accounts')?.get(account)?.['count'] ?? Number.NaN)
    if (!(count >= least && count <= most))
      fail(device, `account ${account} shows ${count}, expected ${least} to ${most}`)
  }
}

function change({ from, to, by }: TransferEffect, account: string): number {
  return (to === account ? by : 0) - (from === account ? by : 0)
}

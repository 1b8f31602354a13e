/**
 * Records that die and come back: at rest they show a token that no acknowledged write knew and replaced, or they are away because of
 * a delete that nobody who brought them back knew. A later life wins over an earlier one, and a delete over every write of its life.
 * Invariant: imports nothing of the database.
 */
import type { LifeEffect, Shown, ShownValue } from './effect.ts'
import { fail } from './oracle-attempts.ts'
import type { Known, Attempts } from './oracle-attempts.ts'

export function checkLife(oracle: Attempts, device: string, shown: Shown): void {
  const byId = new Map<string, Known<LifeEffect>[]>()
  for (const known of oracle.all('life')) {
    const all = byId.get(known.effect.id) ?? []
    byId.set(known.effect.id, all)
    all.push(known)
  }
  for (const [id, writes] of byId) {
    const token = shown.get('phoenix')?.get(id)?.['token']
    checkRecord(device, id, writes, token)
    checkLives(device, id, livesOf(oracle, writes), token)
  }
  for (const id of shown.get('phoenix')?.keys() ?? [])
    if (!byId.has(id)) fail(device, `nobody made phoenix ${id}`)
}

function checkRecord(
  device: string,
  id: string,
  writes: readonly Known<LifeEffect>[],
  token: ShownValue,
): void {
  if (token === undefined) {
    const isMade = writes.some(({ effect, promised }) => promised && effect.action === 'write')
    const deletes = writes.filter(({ effect }) => effect.action === 'delete')
    if (isMade && !deletes.some((one) => !broughtBack(one, writes)))
      fail(device, `phoenix ${id} is away, and whoever deleted it wrote it again`)
    return
  }
  if (!writes.some(({ effect }) => effect.action === 'write' && effect.token === token))
    fail(device, `phoenix ${id} shows ${String(token)}, which nobody wrote`)
  const over = writes.find(({ effect, promised }) => promised && effect.over === token)
  if (over !== undefined)
    fail(device, `phoenix ${id} shows ${String(token)}, which ${over.device} has seen and replaced`)
}

/** The device that deleted it has seen it away afterwards, and made it again. */
function broughtBack(one: Known<LifeEffect>, writes: readonly Known<LifeEffect>[]): boolean {
  return writes.some(
    ({ effect, device, n, promised }) =>
      promised && device === one.device && n > one.n && effect.action === 'write' && effect.over === 'none',
  )
}

/** An effect, and what answers alone tell of the life that it wrote or ended. */
interface Lived extends Known<LifeEffect> {
  readonly least: number
  readonly most: number
}

function livesOf(oracle: Attempts, writes: readonly Known<LifeEffect>[]): readonly Lived[] {
  const lives: Lived[] = []
  const byToken = new Map<string, Lived>()
  for (const known of [...writes].sort((a, b) => a.n - b.n)) {
    const { effect, device } = known
    const over = byToken.get(effect.over)
    const deletes = lives.filter((one) => one.effect.action === 'delete')
    // Whoever deleted it itself has written a later life; nobody has seen more lives end than were asked to.
    const own = deletes.filter((one) => one.device === device && one.promised && !oracle.isForgetful(device))
    const least = over?.least ?? 1 + Math.max(0, ...own.map((one) => one.least))
    const most = over?.most ?? 1 + Math.max(0, ...deletes.map((one) => one.most))
    const lived = { ...known, least, most }
    lives.push(lived)
    if (effect.action === 'write') byToken.set(effect.token, lived)
  }
  return lives
}

function checkLives(device: string, id: string, lives: readonly Lived[], token: ShownValue): void {
  const promised = lives.filter((one) => one.promised)
  const isDelete = ({ effect }: Lived): boolean => effect.action === 'delete'
  const shown = lives.find(({ effect }) => effect.action === 'write' && effect.token === token)
  const most = shown?.most ?? Math.max(0, ...lives.filter(isDelete).map((one) => one.most))
  const lost = promised.find(
    (one) => one.least > most || (isDelete(one) && one.least >= (shown?.most ?? Infinity)),
  )
  if (lost === undefined) return
  const what = token === undefined ? 'is away' : `shows ${String(token)}`
  fail(
    device,
    `phoenix ${id} ${what}, of life ${most} at most, although ${lost.device} ${isDelete(lost) ? 'ended' : 'wrote'} life ${lost.least}`,
  )
}

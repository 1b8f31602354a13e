/**
 * Records that die and come back: at rest they show a token that no acknowledged write knew and replaced, or they are away because of
 * a delete that nobody who brought them back knew.
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
  for (const [id, writes] of byId) checkRecord(device, id, writes, shown.get('phoenix')?.get(id)?.['token'])
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

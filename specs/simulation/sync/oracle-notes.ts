/**
 * Records with one maker: what was made is there unless somebody asked to delete it, and what was deleted stays away.
 * Invariant: imports nothing of the database.
 */
import type { Shown } from './effect.ts'
import { fail } from './oracle-attempts.ts'
import type { Attempts } from './oracle-attempts.ts'

export function checkNotes(oracle: Attempts, device: string, shown: Shown): void {
  const notes = shown.get('notes')
  const deletes = oracle.all('delete')
  const asked = new Set(deletes.map(({ effect }) => effect.id))
  for (const { effect, promised, device: writer } of deletes)
    if (promised && notes?.has(effect.id) === true)
      fail(device, `note ${effect.id}, deleted by ${writer}, is there`)
  const made = new Map(oracle.all('insert').map((known) => [known.effect.id, known]))
  for (const { effect, promised, device: writer } of made.values()) {
    const note = notes?.get(effect.id)
    if (note === undefined) {
      if (promised && !asked.has(effect.id)) fail(device, `note ${effect.id} of ${writer} is lost`)
    } else if (note['text'] !== effect.text)
      fail(device, `note ${effect.id} of ${writer} shows ${String(note['text'])}`)
  }
  for (const id of notes?.keys() ?? []) if (!made.has(id)) fail(device, `nobody made note ${id}`)
  checkTouches(oracle, device, shown, asked)
  checkBytes(oracle, device, shown)
}

/** Each toucher has a field of its own in the note. */
function checkTouches(oracle: Attempts, device: string, shown: Shown, deleted: ReadonlySet<string>): void {
  for (const { effect, promised, device: writer } of oracle.all('touch')) {
    if (!promised || deleted.has(effect.id)) continue
    if (shown.get('notes')?.get(effect.id)?.[`by-${writer}`] !== true)
      fail(device, `note ${effect.id} has lost the mark of ${writer}`)
  }
}

function checkBytes(oracle: Attempts, device: string, shown: Shown): void {
  const files = shown.get('files')
  for (const { effect, promised, device: writer } of oracle.all('bytes')) {
    const { id, length, fill } = effect
    const file = files?.get(id)
    if (file === undefined) {
      if (promised) fail(device, `file ${id} of ${writer} is lost`)
    } else if (!promised && file['bytes'] === `partial:${length}`) {
      // The rest of it was on the disk that lost rows.
      continue
    } else if (file['bytes'] !== `bytes:${length}:${length * fill}`)
      fail(device, `file ${id} of ${writer} shows ${String(file['bytes'])}, written was ${length} of ${fill}`)
  }
}

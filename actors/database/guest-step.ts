/**
 * The writes of a guest: those of the owner, within what the guest may see.
 * Invariant: fields that the guest does not see keep their states, and a record that it does not see is neither changed nor told of,
 * but for the refusal to take its id.
 */
import { BlazeError, equalBytes } from '../../runtime/index.ts'
import type { GuestPolicy } from './guest-policy.ts'
import type { DeleteStep } from './record-writer.ts'
import { deleteFrom, isAlive, missing, replacing, updateInto } from './record/record-change.ts'
import type { RecordName } from './record/record-change.ts'
import type { RecordState } from './record/record.ts'
import { writeSteps } from './record/write-step.ts'
import type { RecordStep, WriteStep } from './record/write-step.ts'

/** The step as this guest may take it. `NOT_FOUND` for an update of a hidden record, `FORBIDDEN` for the other steps on one. */
export function guestStep(step: WriteStep, policy: GuestPolicy): RecordStep {
  return (found, name, values, tick) => {
    if (isHidden(found, policy)) throw step === 'update' ? missing(name) : taken(name)
    if (step === 'put' && isAlive(found)) {
      const seen = replacing(found, values, (field) => policy.fieldVisible(name.collection, field))
      return updateInto(found, name, seen, tick)
    }
    const state = writeSteps[step](found, name, values, tick)
    return found === undefined ? { ...state, home: policy.home } : state
  }
}

/** Ends the life of a record that this guest may see; undefined when there is none. */
export function guestDelete(policy: GuestPolicy): DeleteStep {
  return (found, tick) => (isHidden(found, policy) ? undefined : deleteFrom(found, tick))
}

/** At home with the guest, and outside what the policy shows: the guest goes on writing it, and is not sent it. */
export function isHiddenHome(found: RecordState, policy: GuestPolicy): boolean {
  return (
    isAlive(found) && !policy.visible(found) && found.home !== null && equalBytes(found.home, policy.home)
  )
}

/** A guest keeps what is at home with it, also when it leaves the filter. */
function isHidden(found: RecordState | undefined, policy: GuestPolicy): boolean {
  return isAlive(found) && !policy.visible(found) && !isHiddenHome(found, policy)
}

function taken({ collection, id }: RecordName): BlazeError {
  return new BlazeError('FORBIDDEN', 'this id belongs to a record that the policy does not show', {
    details: { collection, id },
  })
}

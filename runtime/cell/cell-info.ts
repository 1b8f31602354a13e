/** One line of the tree: what a cell shows of itself. */
import type { Annex } from './annex.ts'
import type { ChildSpec, Instance } from '../behaviour.ts'
import { limits } from '../limits.ts'
import type { CellInfo } from '../tap.ts'
import { describeError } from '../tap.ts'

interface CellFacts {
  readonly id: number
  readonly path: string
  readonly spec: ChildSpec<never>
  readonly status: string
  readonly since: number
  readonly parent: number | null
  readonly annex: Annex | undefined
  readonly mailbox: { readonly depth: number } | undefined
}

/** `instance` of a life that is up. */
export function describeCell(facts: CellFacts, instance: Instance<never> | undefined): CellInfo {
  const { id, path, spec, parent, annex } = facts
  const state = stateOf(instance) ?? { name: facts.status, since: facts.since }
  const detail = inspect(instance)
  const definition = spec.behaviour.definition?.().hash
  const { lastError, restarts = 0, quarantined = 0 } = annex ?? {}
  return {
    id,
    path,
    kind: spec.behaviour.kind,
    parent,
    state: state.name,
    since: state.since,
    mailbox: { depth: facts.mailbox?.depth ?? 0, max: spec.mailboxMax ?? limits.mailboxMessagesMax },
    restarts,
    ...(quarantined === 0 ? {} : { quarantined }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(definition === undefined ? {} : { definition }),
    ...(detail === undefined ? {} : { detail }),
  }
}

/** One cell that cannot be looked at must not hide all others. */
function inspect(instance: Instance<never> | undefined): object | undefined {
  try {
    return instance?.inspect?.()
  } catch (error) {
    return { error: describeError(error) }
  }
}

function stateOf(
  instance: Instance<never> | undefined,
): ReturnType<NonNullable<Instance<never>['state']>> | undefined {
  try {
    return instance?.state?.()
  } catch {
    // Its status is shown instead.
    return undefined
  }
}

/** The benches of group `actors` that host the machine in cells of this kernel. Invariant: as `actors-child.ts` says. */
import { createNodeEnv, createSystem, machine } from '../../runtime/index.ts'
import type { Behaviour, System } from '../../runtime/index.ts'
import { expectCount, goal, perSecond } from './actors-child.ts'
import { circleMachine, step } from './actors-machine.ts'

/** Machine events that wait at once, below the bound of a mailbox. */
const eventsAtOnce = 1_000

export function newSystem(): System {
  return createSystem({ env: createNodeEnv() })
}

function circle(count: () => void): Behaviour<typeof step> {
  return machine<typeof step, typeof step>({
    kind: 'circle',
    definition: circleMachine(() => undefined),
    actions: { count },
  })
}

export async function machines(count: number): Promise<unknown> {
  const system = newSystem()
  const { reached, reach } = goal<void>()
  let handled = 0
  const behaviour = circle(() => {
    handled += 1
    if (handled === count) reach()
  })
  for (let i = 0; i < count; i++) system.spawn({ name: `c${i}`, behaviour }).tell(step)
  await reached
  return system
}

/** One machine behaviour and one cell for all pieces, as raw XState has one actor. */
export async function machineEvents(events: number): Promise<number> {
  let handled = 0
  let wanted = 0
  let told = 0
  let finish = (): void => undefined
  const tellMore = (): void => {
    for (let i = 0; i < eventsAtOnce && told < wanted; i++, told++) ref.tell(step)
  }
  const count = (): void => {
    handled += 1
    if (handled === wanted) finish()
    else if (handled === told) tellMore()
  }
  const ref = newSystem().spawn({ name: 'circle', behaviour: circle(count) })
  return perSecond(events, async (more) => {
    const { reached, reach } = goal<void>()
    finish = () => reach()
    wanted += more
    tellMore()
    await reached
    expectCount('events', handled, wanted)
  })
}

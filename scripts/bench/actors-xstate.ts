/**
 * Child process of group `actors`: XState by itself, with its own actors: transition functions where no machine is asked for, which are
 * the lightest it has.
 *
 * Invariant: as `actors-child.ts` says.
 */
import { createActor, fromTransition } from 'xstate'
import type { AnyActorRef } from 'xstate'
import { answer, bytesEach, expectCount, goal, perSecond } from './actors-child.ts'
import { circleMachine, step } from './actors-machine.ts'

interface Ball {
  readonly type: 'ball'
  readonly left: number
}

async function pingPong(count: number): Promise<void> {
  const { reached, reach } = goal<void>()
  const refs: AnyActorRef[] = []
  let handled = 0
  const player = (next: number) =>
    fromTransition((state: null, ball: Ball) => {
      handled += 1
      if (ball.left === 1) reach()
      else refs[next]?.send({ type: 'ball', left: ball.left - 1 })
      return state
    }, null)
  refs.push(createActor(player(1)).start(), createActor(player(0)).start())
  refs[0]?.send({ type: 'ball', left: count })
  await reached
  expectCount('messages', handled, count)
  for (const ref of refs) ref.stop()
}

async function idle(actors: number): Promise<unknown> {
  const refs: AnyActorRef[] = []
  let handled = 0
  const logic = fromTransition((state: number, ball: Ball) => {
    handled += 1
    return state + ball.left
  }, 0)
  for (let i = 0; i < actors; i++) {
    const ref = createActor(logic).start()
    ref.send({ type: 'ball', left: 1 })
    refs.push(ref)
  }
  expectCount('messages', handled, actors)
  return refs
}

async function machines(count: number): Promise<unknown> {
  const refs: AnyActorRef[] = []
  let handled = 0
  const definition = circleMachine(() => void (handled += 1))
  for (let i = 0; i < count; i++) {
    const ref = createActor(definition).start()
    ref.send(step)
    refs.push(ref)
  }
  expectCount('events', handled, count)
  return refs
}

async function machineEvents(events: number): Promise<number> {
  let handled = 0
  let wanted = 0
  const actor = createActor(circleMachine(() => void (handled += 1))).start()
  return perSecond(events, async (count) => {
    wanted += count
    for (let i = 0; i < count; i++) actor.send(step)
    expectCount('events', handled, wanted)
  })
}

await answer({
  'ping-pong': (size) => perSecond(size('messages'), pingPong),
  'idle-memory': (size) => bytesEach(size('actors'), idle),
  'machine-memory': (size) => bytesEach(size('machines'), machines),
  'machine-event': (size) => machineEvents(size('events')),
})

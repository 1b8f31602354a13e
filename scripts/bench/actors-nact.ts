/**
 * Child process of group `actors`: nact, whose mailboxes have no bound. It confirms a stop by `afterStop` only, and has no monitors.
 *
 * Invariant: as `actors-child.ts` says; an actor counts as alive when it was started and its `afterStop` was not called.
 */
import nact from 'nact'
import type { ActorContext, ActorSystemRef, Ref } from 'nact'
import { answer, bytesEach, expectCount, goal, perSecond, skynetActors, skynetSum } from './actors-child.ts'

const { dispatch, query, spawn, start, stop } = nact

const askMs = 5_000

type Parent = Ref<unknown>
type Context<M> = ActorContext<M, Parent>

/** Ms that a token with `count` hops takes to go round through `size` actors. */
async function passToken(system: ActorSystemRef, size: number, count: number): Promise<number> {
  const { reached, reach } = goal<void>()
  const refs: Ref<number>[] = []
  let handled = 0
  for (let i = 0; i < size; i++) {
    const player = (state: null, left: number): null => {
      handled += 1
      const next = refs[(i + 1) % size]
      if (left === 1) reach()
      else if (next !== undefined) dispatch(next, left - 1)
      return state
    }
    refs.push(spawn(system, player, `p${i}`, { initialState: null }))
  }
  const startMs = performance.now()
  if (refs[0] !== undefined) dispatch(refs[0], count)
  await reached
  const ms = performance.now() - startMs
  expectCount('messages', handled, count)
  for (const ref of refs) stop(ref)
  return ms
}

async function askOften(system: ActorSystemRef, asks: number, inFlight: number): Promise<void> {
  interface Question {
    readonly value: number
    readonly sender: Ref<number>
  }
  const reply = (state: null, question: Question): null => {
    dispatch(question.sender, question.value)
    return state
  }
  const oracle = spawn(system, reply, 'oracle', { initialState: null })
  let sum = 0
  for (let done = 0; done < asks; done += inFlight) {
    const answers: Promise<number>[] = []
    for (let i = 0; i < inFlight; i++)
      answers.push(query(oracle, (sender: Ref<number>): Question => ({ value: 1, sender }), askMs))
    for (const promise of answers) sum += await promise
  }
  expectCount('answers', sum, asks)
  stop(oracle)
}

async function spawnAndStop(system: ActorSystemRef, actors: number, atOnce: number): Promise<void> {
  const behave = (state: number): number => state
  let started = 0
  let stopped = 0
  for (let done = 0; done < actors; done += atOnce) {
    const stops: Promise<void>[] = []
    for (let i = 0; i < atOnce; i++) {
      const { reached, reach } = goal<void>()
      const ref = spawn(system, behave, `m${done + i}`, {
        initialStateFunc: () => (started += 1),
        afterStop: () => reach(),
      })
      stop(ref)
      stops.push(reached)
    }
    for (const promise of stops) {
      await promise
      stopped += 1
    }
  }
  expectCount('started', started, actors)
  expectCount('stopped', stopped, actors)
}

interface Sum {
  left: number
  sum: number
}

/** Seconds until the sum is there. */
async function skynet(leaves: number): Promise<number> {
  const { reached, reach } = goal<number>()
  let alive = 0
  const add = (parent: Ref<number> | undefined) => {
    return (state: Sum, value: number): Sum => {
      state.sum += value
      state.left -= 1
      if (state.left > 0) return state
      if (parent === undefined) reach(state.sum)
      else dispatch(parent, state.sum)
      return state
    }
  }
  const begin = (first: number, size: number, parent: Ref<number> | undefined) => {
    return (ctx: Context<number>): Sum => {
      alive += 1
      if (size === 1 && parent !== undefined) dispatch(parent, first)
      if (size > 1) for (let i = 0; i < 10; i++) node(ctx.self, String(i), first + (i * size) / 10, size / 10)
      return { left: 10, sum: 0 }
    }
  }
  const afterStop = (): void => {
    alive -= 1
  }
  const node = (parent: Ref<number>, name: string, first: number, size: number): void => {
    spawn(parent, add(parent), name, { initialStateFunc: begin(first, size, parent), afterStop })
  }
  const startMs = performance.now()
  spawn(start('skynet'), add(undefined), 'root', {
    initialStateFunc: begin(0, leaves, undefined),
    afterStop,
  })
  const sum = await reached
  const seconds = (performance.now() - startMs) / 1_000
  expectCount('sum', sum, skynetSum(leaves))
  expectCount('alive', alive, skynetActors(leaves))
  return seconds
}

async function idle(actors: number): Promise<unknown> {
  const system = start(`idle-${actors}`)
  const { reached, reach } = goal<void>()
  let handled = 0
  const behave = (state: number, value: number): number => {
    handled += 1
    if (handled === actors) reach()
    return state + value
  }
  for (let i = 0; i < actors; i++) dispatch(spawn(system, behave, `i${i}`, { initialState: 0 }), 1)
  await reached
  return system
}

await answer({
  'ping-pong': (size) => {
    const system = start('ping-pong')
    return perSecond(size('messages'), (count) => passToken(system, 2, count))
  },
  'ring-1000': (size) => {
    const system = start('ring')
    return perSecond(size('hops'), (count) => passToken(system, size('actors'), count))
  },
  ask: (size) => {
    const system = start('ask')
    return perSecond(size('asks'), (count) => askOften(system, count, size('inFlight')))
  },
  'spawn-stop': (size) => {
    const system = start('spawn-stop')
    return perSecond(size('actors'), (count) => spawnAndStop(system, count, size('atOnce')))
  },
  'skynet-1e6': async (size) => {
    await skynet(10_000)
    return skynet(size('leaves'))
  },
  'idle-memory': (size) => bytesEach(size('actors'), idle),
})

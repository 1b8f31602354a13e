/**
 * Child process of group `actors`: this kernel, on Node's clock, with bounded mailboxes and supervision, and no listener at the tap.
 *
 * Invariant: as `actors-child.ts` says; actors are counted by the system's own tree.
 */
import { reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import type { Behaviour, Ref, System } from '../../runtime/index.ts'
import { answer, bytesEach, expectCount, goal, perSecond, skynetActors, skynetSum } from './actors-child.ts'
import { machineEvents, machines, newSystem } from './actors-hosted-machine.ts'

const askMs = 5_000

/** Ms that a token with `count` hops takes to go round through `size` cells. */
async function passToken(system: System, size: number, count: number): Promise<number> {
  const { reached, reach } = goal<void>()
  const refs: Ref<number>[] = []
  let handled = 0
  const player = (next: number): Behaviour<number> =>
    reducer<null, number>({
      kind: 'player',
      init: () => null,
      receive(state, left) {
        handled += 1
        if (left === 1) reach()
        else refs[next]?.tell(left - 1)
        return state
      },
    })
  for (let i = 0; i < size; i++) refs.push(system.spawn({ name: `p${i}`, behaviour: player((i + 1) % size) }))
  const startMs = performance.now()
  refs[0]?.tell(count)
  await reached
  const ms = performance.now() - startMs
  expectCount('messages', handled, count)
  await Promise.all(refs.map((ref) => ref.stop()))
  return ms
}

async function askOften(system: System, asks: number, inFlight: number): Promise<void> {
  interface Question {
    readonly value: number
    reply(value: number): void
  }
  const behaviour = reducer<null, Question>({
    kind: 'oracle',
    init: () => null,
    receive(state, question) {
      question.reply(question.value)
      return state
    },
  })
  const oracle = system.spawn({ name: 'oracle', behaviour })
  let sum = 0
  for (let done = 0; done < asks; done += inFlight) {
    const answers: Promise<number>[] = []
    for (let i = 0; i < inFlight; i++)
      answers.push(oracle.ask<number>((reply) => ({ value: 1, reply }), askMs))
    for (const promise of answers) sum += await promise
  }
  expectCount('answers', sum, asks)
  await oracle.stop()
}

async function spawnAndStop(system: System, actors: number, atOnce: number): Promise<void> {
  let started = 0
  let stopped = 0
  const behaviour = reducer<number, never>({
    kind: 'mayfly',
    init: () => (started += 1),
    receive: (state) => state,
  })
  for (let done = 0; done < actors; done += atOnce) {
    const stops: Promise<void>[] = []
    for (let i = 0; i < atOnce; i++) stops.push(system.spawn({ name: `m${done + i}`, behaviour }).stop())
    for (const stop of stops) {
      await stop
      stopped += 1
    }
  }
  expectCount('started', started, actors)
  expectCount('stopped', stopped, actors)
  expectCount('alive', system.tree().length, 0)
}

interface Sum {
  left: number
  sum: number
}

/** Seconds until the sum is there. */
async function skynet(leaves: number): Promise<number> {
  const system = newSystem()
  const { reached, reach } = goal<number>()
  const node = (first: number, size: number, parent: Ref<number> | undefined): Behaviour<number> =>
    reducer<Sum, number>({
      kind: 'node',
      init(ctx) {
        if (size === 1) parent?.tell(first)
        else
          for (let i = 0; i < 10; i++) {
            const below = node(first + (i * size) / 10, size / 10, ctx.self)
            ctx.spawn({ name: String(i), behaviour: below })
          }
        return { left: 10, sum: 0 }
      },
      receive(state, value) {
        state.sum += value
        state.left -= 1
        if (state.left > 0) return state
        if (parent === undefined) reach(state.sum)
        else parent.tell(state.sum)
        return state
      },
    })
  const startMs = performance.now()
  system.spawn({ name: 'root', behaviour: node(0, leaves, undefined) })
  const sum = await reached
  const seconds = (performance.now() - startMs) / 1_000
  expectCount('sum', sum, skynetSum(leaves))
  const alive = system.tree().filter((cell) => cell.state === 'running').length
  expectCount('alive', alive, skynetActors(leaves))
  return seconds
}

async function idle(actors: number): Promise<unknown> {
  const system = newSystem()
  const { reached, reach } = goal<void>()
  let handled = 0
  const behaviour = reducer<number, number>({
    kind: 'idle',
    init: () => 0,
    receive(state, value) {
      handled += 1
      if (handled === actors) reach()
      return state + value
    },
  })
  for (let i = 0; i < actors; i++) system.spawn({ name: `i${i}`, behaviour }).tell(1)
  await reached
  return system
}

/** Median of µs from a throw to the next start. */
async function restarts(count: number): Promise<number> {
  const taken: number[] = []
  let thrownMs = 0
  let started = (): void => undefined
  const behaviour = reducer<null, 'crash'>({
    kind: 'crasher',
    init() {
      if (thrownMs > 0) taken.push((performance.now() - thrownMs) * 1_000)
      started()
      return null
    },
    receive() {
      thrownMs = performance.now()
      throw new Error('as asked')
    },
  })
  const rules = { intensity: 1_000_000, periodMs: 1_000, backoff: { firstMs: 0, maxMs: 0 } } as const
  const parent = supervisor({ kind: 'parent', strategy: 'dynamic', ...rules })
  const ref = spawnUnder(newSystem().spawn({ name: 'parent', behaviour: parent }), {
    name: 'crasher',
    behaviour,
  })
  const warmUp = Math.ceil(count / 10)
  for (let i = 0; i < warmUp + count; i++) {
    const { reached, reach } = goal<void>()
    started = () => reach()
    ref.tell('crash')
    await reached
  }
  expectCount('restarts', taken.length, warmUp + count)
  const sorted = taken.slice(warmUp).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function pingPong(messages: number, listener = 'never'): Promise<number> {
  const system = newSystem()
  if (listener === 'gone') {
    let heard = 0
    const leave = system.tap.subscribe(() => void (heard += 1), { messages: true })
    await passToken(system, 2, 1_000)
    leave()
    if (heard < 1_000) throw new Error(`the tap showed ${heard} events of 1000 messages`)
  }
  return perSecond(messages, (count) => passToken(system, 2, count))
}

await answer({
  'ping-pong': (size) => pingPong(size('messages')),
  'tap-off': (size, { listener }) => pingPong(size('messages'), listener),
  'ring-1000': (size) => {
    const system = newSystem()
    return perSecond(size('hops'), (count) => passToken(system, size('actors'), count))
  },
  ask: (size) => {
    const system = newSystem()
    return perSecond(size('asks'), (count) => askOften(system, count, size('inFlight')))
  },
  'spawn-stop': (size) => {
    const system = newSystem()
    return perSecond(size('actors'), (count) => spawnAndStop(system, count, size('atOnce')))
  },
  'skynet-1e6': async (size) => {
    await skynet(10_000)
    return skynet(size('leaves'))
  },
  'idle-memory': (size) => bytesEach(size('actors'), idle),
  'machine-memory': (size) => bytesEach(size('machines'), machines),
  'machine-event': (size) => machineEvents(size('events')),
  restart: (size) => restarts(size('restarts')),
})

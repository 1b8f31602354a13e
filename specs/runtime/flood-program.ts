/**
 * A process that floods its cells with a million messages and prints what a timer of 10 ms and an echo over a socket made of it.
 * Invariant: it prints only when every message was handled.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Env, Ref } from '../../runtime/index.ts'
import { createNodeEnv, createSystem, reducer } from '../../runtime/index.ts'

/** `pair`: two cells fill each other's mailboxes. `many`: many cells fill that of one. `hog`: a pair, one of whose handlers takes long. */
export type FloodKind = 'pair' | 'many' | 'hog'

export interface FloodResult {
  readonly handled: number
  readonly ms: number
  /** How late the timer was, at worst. */
  readonly lateMsMax: number
  readonly ticks: number
  /** Bytes that came back through the socket while the flood was on. */
  readonly echoes: number
}

const messages = 1_000_000
const timerMs = 10
const hogMs = 60
const senders = 8

async function run(kind: FloodKind, directory: string): Promise<FloodResult> {
  const env = createNodeEnv()
  const echo = await startEcho(join(directory, 'echo'))
  const begunMs = env.monotonic()
  const clock = startClock(env)
  const handled = await (kind === 'many' ? floodOne(env) : floodPair(env, kind === 'hog'))
  const ms = env.monotonic() - begunMs
  const { lateMsMax, ticks } = clock.stop()
  const echoes = echo.stop()
  return { handled, ms, lateMsMax, ticks, echoes }
}

/** Each cell fills the other's mailbox until it is full, and goes on when it is told something itself. */
function floodPair(env: Env, hog: boolean): Promise<number> {
  const system = createSystem({ env })
  const refs: Ref<number>[] = []
  let told = 0
  let handled = 0
  return new Promise((resolve) => {
    for (const other of [1, 0])
      refs.push(
        system.spawn({
          name: `${other}`,
          behaviour: reducer<null, number>({
            kind: 'flooder',
            init: () => null,
            receive(state, number) {
              handled++
              if (hog && number === messages / 2) waste(env)
              while (told < messages && refs[other]?.tell(told + 1) === 'ok') told++
              if (handled === messages) void system.stop().then(() => resolve(handled))
              return state
            },
          }),
        }),
      )
    told = 1
    refs[0]?.tell(told)
  })
}

/** Many cells tell one as much as it takes, and try again at their next turn. */
function floodOne(env: Env): Promise<number> {
  const system = createSystem({ env })
  let told = 0
  let handled = 0
  return new Promise((resolve) => {
    const sink = system.spawn({
      name: 'sink',
      behaviour: reducer<null, number>({
        kind: 'sink',
        init: () => null,
        receive(state) {
          if (++handled === messages) void system.stop().then(() => resolve(handled))
          return state
        },
      }),
    })
    const behaviour = reducer<null, 'go'>({
      kind: 'sender',
      init: () => null,
      receive(state, go, ctx) {
        while (told < messages && sink.tell(told + 1) === 'ok') told++
        if (told < messages) ctx.self.tell(go)
        return state
      },
    })
    for (let i = 0; i < senders; i++) system.spawn({ name: `sender ${i}`, behaviour }).tell('go')
  })
}

function waste(env: Env): void {
  const untilMs = env.monotonic() + hogMs
  while (env.monotonic() < untilMs);
}

function startClock(env: Env): { stop(): { lateMsMax: number; ticks: number } } {
  let lateMsMax = 0
  let ticks = 0
  let timer = { cancel() {} }
  let dueMs = 0
  const look = (): void => {
    lateMsMax = Math.max(lateMsMax, env.monotonic() - dueMs)
  }
  const arm = (): void => {
    dueMs = env.monotonic() + timerMs
    timer = env.after(timerMs, () => {
      look()
      ticks++
      arm()
    })
  }
  arm()
  return {
    stop() {
      // One that is due now and did not come was late as well.
      look()
      timer.cancel()
      return { lateMsMax, ticks }
    },
  }
}

/** Sends one byte round and round. */
async function startEcho(path: string): Promise<{ stop(): number }> {
  const server = createServer((socket) => void socket.pipe(socket)).listen(path)
  await once(server, 'listening')
  const socket = connect(path)
  await once(socket, 'connect')
  let echoes = 0
  let over = false
  socket.on('data', (data) => {
    if (over) return
    echoes++
    socket.write(data)
  })
  socket.write('.')
  return {
    stop() {
      over = true
      socket.end()
      server.close()
      return echoes
    },
  }
}

const [kind = 'pair', directory = '.'] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await run(kind as FloodKind, directory)))

/** Child process of group `channel`: a server that echoes, or its client. Invariant: what is timed came back whole. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { answerParent } from '../process/call.ts'
import { readMemory } from '../process/memory.ts'
import { blazedbChannel } from './channel-blazedb.ts'
import { rawChannel } from './channel-raw.ts'
import type {
  ChannelClientCalls,
  ChannelServerCalls,
  ChannelSystem,
  ChannelSystemName,
  EchoLink,
} from './channel-calls.ts'

const systems: Readonly<Record<ChannelSystemName, ChannelSystem>> = {
  blazedb: blazedbChannel,
  raw: rawChannel,
}
/** Trips before those that count: code gets compiled. */
const WARM_TRIPS = 500
const held: EchoLink[] = []
let link: EchoLink | undefined

function connected(): EchoLink {
  if (link === undefined) throw new Error('it is not connected')
  return link
}

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

const calls: ChannelServerCalls & ChannelClientCalls = {
  listen: ({ system, transport, directory }) => systems[system].listen(transport, directory),
  async cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  async memory() {
    for (let n = 0; n < 3; n += 1) {
      if (typeof collect === 'function') collect()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const memory = readMemory(process.pid)
    if (memory === undefined) throw new Error('the system does not tell the memory of a process')
    return memory.rssBytes
  },
  async connect({ system, place }) {
    link = await systems[system].dial(place)
  },
  async trips({ count, bytes }) {
    const echo = connected()
    for (let n = 0; n < Math.min(WARM_TRIPS, count); n += 1) await echo.trip(bytes)
    const us: number[] = []
    for (let n = 0; n < count; n += 1) {
      const startMs = performance.now()
      await echo.trip(bytes)
      us.push((performance.now() - startMs) * 1_000)
    }
    return us
  },
  async stream({ messages, bytes }) {
    const echo = connected()
    await echo.stream(Math.ceil(messages / 10), bytes)
    const startMs = performance.now()
    await echo.stream(messages, bytes)
    return { ms: performance.now() - startMs }
  },
  async handshakes({ system, place, count, atOnce }) {
    const ms: number[] = []
    let begun = 0
    const worker = async (): Promise<void> => {
      while (begun < count) {
        begun += 1
        const startMs = performance.now()
        const made = await systems[system].dial(place)
        ms.push(performance.now() - startMs)
        made.close()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    return ms
  },
  async hold({ system, place, count }) {
    for (let n = 0; n < count; n += 1) held.push(await systems[system].dial(place))
  },
}

answerParent(calls, async () => {
  for (const echo of [...held, ...(link === undefined ? [] : [link])]) echo.close()
})

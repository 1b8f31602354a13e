/**
 * Rest, and what holds then: every device shows what it must, and all of a team hold the same writes and show the same bytes.
 * Invariant: rest is what the devices themselves say, checked again by the dots that they hold.
 */
import { partsOf } from '../../../actors/client/client.ts'
import { toHex } from '../../../runtime/index.ts'
import type { DeviceNode } from './device-node.ts'
import { LastWrites } from './last-writes.ts'
import { fail } from './oracle-attempts.ts'
import { shownOf, textOf } from './shown.ts'
import type { Team } from './team.ts'

export class RestCheck {
  readonly #teams: readonly Team[]
  readonly #lastWrites = new LastWrites()

  constructor(teams: readonly Team[]) {
    this.#teams = teams
  }

  /** All have come to rest, and again after the last writes. */
  isQuiet(devices: readonly DeviceNode[]): boolean {
    return this.#rests(devices) && this.#lastWrites.isDone(devices)
  }

  #rests(devices: readonly DeviceNode[]): boolean {
    return this.#teams.every((team) => {
      const heads = devices.filter((device) => device.team === team).map(restingHead)
      return !heads.includes(undefined) && new Set(heads).size === 1
    })
  }

  async check(devices: readonly DeviceNode[]): Promise<void> {
    for (const device of devices) {
      if (device.client === undefined) fail(device.name, 'has no client at rest')
      const look = await device.look(device.client)
      if (look === undefined) fail(device.name, 'moves at rest')
      const shown = shownOf(look.docs)
      device.team.oracle.checkSame(device.name, look.dots, textOf(shown))
      device.team.oracle.checkRest(device.name, shown)
      this.#checkOneState(device, look.dots)
      this.#lastWrites.check(device, look.dots)
    }
    this.#dots.clear()
  }

  readonly #dots = new Map<Team, { readonly device: string; readonly dots: string }>()

  #checkOneState(device: DeviceNode, dots: string): void {
    const first = this.#dots.get(device.team) ?? { device: device.name, dots }
    this.#dots.set(device.team, first)
    if (first.dots !== dots)
      fail(device.name, `holds other writes than ${first.device}:\n${differences(first.dots, dots)}`)
  }
}

/** Its clock stays wrong, and that is said instead. */
const quietStates: ReadonlySet<string | undefined> = new Set(['caughtUp', 'clockSkew'])

/** What the device holds, in a word, when it says that it rests; undefined when it does not. */
function restingHead({ client, busy, writing }: DeviceNode): string | undefined {
  const status = client?.sync?.status()
  if (client === undefined || busy || writing > 0) return undefined
  if (status === undefined || client.status().state !== 'ready') return undefined
  const isQuiet = quietStates.has(status.state) && status.relay === 'live'
  const replica = partsOf(client).database.space?.replica
  if (!isQuiet || replica === undefined || status.lag > 0 || status.held > 0) return undefined
  return `${replica.liveEnvelopes} ${toHex(replica.vectorDigest())}`
}

/** For the error of a world that does not come to rest. */
export function standingOf(device: DeviceNode): string {
  const { name, client, busy, writing } = device
  if (client === undefined) return `${name} has no client`
  const { state, error } = client.status()
  const why = client.sync?.why() ?? 'no sync'
  return `${name}${busy ? ' (busy)' : ''}${writing > 0 ? ` (answers ${writing})` : ''} is ${state}${error === undefined ? '' : ` (${error})`}, holds ${restingHead(device) ?? '?'}: ${why}`
}

function differences(one: string, other: string): string {
  const [ones, others] = [new Set(one.split('\n')), new Set(other.split('\n'))]
  return [
    ...[...ones].filter((line) => !others.has(line)).map((line) => `- ${line}`),
    ...[...others].filter((line) => !ones.has(line)).map((line) => `+ ${line}`),
  ].join('\n')
}

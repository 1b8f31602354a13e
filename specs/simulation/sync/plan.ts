/**
 * What a seed draws before anything runs: supervisors, teams, their devices, and what befalls one of them.
 * Invariant: a plan depends on the chance alone.
 */

/** How a device comes to its team. `founder` makes it; `late` ones join under faults, a `clone` is a copy of another. */
export type Arrival = 'founder' | 'invited' | 'late' | 'clone'

export interface DevicePlan {
  readonly name: string
  readonly team: string
  readonly arrival: Arrival
  readonly role: 'writer' | 'reader'
  /** The supervisor in whose process it lives: that one is keyed. */
  readonly beside?: string
}

export interface TeamPlan {
  readonly name: string
  /** Name of its supervisor. */
  readonly home: string
  readonly devices: readonly DevicePlan[]
}

/** What happens to a directory in the middle of the faults. */
export type Misfit =
  | 'nothing'
  | 'device restored'
  | 'device cloned'
  | 'device damaged'
  | 'supervisor restored'
  | 'supervisor wiped'
  | 'supervisor damaged'

export interface Plan {
  readonly supervisors: readonly string[]
  readonly teams: readonly TeamPlan[]
  readonly misfit: Misfit
  /** The node that it befalls. */
  readonly victim: string
  /** Some teams move to another supervisor. */
  readonly moves: boolean
  /** Share of the writes that are large values. */
  readonly large: number
  /** Share of the steps that write. */
  readonly pace: number
  /** Bytes at which a part of a round is closed. */
  readonly partBytes: number
  /** Bytes a second that supervisors take from each device; undefined for all that comes. */
  readonly rateBytes: number | undefined
}

const misfits: readonly Misfit[] = [
  'device restored',
  'device cloned',
  'device damaged',
  'supervisor restored',
  'supervisor wiped',
  'supervisor damaged',
]

const devicesMin = 2
const devicesMax = 8
/** Of the worlds in which a supervisor can be keyed, those in which all are. */
const keyedShare = 0.4
/** Of the worlds, those whose rounds have many parts although they are short. */
const smallPartsShare = 0.5
const partBytesMin = 1_024
/** What products have. */
const partBytesMax = 262_144

/** Of the worlds in which no device has to send all there is, those whose supervisors limit what they take. */
const ratedShare = 0.3
/** Little enough to refuse parts of most devices, and enough for all to come through before the time for rest is over. */
const rateBytesMin = 15
const rateBytesMax = 60

export function drawPlan(random: () => number): Plan {
  // Powers, so that most worlds are small.
  const count = devicesMin + Math.floor(random() ** 3 * (devicesMax - devicesMin + 1))
  const hosts = 1 + Math.floor(random() ** 2 * 3)
  const supervisors = Array.from({ length: hosts }, (_none, at) => `pi-${at + 1}`)
  const teamCount = Math.min(hosts, Math.floor(count / devicesMin))
  const teams = Array.from({ length: teamCount }, (_none, at): TeamPlan => {
    const name = `team-${at + 1}`
    const size = Math.floor(count / teamCount) + (at < count % teamCount ? 1 : 0)
    const devices = Array.from({ length: size }, (_device, place): DevicePlan => {
      const kind = random()
      return {
        name: `${'abc'[at] ?? 'd'}${place + 1}`,
        team: name,
        arrival: place === 0 ? 'founder' : kind < 0.3 && place > 1 ? 'late' : 'invited',
        role: place > 1 && kind > 0.85 ? 'reader' : 'writer',
      }
    })
    return { name, home: supervisors[at] ?? 'pi-1', devices }
  })
  const misfit = random() < 0.5 ? 'nothing' : (misfits[Math.floor(random() * misfits.length)] ?? 'nothing')
  const team = teams[Math.floor(random() * teams.length)]
  const writers = team?.devices.filter(({ arrival, role }) => arrival !== 'late' && role === 'writer') ?? []
  const victim = misfit.startsWith('supervisor')
    ? (team?.home ?? 'pi-1')
    : (writers[Math.floor(random() * writers.length)]?.name ?? 'a1')
  const clone: DevicePlan = { name: 'clone', team: team?.name ?? '', arrival: 'clone', role: 'writer' }
  const withClone = (one: TeamPlan): TeamPlan =>
    misfit === 'device cloned' && one === team ? { ...one, devices: [...one.devices, clone] } : one
  const moves = hosts > 1 && misfit === 'nothing' && random() < 0.5
  const large = random() < 0.25 ? 0.1 : 0
  const pace = 0.4 + 0.6 * random()
  const isKeyed = !moves && !misfit.startsWith('supervisor') && (pace * 1_000) % 1 < keyedShare
  const partBytes = random() < smallPartsShare ? Math.floor(partBytesMin * 8 ** random()) : partBytesMax
  const sendsLittle = large === 0 && !moves && !misfit.startsWith('supervisor')
  const isRated = sendsLittle && (pace * 10_000) % 1 < ratedShare
  const rate = rateBytesMin * (rateBytesMax / rateBytesMin) ** ((pace * 100_000) % 1)
  const plans = teams.map(withClone)
  return {
    supervisors,
    teams: isKeyed ? plans.map((one) => besideItsSupervisor(one, victim)) : plans,
    misfit,
    victim,
    moves,
    large,
    pace,
    partBytes,
    rateBytes: isRated ? Math.floor(rate) : undefined,
  }
}

/** The second device of the team lives with the supervisor, unless something befalls its own directory. */
function besideItsSupervisor(team: TeamPlan, victim: string): TeamPlan {
  const devices = team.devices.map((device, place) =>
    place === 1 && device.name !== victim && device.arrival === 'invited'
      ? { ...device, beside: team.home }
      : device,
  )
  return { ...team, devices }
}

/**
 * Once all is quiet, one device of each team writes the records for which all fought once more: whoever merges concurrent writes leaves
 * one of them (REPLICATION rule 1), so a store that still holds the others has kept what nobody needs.
 * Invariant: what a team wrote is known by its dot. It is asked again when a device has taken another replica id since: a clone that is
 * found out by these writes makes its own again, beside them.
 */
import { partsOf } from '../../../actors/client/client.ts'
import { BlazeError } from '../../../actors/index.ts'
import { toHex } from '../../../runtime/index.ts'
import type { DeviceNode } from './device-node.ts'
import { sharedIds } from './first-records.ts'
import { fail } from './oracle-attempts.ts'
import type { Team } from './team.ts'

export class LastWrites {
  /** What each record was merged into, as a look names it. */
  readonly #dots = new Map<Team, string[]>()
  /** The replica ids of a team when it was asked. */
  readonly #replicas = new Map<Team, string>()
  #running = 0

  /** Every team has written, and is what it was then; asks those that are not. The teams are quiet now. */
  isDone(devices: readonly DeviceNode[]): boolean {
    if (this.#running > 0) return false
    for (const device of devices) {
      if (device.plan.role === 'reader') continue
      const replicas = replicasOf(devices.filter(({ team }) => team === device.team))
      if (this.#replicas.get(device.team) === replicas) continue
      this.#replicas.set(device.team, replicas)
      this.#dots.set(device.team, [])
      this.#running += 1
      void this.#write(device).finally(() => {
        this.#running -= 1
      })
    }
    return this.#running === 0
  }

  /** `dots`: of a look at all that a device holds. */
  check(device: DeviceNode, dots: string): void {
    const lines = dots.split('\n').map((line) => line.split(' ').slice(1))
    for (const dot of this.#dots.get(device.team) ?? []) {
      const line = lines.find((found) => found.includes(dot))
      if (line === undefined) fail(device.name, `does not hold ${dot}`)
      if (line.length > 1) fail(device.name, `keeps ${line.join(' ')}, of which ${dot} has merged all`)
    }
  }

  async #write(device: DeviceNode): Promise<void> {
    const { client } = device
    if (client === undefined) return
    for (const id of sharedIds) {
      const value = device.team.oracle.now + 1_000_000
      const attempt = device.team.oracle.begin(device.name, [
        { kind: 'own', record: id, field: `own-${device.name}`, value },
      ])
      try {
        await client.collection('shared').update(id, { [`own-${device.name}`]: value })
      } catch (error) {
        // A clock that is wrong for good writes nothing.
        if (!(error instanceof BlazeError)) throw error
        return
      }
      attempt.acknowledged = true
      const { database } = partsOf(client)
      const seq = database.space?.replica.lastOwnSeq ?? 0
      this.#dots.get(device.team)?.push(`${toHex(database.identity.replica)}.${seq}`)
    }
  }
}

function replicasOf(devices: readonly DeviceNode[]): string {
  return devices
    .map(({ client }) => (client === undefined ? '' : toHex(partsOf(client).database.identity.replica)))
    .join()
}

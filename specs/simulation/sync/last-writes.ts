/**
 * Once all is quiet, one device of each team writes the records for which all fought once more: whoever merges concurrent writes leaves
 * one of them (REPLICATION rule 1), so a store that still holds the others has kept what nobody needs.
 * Invariant: a team is asked once, and what it wrote is known by its dot.
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
  #running = 0

  /** Begins with the teams that are quiet now. */
  begin(devices: readonly DeviceNode[]): void {
    for (const device of devices) {
      if (this.#dots.has(device.team) || device.plan.role === 'reader') continue
      this.#dots.set(device.team, [])
      this.#running += 1
      void this.#write(device).finally(() => {
        this.#running -= 1
      })
    }
  }

  get done(): boolean {
    return this.#dots.size > 0 && this.#running === 0
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

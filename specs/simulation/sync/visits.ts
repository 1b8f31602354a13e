/**
 * Which states and transitions of the machines of sync a campaign has visited. Imported before any of them is made.
 * Invariant: only what a machine really did counts; a place that no path leads to is not asked for.
 */
import type { AnyStateMachine } from 'xstate'
import { recordVisits } from '../../fixtures/visit-recorder.ts'
import { fingerprintOf, missingOf, placesOf } from '../../fixtures/visit-record.ts'

const visitsSoFar = recordVisits()

export interface MachineVisits {
  readonly machine: string
  readonly places: number
  readonly visited: number
  readonly missing: readonly string[]
}

export async function machineVisits(): Promise<readonly MachineVisits[]> {
  const { acceptedMachine, dialedMachine } = await import('../../../actors/connection/machine.ts')
  const { relayMachine } = await import('../../../actors/relay/machine.ts')
  const { databaseMachine } = await import('../../../actors/database/machine.ts')
  const { resourceMachine } = await import('../../../server/resource/machine.ts')
  const machines: Readonly<Record<string, AnyStateMachine>> = {
    connection: dialedMachine,
    accepted: acceptedMachine,
    relay: relayMachine,
    database: databaseMachine,
    resource: resourceMachine,
  }
  const visits = visitsSoFar()
  return Object.entries(machines).map(([machine, definition]) => ({
    machine,
    places: placesOf(definition).length,
    visited: visits.get(fingerprintOf(definition))?.size ?? 0,
    missing: missingOf(definition, visits),
  }))
}

/** One line a machine, and one for each place that was never visited. */
export async function visitLines(): Promise<readonly string[]> {
  return (await machineVisits()).flatMap(({ machine, places, missing }) => [
    `${machine}: ${places - missing.length} of ${places} states and transitions visited`,
    ...missing.map((place) => `  never: ${place.replace(/: no spec visits it$/, '')}`),
  ])
}

/**
 * What every transport promises (`blazedb/testing`), as specs, and what specs of one transport are made with.
 * Invariant: each spec makes its own world and closes it; waits are bounded by real time.
 */
import { test } from 'uvu'

import { BlazeError } from '../../runtime/index.ts'
import { transportConformance } from '../../actors/testing.ts'
import type { TransportWorld } from '../../actors/testing.ts'
import type { Endpoint, Link, Listener } from '../../transports/index.ts'

/** What one end of a link has seen. */
export interface Seen {
  readonly records: Uint8Array[]
  drains: number
  closed: { error: BlazeError | undefined }[]
}

export interface Pair {
  readonly listener: Listener
  readonly dialled: Link
  readonly accepted: Link
  /** Destroys both ends and the listener. */
  end(): Promise<void>
}

const WAIT_MS = 5_000

/** Waits until `condition` holds, at most five seconds unless told otherwise. */
export async function until(condition: () => boolean, what: string, waitMs: number = WAIT_MS): Promise<void> {
  const end = performance.now() + waitMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** The code of the `BlazeError` that `work` rejects with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return error instanceof BlazeError ? error.code : String(error)
  }
  return 'no error'
}

/** Where a listener of a network listens. */
export function portOf(endpoint: Endpoint): number {
  if (endpoint.transport === 'uds') throw new Error(`${endpoint.name} has no port`)
  return endpoint.port
}

export async function connect(world: TransportWorld): Promise<Pair> {
  const links: Link[] = []
  const listener = await world.listening.listen(world.endpoint, (link) => links.push(link))
  const dialled = await world.dialling.dial(listener.endpoint, { timeoutMs: WAIT_MS })
  await until(() => links.length === 1, 'the listener has its link')
  const accepted = links[0]
  if (accepted === undefined) throw new Error('the listener has no link')
  const end = async (): Promise<void> => {
    dialled.destroy()
    accepted.destroy()
    await listener.close()
  }
  return { listener, dialled, accepted, end }
}

export function watch(link: Link): Seen {
  const seen: Seen = { records: [], drains: 0, closed: [] }
  link.attach({
    record: (bytes) => seen.records.push(bytes.slice()),
    drain: () => seen.drains++,
    closed: (error) => seen.closed.push({ error }),
  })
  return seen
}

/** Registers the suite; the caller runs it. */
export function transportContract(name: string, makeWorld: () => TransportWorld): void {
  for (const promise of transportConformance) {
    test(`${name}: ${promise.name}`, () => promise.run(makeWorld()))
  }
}

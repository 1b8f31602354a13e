/**
 * What has to be there after devices were killed in the middle of their writes, and what may be.
 *
 * Invariant: an acknowledged write has one outcome; one under way at a kill has two, and nothing else has any.
 */
import type { Doc } from '../../../actors/database/index.ts'
import {
  doomedId,
  operationsOf,
  sharedId,
  sharedRecords,
  workLanes,
  type Operation,
  type WorkLane,
} from '../../fixtures/device-work.ts'

/** Operations of a lane that may have been made after the last one that was heard of: one under way, one whose answer was lost. */
const unheardMax = 2
const gone = 'gone'

export class KillLedger {
  /** Outcomes by record, or by record and device where both write. */
  readonly #outcomes = new Map<string, Set<string>>()
  readonly #lanes = new Map<string, Generator<Operation, never>>()
  #acknowledged = 0

  constructor(devices: readonly string[]) {
    for (let lane = 0; lane < workLanes; lane++) {
      for (let at = 0; at < sharedRecords; at++) {
        this.#outcomes.set(doomedId(lane, at), new Set(['living']))
        for (const id of [sharedId(lane, at), doomedId(lane, at)])
          for (const device of devices) this.#outcomes.set(`${id}/${device}`, new Set(['']))
      }
    }
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** The device told that the next operation of its lane is durable. */
  acknowledge(name: WorkLane): void {
    const lane = this.#lane(name)
    this.#acknowledged += 1
    for (const [key, outcome] of outcomesOf(lane.next().value, name.device))
      this.#outcomes.set(key, new Set([outcome]))
  }

  /** The device was killed: what it began may be there. */
  killed(name: Omit<WorkLane, 'lane'>): void {
    for (let at = 0; at < workLanes; at++) {
      const lane = this.#lane({ ...name, lane: at })
      for (let n = 0; n < unheardMax; n++)
        for (const [key, outcome] of outcomesOf(lane.next().value, name.device))
          this.#outcomes.set(key, (this.#outcomes.get(key) ?? new Set([gone])).add(outcome))
    }
  }

  /** What is wrong with the records of a device, in words; the first few. */
  problems(rows: ReadonlyMap<string, Doc>): string[] {
    const found: string[] = []
    const known = new Set<string>()
    for (const [key, outcomes] of this.#outcomes) {
      const [id = '', device] = key.split('/')
      known.add(id)
      const row = rows.get(id)
      const outcome = outcomeOf(row, id, device)
      if (outcome !== undefined && !outcomes.has(outcome))
        found.push(`${key} is ${outcome}, expected ${[...outcomes].join(' or ')}`)
    }
    for (const id of rows.keys()) if (!known.has(id)) found.push(`${id} was written by nobody`)
    return found.slice(0, 10)
  }

  #lane(name: WorkLane): Generator<Operation, never> {
    const key = `${name.device}-${name.life}-${name.lane}`
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    const lane = operationsOf(name)
    this.#lanes.set(key, lane)
    return lane
  }
}

/** Key and outcome of one operation. */
function outcomesOf(operation: Operation, device: string): [string, string][] {
  const { kind, id } = operation
  if (kind === 'remove') return [[id, gone]]
  return kind === 'share' ? [[`${id}/${device}`, operation.tag]] : [[id, operation.tag]]
}

/** Undefined where nothing can be said: a field of a record that is gone. */
function outcomeOf(row: Doc | undefined, id: string, device: string | undefined): string | undefined {
  if (device !== undefined) {
    if (row === undefined) return id.startsWith('doomed') ? undefined : gone
    return tagOf(row, device)
  }
  if (row === undefined) return gone
  return id.startsWith('doomed') ? 'living' : tagOf(row, 'tag')
}

function tagOf(row: Doc, field: string): string {
  const tag = row[field]
  return typeof tag === 'string' ? tag : ''
}

/** Child process of the benchmarks: many devices with one database each. Invariant: what it reports each has shown by the public API. */
import { join } from 'node:path'
import { BlazeDBClient } from '../../actors/index.ts'
import { answerParent } from '../process/call.ts'
import type { FleetCalls } from './device-calls.ts'
import { Latencies, machineMs } from './load.ts'

const waitMs = 120_000
const key = new Uint8Array(32).fill(7)
const name = 'records'
/** Handshakes at once: below what a supervisor takes from one address. */
const atOnce = 8

const fleet: BlazeDBClient[] = []
const seen: Latencies[] = []

async function eachInTurn(work: (db: BlazeDBClient) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < fleet.length; at += atOnce) await Promise.all(fleet.slice(at, at + atOnce).map(work))
}

function follow(db: BlazeDBClient): Promise<void> {
  const times = new Latencies()
  seen.push(times)
  return new Promise((resolve) => {
    db.collection(name)
      .query()
      .live(({ changed }) => {
        const nowMs = machineMs()
        resolve()
        for (const { update } of changed) if (typeof update === 'number') times.note(update, nowMs)
      })
  })
}

const calls: FleetCalls = {
  async join({ at, invites, records }, progress) {
    for (const [n, invite] of invites.entries()) {
      const place = join(at, String(fleet.length))
      const db = await BlazeDBClient.join({ name: `Device ${n}`, at: place, key, invite, timeoutMs: waitMs })
      fleet.push(db)
      await db.sync?.caughtUp({ timeoutMs: waitMs })
      const counted = await db.collection(name).query().count()
      if (counted !== records) throw new Error(`caught up with ${counted} of ${records} records`)
      progress(n + 1)
    }
  },
  async watch() {
    for (const db of fleet) await follow(db)
  },
  async seen({ n }) {
    const all = await Promise.all(seen.map((times) => times.all(n + 1, waitMs)))
    return Math.max(...all.map((times) => times[n] ?? Number.NaN))
  },
  async pause() {
    await eachInTurn(async (db) => db.sync?.pause())
  },
  async resume() {
    await eachInTurn(async (db) => {
      db.sync?.resume()
      await db.sync?.caughtUp({ timeoutMs: waitMs })
    })
    return fleet.filter((db) => db.sync?.status().state === 'caughtUp').length
  },
  async close() {
    await Promise.all(fleet.splice(0).map((db) => db.close()))
  },
}

answerParent(calls, () => calls.close(null))

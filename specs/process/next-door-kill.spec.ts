// time limit: 240 s
/**
 * Passes over many rows that are cut off by kill -9 of either side: each goes on where it was, and nothing is missing or left over.
 * Random places and edits are repeated with `SEED=…`.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Doc } from '../../actors/database/index.ts'
import { createChance } from '../../runtime/index.ts'
import { collection, DATABASE, openBugs, Street } from './next-door-app.ts'
import type { App } from './next-door-app.ts'
import { trackerRow } from './next-door-row.ts'

const ROWS = 20_000
/** Every fourth row is closed. */
const SHOWN = (ROWS * 3) / 4
const KILLS = 3
/** Of a later pass, after a change of policy. */
const LATER_KILLS = 1
/** What a guest has received and not written when it is killed: no more than its stream has credit for, and a row has 500 bytes. */
const LOST_MAX = Math.ceil(1_048_576 / 500)
/** Changes that the host makes between two lives of either side. */
const EDITS = 60
/** A whole pass, with the starts of processes in between, on a machine that does other things too. */
const PASS_MS_MAX = 60_000

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const chance = createChance(seed)
console.log(`next-door-kill: SEED=${seed}`)

const streets: Street[] = []

test.after.each(async () => {
  for (const street of streets.splice(0)) await street.close()
})

interface Setting {
  readonly street: Street
  readonly host: App
  /** What a guest is to see in the end. */
  readonly expected: Map<string, Doc>
}

async function setUp(): Promise<Setting> {
  const street = new Street('next-door-kill-spec')
  streets.push(street)
  const host = await street.host({ before: (app) => app.call('fill', { collection, from: 0, to: ROWS }) })
  const expected = new Map<string, Doc>()
  for (let n = 0; n < ROWS; n++) {
    const row = shownRow(n)
    if (row['status'] === 'open') expected.set(String(row.id), row)
  }
  assert.is(expected.size, SHOWN)
  return { street, host, expected }
}

function shownRow(n: number): Doc {
  const { secret: _, ...shown } = trackerRow(n)
  return { ...shown }
}

/** Lets rows come, leave, change and be deleted, wherever the pass may be. */
async function edit(host: App, expected: Map<string, Doc>, round: number): Promise<void> {
  for (let count = 0; count < EDITS; count += 4) {
    const [into, out] = [Math.floor(chance() * ROWS), Math.floor(chance() * ROWS)]
    const title = `edited in round ${round}`
    await host.update(`row-${into}`, { status: 'open', title })
    expected.set(`row-${into}`, { ...shownRow(into), status: 'open', title })
    await host.update(`row-${out}`, { status: 'closed' })
    expected.delete(`row-${out}`)
    const id = `own-${round}-${count}`
    await host.insert({ id, status: 'open', n: count })
    expected.set(id, { id, status: 'open', n: count })
    const old = `own-${round - 1}-${count}`
    if (expected.delete(old)) await host.call('remove', { collection, id: old })
  }
}

function isSame(shown: ReadonlyMap<string, Doc>, expected: ReadonlyMap<string, Doc>): void {
  for (const [id, doc] of expected) assert.equal(shown.get(id), doc, id)
  for (const id of shown.keys()) assert.ok(expected.has(id), `${id} is left over`)
}

test(`a host that is killed in the middle of a pass goes on with it, ${KILLS} times`, async () => {
  const { street, host: first, expected } = await setUp()
  let host = first
  const guest = street.app('guest')
  const killAt = (kill: number): number => Math.floor((SHOWN * (kill + chance() / 2)) / (KILLS + 1))
  let visible = false
  await guest.call('killAfter', { pid: host.pid, records: killAt(1) })
  const connected = street
    .connect(guest, { tap: 'count', timeoutMs: PASS_MS_MAX })
    .then(() => (visible = true))
  connected.catch(() => undefined)

  for (let kill = 1; kill <= KILLS; kill++) {
    const next = street.app(`host-${kill}`)
    await host.gone(PASS_MS_MAX)
    assert.is(visible, false, 'it was killed in the middle')
    await next.call('open', { at: street.at('tracker'), name: DATABASE })
    await edit(next, expected, kill)
    if (kill < KILLS) await guest.call('killAfter', { pid: next.pid, records: killAt(kill + 1) })
    await next.call('share', { group: street.group, app: 'tracker', policy: openBugs })
    host = next
  }
  await connected

  isSame(await guest.rows(), expected)
  const { records, links } = await guest.call('counts', null)
  const { passes } = await guest.call('report', null)
  console.log(
    `host killed ${KILLS} times: ${records} records received for ${expected.size}, over ${links} links`,
  )
  assert.is(passes, 1, 'it was one pass all the time')
  assert.ok(links > KILLS)
  assert.ok(records <= SHOWN + KILLS * EDITS, `${records} records were received for ${SHOWN} rows`)
  await street.pulse(host, guest)
})

test(`a guest that is killed in the middle of a pass goes on with it, ${KILLS} times in the first and in a later one`, async () => {
  const { street, host, expected } = await setUp()
  const life = async (name: string, records?: number): Promise<App> => {
    const guest = street.app(name)
    if (records !== undefined) await guest.call('killAfter', { pid: guest.pid, records })
    const connected = street.connect(guest, { tap: 'count', timeoutMs: PASS_MS_MAX })
    if (records === undefined) await connected
    else assert.match(String(await connected.catch((error: unknown) => error)), 'SIGKILL')
    return guest
  }
  const lives = async (pass: number, kills: number): Promise<{ guest: App; received: number }> => {
    let received = 0
    for (let kill = 1; kill <= kills; kill++) {
      const records = Math.floor(3_000 + chance() * 1_000)
      await life(`guest-${pass}-${kill}`, records)
      received += records
      await edit(host, expected, 10 * pass + kill)
    }
    const guest = await life(`guest-${pass}`)
    return { guest, received: received + (await guest.call('counts', null)).records }
  }
  const enough = (received: number, rows: number, kills: number): void => {
    console.log(`guest killed ${kills} times: ${received} records received for ${rows}`)
    assert.ok(
      received <= rows + kills * (LOST_MAX + EDITS),
      `${received} records were received for ${rows} rows`,
    )
  }

  const first = await lives(1, KILLS)
  isSame(await first.guest.rows(), expected)
  enough(first.received, SHOWN, KILLS)
  await first.guest.insert({ id: 'at-home-here', status: 'open' })
  await first.guest.update('at-home-here', { status: 'closed' })
  await first.guest.stop()
  await host.call('setPolicy', {
    policy: {
      collections: [collection],
      fields: { exclude: ['secret', 'title'] },
      filter: {
        [collection]: {
          and: [
            { field: 'status', op: '=', value: 'open' },
            { field: 'n', op: '>=', value: 1_000 },
          ],
        },
      },
    },
  })
  const second = await lives(2, LATER_KILLS)

  for (const [id, { title: _, ...doc }] of expected) {
    if (Number(doc['n']) >= 1_000) expected.set(id, { ...doc })
    else expected.delete(id)
  }
  expected.set('at-home-here', { id: 'at-home-here', status: 'closed' })
  isSame(await second.guest.rows(), expected)
  enough(second.received, expected.size, LATER_KILLS)
  await host.insert({ id: 'later', status: 'open', n: ROWS })
  await second.guest.sees('later')
})

test.run()

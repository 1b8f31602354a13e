// time limit: 200 s
/**
 * A real network whose cable is pulled out for longer than a link may be silent: the device says so all the while, and goes on by itself
 * when it is back. The supervisor and one device are at one end, another device at the other, in network namespaces of their own.
 */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SyncStatus } from '../../../actors/index.ts'
import { Stage } from '../../../scripts/process/stage.ts'
import { DeviceProcess } from '../../fixtures/device-process.ts'
import { overCable, type Cable } from '../../fixtures/network-namespace.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'

const collection = 'notes'
const port = 8_080
/** Silence of 40 s, a look every 5 s, and a slow machine. */
const offlineMsMax = 90_000
/** A dial that hangs has 10 s, the wait between two has 5 s. */
const healMsMax = 40_000

const stages: Stage[] = []

test.after.each(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

const docs = (by: string): { id: string; by: string }[] =>
  Array.from({ length: 100 }, (_, n) => ({ id: `${by}-${n}`, by }))

async function pullAndPlug(cable: Cable): Promise<void> {
  const { near, far } = cable
  const stage = new Stage('cable-spec')
  stages.push(stage)
  const [atA, atB] = [join(stage.directory, 'a'), join(stage.directory, 'b')]
  const supervisor = new SupervisorProcess(stage.makeDirectory('supervisor'), port, far)
  stage.own('supervisor', () => supervisor.kill())
  await supervisor.start()
  const a = new DeviceProcess(stage, 'a', near.command)
  const b = new DeviceProcess(stage, 'b', far.command)
  await a.call('open', { at: atA })
  await a.call('enableSync', { at: atA, code: supervisor.enrolment ?? '', database: 'cable', host: far.host })
  await b.call('join', { at: atB, invite: await a.call('invite', { at: atA, role: 'writer' }) })
  await a.insertMany(atA, collection, docs('before'))
  await a.call('caughtUp', { at: atA })
  await b.call('caughtUp', { at: atB })
  const says = async (state: SyncStatus['state'], why: RegExp): Promise<number> => {
    const startMs = performance.now()
    for (;;) {
      const now = await a.call('status', { at: atA })
      const tookMs = Math.round(performance.now() - startMs)
      if (now.sync?.state === state && why.test(now.why)) return tookMs
      assert.ok(tookMs < offlineMsMax, `expected ${state}, got ${now.sync?.state}: ${now.why}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  cable.set('down')
  await a.insertMany(atA, collection, docs('by-a'))
  await b.insertMany(atB, collection, docs('by-b'))
  await b.call('caughtUp', { at: atB })
  const staleMs = await says('stale', /is open, but it confirms nothing/)
  const offlineMs = staleMs + (await says('offline', /cannot be reached after \d+ attempts/))
  const apart = await b.call('count', { at: atB, collection })
  cable.set('up')
  const startMs = performance.now()
  await a.call('caughtUp', { at: atA, timeoutMs: healMsMax })
  await b.call('caughtUp', { at: atB, timeoutMs: healMsMax })
  const healMs = Math.round(performance.now() - startMs)
  console.log(
    `stale after ${staleMs} ms, offline after ${offlineMs} ms, in sync ${healMs} ms after the cable`,
  )

  assert.is(apart, 200, 'nothing came through a cable that is out')
  const rows = await a.rows(atA, collection)
  assert.is(rows.size, 300)
  for (const doc of [...docs('before'), ...docs('by-a'), ...docs('by-b')]) assert.equal(rows.get(doc.id), doc)
  assert.equal(await b.rows(atB, collection), rows)
}

test('a cable that is out for a minute is stale, then offline; back in, sync goes on by itself', async () => {
  await overCable(pullAndPlug)
})

test.run()

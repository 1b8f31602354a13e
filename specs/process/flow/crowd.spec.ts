// time limit: 120 s
/**
 * A thousand idle devices, and one that stops reading while another writes: what they cost the supervisor, and what becomes of the reader.
 * Memory is what the system holds for the process (RSS), TLS and buffers of sockets included, since that is what a small computer runs out of.
 */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeDBClient, RemoteNode } from '../../../actors/index.ts'
import type { DatabaseSync } from '../../../actors/client/index.ts'
import { limits } from '../../../runtime/index.ts'
import { Child } from '../../../scripts/process/child.ts'
import { readMemory } from '../../../scripts/process/memory.ts'
import { Stage } from '../../../scripts/process/stage.ts'
import { DeviceProcess } from '../../fixtures/device-process.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import type { CrowdCalls } from './crowd-program.ts'

const CROWDS = 2
/** Of a crowd. What a device asks at its hello grows with its team. */
const TEAMS = 5
const DEVICES_EACH = 100
/** Written again and again while one device does not read: 12 MB, far more than eight parts. */
const RECORDS = 500
const ROUNDS = 12
const text = 'x'.repeat(2_000)
const patienceMs = 60_000

test('a thousand idle devices and a reader that stalls while another writes stay within the memory budget, and the reader is served', async () => {
  const stage = new Stage('crowd')
  try {
    const supervisor = await SupervisorProcess.start(stage)
    const { writer, sync } = await openWriter(stage, supervisor)
    const reader = new DeviceProcess(stage, 'reader')
    const at = join(stage.makeDirectory('reader'), 'db')
    await reader.call('join', { at, invite: await writer.invite({ role: 'reader' }) })
    await reader.call('caughtUp', { at })
    const crowds = await gather(stage, supervisor)
    const idleBytes = residentBytes(supervisor)

    reader.signal('SIGSTOP')
    for (let round = 0; round < ROUNDS; round++) {
      const puts = Array.from({ length: RECORDS }, (_, id) =>
        writer.collection('records').put(`${id}`, { round, text }),
      )
      await Promise.all(puts)
      await sync.flushed({ timeoutMs: patienceMs })
    }
    const stalledBytes = residentBytes(supervisor)
    reader.signal('SIGCONT')
    await reader.call('caughtUp', { at })

    const rows = await reader.rows(at, 'records')
    assert.is(rows.size, RECORDS)
    assert.ok([...rows.values()].every(({ round }) => round === ROUNDS - 1))
    const inSync = crowds.map((crowd) => crowd.call('inSync', null, { timeoutMs: patienceMs }))
    assert.equal(
      await Promise.all(inSync),
      crowds.map(() => TEAMS * DEVICES_EACH),
    )
    const peakBytes = readMemory(supervisor.pid)?.peakBytes ?? residentBytes(supervisor)
    const told = `${idleBytes} bytes idle, ${stalledBytes} with the reader stalled, ${peakBytes} at most`
    assert.ok(peakBytes <= limits.supervisorMemoryBytesMax, told)
    if (process.env['BLAZEDB_TELL'] === '1') console.log(told)
  } finally {
    await stage.close()
  }
})

async function openWriter(
  stage: Stage,
  supervisor: SupervisorProcess,
): Promise<{ writer: BlazeDBClient; sync: DatabaseSync }> {
  const key = new Uint8Array(32).fill(7)
  const writer = await BlazeDBClient.open({ name: 'writer', at: join(stage.directory, 'writer'), key })
  stage.own('writer', () => writer.close())
  const remote = RemoteNode.parse(supervisor.enrolment ?? '')
  return { writer, sync: await writer.enableSync({ remote, database: 'flow' }) }
}

/** Resolves when every device of every crowd is connected and in sync. */
async function gather(stage: Stage, supervisor: SupervisorProcess): Promise<Child<CrowdCalls>[]> {
  const crowds = Array.from({ length: CROWDS }, (_, n) => {
    const place = { module: './crowd-program', base: import.meta.url }
    return new Child<CrowdCalls>(stage, { name: `crowd ${n}`, ...place })
  })
  const gathered = crowds.map(async (crowd, n) => {
    for (let team = 0; team < TEAMS; team++) {
      const body = { code: await supervisor.code(), name: `crowd-${n}-${team}`, count: DEVICES_EACH }
      await crowd.call('gather', body, { timeoutMs: patienceMs })
    }
  })
  await Promise.all(gathered)
  return crowds
}

function residentBytes(supervisor: SupervisorProcess): number {
  const memory = readMemory(supervisor.pid)
  assert.ok(memory !== undefined, 'the supervisor runs')
  return memory.rssBytes
}

test.run()

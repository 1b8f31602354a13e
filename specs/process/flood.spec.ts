// time limit: 120 s
/** One device floods its supervisor from another process; the writes of a second one are confirmed all the while. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeDBClient, RemoteNode } from '../../actors/index.ts'
import { runBlazedb, serveBlazedb } from '../server/process.ts'
import { loaderArgs } from '../../scripts/typescript/loader.ts'

/** Far above what was measured on two busy cores (p50 0.2 s, highest 1.2 s), far below what a queue behind the flood takes. */
const patienceMs = 10_000
const writes = 40

interface Databases {
  readonly databaseList: readonly { readonly name: string; readonly records: number | null }[]
}

test('a flood from one device does not keep the writes of another from being confirmed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-flood-'))
  const data = join(directory, 'pi')
  const server = await serveBlazedb(data)
  const ask = async (command: string): Promise<unknown> =>
    JSON.parse((await runBlazedb([command, '--data', data, '--json']).ended).stdout)
  const flooded = async (): Promise<number> => {
    const { databaseList } = (await ask('status')) as Databases
    return databaseList.find(({ name }) => name === 'flood')?.records ?? 0
  }
  const quiet = await BlazeDBClient.open({
    name: 'quiet',
    at: join(directory, 'quiet'),
    key: new Uint8Array(32).fill(7),
  })
  const sync = await quiet.enableSync({
    remote: RemoteNode.parse(server.ready.enrolment ?? ''),
    database: 'quiet',
  })
  const { enrolment } = (await ask('enroll')) as { enrolment: string }
  const program = fileURLToPath(new URL('flood-program.ts', import.meta.url))
  const flood = spawn(process.execPath, [...loaderArgs(), program, join(directory, 'flood'), enrolment], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => flood.once('exit', resolve))
  try {
    await Promise.race([new Promise((resolve) => flood.stdout.once('data', resolve)), ended])
    const before = await flooded()
    for (let count = 0; count < writes; count++) {
      await quiet.collection('notes').insert({ count })
      await sync.flushed({ timeoutMs: patienceMs })
    }
    const during = (await flooded()) - before

    assert.ok(during > 10 * writes, `the flood brought ${during} records meanwhile`)
    assert.is(flood.exitCode, null)
  } finally {
    flood.kill('SIGKILL')
    await ended
    await quiet.close()
    server.child.kill('SIGTERM')
    await server.ended
    rmSync(directory, { recursive: true, force: true })
  }
})

test.run()

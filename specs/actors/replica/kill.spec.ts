/** A real process killed with -9 under write load: nothing acknowledged is lost, and the store opens clean every time. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume, openReplica } from '../../../actors/replica/index.ts'
import { createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { authority, device, spaceId, textOf } from './replica-world.ts'
import { tagOfWrite } from './write-plan.ts'

const KILLS = 3
const child = fileURLToPath(new URL('./write-load.ts', import.meta.url))
const tsx = fileURLToPath(import.meta.resolve('tsx'))

/** Runs the writer, kills it once it has acknowledged so many writes, and returns all that it had acknowledged. */
async function killedAfter(at: string, writes: number): Promise<number[]> {
  const writer = spawn(process.execPath, ['--import', tsx, child, at], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  writer.stdout.setEncoding('utf8')
  writer.stdout.on('data', (text: string) => {
    out += text
    if (out.split('\n').length > writes) writer.kill('SIGKILL')
  })
  const signal = await new Promise((resolve) => writer.on('close', (_code, by) => resolve(by)))
  assert.is(signal, 'SIGKILL', 'the writer ended by itself')
  // A line that was cut by the kill is no acknowledgement.
  return out.slice(0, out.lastIndexOf('\n')).split('\n').map(Number)
}

test(`${KILLS} kills under load lose nothing that was acknowledged`, async () => {
  const at = mkdtempSync(join(tmpdir(), 'blazedb-kill-'))
  const env = createNodeEnv()
  const acknowledged = new Set<number>()
  for (let round = 1; round <= KILLS; round += 1) {
    const writes = 50 + Math.floor(env.random() * 400)
    console.log(`kill ${round} after ${writes} acknowledged writes`)
    for (const n of await killedAfter(at, writes)) acknowledged.add(n)

    const store = await createDirectoryVolume(at).openStore('replica')
    const options = { store, spaceId, env, crypto: nodeCrypto, authority: authority(), own: device(1) }
    const replica = await openReplica(options)
    const newest = replica.lastOwnSeq
    assert.ok(newest >= Math.max(...acknowledged))
    for (let n = 1; n <= newest; n += 1) {
      const last = n % 3 === 2 && n < newest ? n + 1 : n
      assert.equal(replica.live(tagOfWrite(n)).map(textOf), [`${last}`], `write ${n}`)
    }
    await replica.close()
  }
  rmSync(at, { recursive: true })
})

test.run()

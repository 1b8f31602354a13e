/** A process that is killed while it writes and merges indexes, again and again: indexes and records agree, nothing acknowledged is lost. */
// time limit: 180 s
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeDBClient } from '../../actors/client/index.ts'
import { partsOf } from '../../actors/client/client.ts'
import type { IndexAudit } from '../../actors/database/index/index-audit.ts'
import { createChance } from '../../runtime/index.ts'
import { loaderArgs } from '../../scripts/typescript/loader.ts'

const program = fileURLToPath(new URL('index-kill-program.ts', import.meta.url))
const LIVES = 5

/** Lines that it had printed when it was killed. */
async function killed(args: string[], afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [...loaderArgs(), program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (text === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
      text += chunk.toString()
    })
    child.on('close', (exit, signal) => {
      if (signal === 'SIGKILL') resolve()
      else reject(new Error(`the child ended with ${exit}`))
    })
  })
  const lines = text.split('\n')
  // The last one may be cut.
  return lines.slice(1, -1)
}

test('indexes are whole after kill -9 in the middle of writes and merges', async () => {
  const seed = Math.floor(Math.random() * 2 ** 30)
  process.stdout.write(`seed ${seed}\n`)
  const chance = createChance(seed)
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-index-kill-'))
  const at = join(directory, 'db')
  try {
    /** What was acknowledged last, or `?` when a later write was under way. */
    const newest = new Map<string, string>()
    for (let life = 0; life < LIVES; life += 1) {
      const lines = await killed([at, String(life), String(seed + life)], 300 + chance() * 1_200)
      for (const line of lines) {
        const [id = '', value = ''] = line.split(' ')
        newest.set(id, value)
      }
      assert.ok(lines.length > 100, `${lines.length} lines of life ${life}`)

      const db = await BlazeDBClient.open({ name: 'check', at, key: new Uint8Array(32).fill(9) })
      const { database } = partsOf(db)
      const audit = await database.request<IndexAudit>((reply) => ({
        type: 'index.verify',
        signal: undefined,
        reply,
      }))
      assert.equal(audit.problems, [], `seed ${seed}, life ${life}`)
      const records = db.collection('records')
      let known = 0
      for (const [id, value] of newest) {
        if (value === '?') continue
        const found = await records.get(id)
        const text = `seed ${seed}, life ${life}, ${id}`
        assert.is(found?.['n'], value === 'gone' ? undefined : Number(value), text)
        known += 1
      }
      assert.ok(known > 20, `${known} records are known`)
      const living = (await records.query().all()).length
      assert.is(audit.entries, 2 * living)
      assert.is(db.status().records, living)
      await db.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test.run()

/** Transactions of a process that is killed: all or nothing after the next opening, and what was acknowledged is there. */
// time limit: 180 s
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeDBClient } from '../../../actors/client/index.ts'
import { loaderArgs } from '../../../scripts/typescript/loader.ts'

const child = fileURLToPath(new URL('transaction-child.ts', import.meta.url))
const LIVES = 3

/** Runs a child until it has acknowledged so many transactions, kills it, and returns what it printed. */
async function killedAfter(at: string, life: string, lines: number): Promise<string[]> {
  const started = spawn(process.execPath, [...loaderArgs(), child, at, life], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const printed: string[] = []
  let rest = ''
  await new Promise<void>((resolve, reject) => {
    started.on('exit', (exit, signal) => {
      if (signal === 'SIGKILL') resolve()
      else reject(new Error(`the child ended with ${exit}`))
    })
    started.stdout.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n')
      rest = parts.pop() ?? ''
      printed.push(...parts)
      if (printed.length >= lines) started.kill('SIGKILL')
    })
  })
  return printed.slice(1)
}

test('after kill -9 under load every transaction is there as a whole or not at all, again and again', async () => {
  const seed = Math.floor(Math.random() * 1e9)
  process.stdout.write(`seed ${seed} `)
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-transaction-'))
  const at = join(directory, 'db')
  let unacknowledged = 0
  try {
    for (let n = 0; n < LIVES; n += 1) {
      const life = `life${n}`
      const acknowledged = await killedAfter(at, life, 15 + ((seed >> (n * 3)) % 61))

      const db = await BlazeDBClient.open({ name: 'child', at, password: 'pass' })
      const balances = await db.collection('accounts').query().all()
      const sum = balances.reduce((total, { balance }) => total + Number(balance), 0)
      assert.is(sum, 4_000, `seed ${seed}, ${life}`)

      const members = new Map<string, number>()
      for (const name of ['c0', 'c1', 'c2', 'large']) {
        for (const { id } of await db.collection(name).query().where('id', 'prefix', `${life}-`).all()) {
          const transaction =
            name === 'large' ? `large ${id.split('-')[1]}` : id.split('-').slice(1, 3).join(' ')
          members.set(transaction, (members.get(transaction) ?? 0) + 1)
        }
      }
      for (const [transaction, count] of members) {
        assert.is(count, transaction.startsWith('large') ? 300 : 12, `${transaction} in part, seed ${seed}`)
        if (!acknowledged.includes(transaction)) unacknowledged += 1
      }
      for (const line of acknowledged) assert.ok(members.has(line), `${line} is lost, seed ${seed}`)
      await db.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  process.stdout.write(`${unacknowledged} were there without being told `)
})

test.run()

/** What a peer has sent in a round under way is known by ranges, however it comes, and in bounded memory. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createChance, limits } from '../../../runtime/index.ts'
import { Heard } from '../../../actors/relay/heard.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)
const replicas = [1, 2, 3].map((value) => new Uint8Array(8).fill(value))
const [one = new Uint8Array(8)] = replicas

test('it names exactly what was added, in whatever order', () => {
  const chance = createChance(seed)
  for (let run = 0; run < 50; run++) {
    const heard = new Heard()
    const added = replicas.map(() => new Set<number>())
    for (let n = 0; n < 300; n++) {
      const at = Math.floor(chance() * replicas.length)
      const seq = 1 + Math.floor(chance() * 200)
      heard.add(replicas[at] ?? one, seq)
      added[at]?.add(seq)
    }
    for (const [at, replica] of replicas.entries())
      for (let seq = 0; seq <= 202; seq++) assert.is(heard.has(replica, seq), added[at]?.has(seq), `${seq}`)
  }
})

test('more ranges than the limit are not kept: the lowest is forgotten, nothing is made up', () => {
  const heard = new Heard()
  for (let n = 1; n <= limits.relayHeardRangesMax; n++) heard.add(one, 2 * n)
  assert.is(heard.has(one, 2), true)
  heard.add(one, 2 * (limits.relayHeardRangesMax + 1))

  assert.is(heard.has(one, 2), false)
  assert.is(heard.has(one, 4), true)
  assert.is(heard.has(one, 5), false)
  heard.covered(one, 5)
  assert.is(heard.has(one, 4), false)
  assert.is(heard.has(one, 6), true)
})

test.run()
